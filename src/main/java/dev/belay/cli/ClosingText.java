package dev.belay.cli;

import dev.belay.forward.Generator;

/**
 * Recognises the closing marker by its text: tokens that end with it, from the one in which it starts. As in a probe text, a token
 * that joins the marker's first line feed to the end of the thinking belongs to the closing tokens.
 */
final class ClosingText implements Generator.Closing {
    /** The text of {@code ids[from, to)}, special tokens spelled out. */
    interface Decoder {
        String decode(int[] ids, int from, int to);
    }

    private final String marker;
    private final Decoder decoder;

    ClosingText(String marker, Decoder decoder) {
        this.marker = marker;
        this.decoder = decoder;
    }

    @Override
    public int length(int[] ids, int from, int to) {
        for (int start = to - 1; start >= from; start--) {
            String tail = decoder.decode(ids, start, to);
            if (tail.endsWith(marker)) {
                return to - start;
            }
            if (!marker.endsWith(tail)) {
                return 0;
            }
        }
        return 0;
    }
}
