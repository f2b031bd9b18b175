package dev.belay.hooks;

/**
 * The parts of a row's text, as positions.
 *
 * @param length tokens of the given text; what follows was generated
 * @param thinkingStart first thinking token
 * @param closingStart first closing token; = closingEnd where there are none
 * @param closingEnd one past the last closing token
 */
public record TextSpan(int length, int thinkingStart, int closingStart, int closingEnd) {
    /** A text without known parts. */
    public static TextSpan plain(int length) {
        return new TextSpan(length, length, length, length);
    }

    /** A probe text: its closing tokens are its last ones. */
    public static TextSpan probe(int length, int thinkingStart, int closingStart) {
        return new TextSpan(length, thinkingStart, closingStart, length);
    }
}
