package dev.belay.text;

/**
 * What encloses the thinking of a model.
 *
 * @param open stands before the thinking
 * @param close stands between thinking and response; its tokens are the closing tokens
 */
public record ThinkingMarkers(String open, String close) {
    private static final ThinkingMarkers THINK = new ThinkingMarkers("<think>\n", "\n</think>\n\n");

    /** The markers of a model family by {@code model_type} of config.json; so far every family writes the same ones. */
    public static ThinkingMarkers of(String modelType) {
        return THINK;
    }

    /** The open marker without the white space around it. */
    String openTag() {
        return open.strip();
    }

    /** The close marker without the white space around it. */
    String closeTag() {
        return close.strip();
    }

    /** How many leading chars of the text are an open marker with the white space that belongs to it, or 0. */
    int openLength(String text) {
        int lead = text.length() - text.stripLeading().length();
        if (!text.startsWith(openTag(), lead)) {
            return 0;
        }
        return text.startsWith(open, lead)
                ? lead + open.length()
                : lead + openTag().length();
    }
}
