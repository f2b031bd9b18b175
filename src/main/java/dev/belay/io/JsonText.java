package dev.belay.io;

/** JSON as text that UTF-8 can hold. */
public final class JsonText {
    private JsonText() {}

    /**
     * Writes surrogates without a partner, which a JSON string can hold but UTF-8 cannot, as JSON's escapes.
     *
     * @param json well-formed JSON
     */
    public static String encodable(String json) {
        StringBuilder out = null;
        for (int i = json.length() - 1; i >= 0; i--) {
            char c = json.charAt(i);
            if (Character.isLowSurrogate(c) && i > 0 && Character.isHighSurrogate(json.charAt(i - 1))) {
                i--;
            } else if (Character.isSurrogate(c)) {
                out = out == null ? new StringBuilder(json) : out;
                out.replace(i, i + 1, String.format("\\u%04x", (int) c));
            }
        }
        return out == null ? json : out.toString();
    }
}
