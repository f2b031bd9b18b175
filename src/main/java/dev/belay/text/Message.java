package dev.belay.text;

/**
 * One turn of a conversation.
 *
 * @param role {@code system}, {@code user} or {@code assistant}
 * @param content its text, taken as it is
 */
public record Message(String role, String content) {
    /** What goes before the conversation. */
    public static Message system(String content) {
        return new Message("system", content);
    }

    /** A turn of the person. */
    public static Message user(String content) {
        return new Message("user", content);
    }
}
