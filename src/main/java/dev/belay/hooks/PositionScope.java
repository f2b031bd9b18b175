package dev.belay.hooks;

import dev.belay.BelayException;

/**
 * The positions of a text at which an intervention acts.
 *
 * @param k number of last positions for {@link Kind#LAST}
 */
public record PositionScope(Kind kind, int k) {
    /** What selects the positions. */
    public enum Kind {
        /** Every position. */
        ALL,
        /** The closing tokens of the thinking. */
        CLOSING,
        /** Tokens that the model itself generated. */
        GENERATED,
        /** The last k positions of the given text. */
        LAST
    }

    /** Every position. */
    public static final PositionScope ALL = new PositionScope(Kind.ALL, 0);

    /** The closing tokens. */
    public static final PositionScope CLOSING = new PositionScope(Kind.CLOSING, 0);

    /** Generated tokens. */
    public static final PositionScope GENERATED = new PositionScope(Kind.GENERATED, 0);

    /** Reads {@code all}, {@code closing}, {@code generated} or {@code last:k}. */
    public static PositionScope parse(String text) {
        return switch (text) {
            case "all" -> ALL;
            case "closing" -> CLOSING;
            case "generated" -> GENERATED;
            default -> last(text);
        };
    }

    private static PositionScope last(String text) {
        if (text.matches("last:[1-9][0-9]{0,8}")) {
            return new PositionScope(Kind.LAST, Integer.parseInt(text.substring(5)));
        }
        throw new BelayException(
                "unknown positions '" + text + "': use all, closing, generated or last:k with k from 1");
    }

    /** Whether {@code position} of a text with these parts is selected. */
    public boolean covers(int position, TextSpan text) {
        return switch (kind) {
            case ALL -> true;
            case CLOSING -> position >= text.closingStart() && position < text.closingEnd();
            case GENERATED -> position >= text.length();
            case LAST -> position >= text.length() - k && position < text.length();
        };
    }

    @Override
    public String toString() {
        return switch (kind) {
            case ALL -> "all";
            case CLOSING -> "closing";
            case GENERATED -> "generated";
            case LAST -> "last:" + k;
        };
    }
}
