package dev.belay.forward;

import dev.belay.device.TokenLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The tokens of a batch in pieces of a given size, in order; a batch that is no larger is one piece, itself. Every piece has all rows of
 * the batch, most of them without tokens.
 */
final class Pieces {
    private final List<TokenLayout> parts = new ArrayList<>();
    private TokenLayout whole;
    private long changes;
    private int size;
    private int count;
    private int[] within = new int[16];

    /** Splits a layout into pieces of {@code tokens} tokens; does nothing if that is how it is split already. */
    void split(TokenLayout layout, int tokens) {
        if (layout == whole && layout.changes() == changes && tokens == size) {
            return;
        }
        whole = layout;
        changes = layout.changes();
        size = tokens;
        count = Math.max(1, Math.ceilDiv(layout.tokens(), tokens));
        if (count == 1) {
            return;
        }
        for (int i = 0; i < count; i++) {
            if (i == parts.size()) {
                parts.add(new TokenLayout());
            }
            int end = Math.min((i + 1) * tokens, layout.tokens());
            int[] indices = IntStream.range(i * tokens, end).toArray();
            layout.select(indices, indices.length, parts.get(i));
        }
    }

    /** Number of pieces. */
    int count() {
        return count;
    }

    /** The tokens of piece {@code i}. */
    TokenLayout layout(int i) {
        return count == 1 ? whole : parts.get(i);
    }

    /**
     * Finds the indices of the batch's tokens, ascending from {@code indices[from]} on, that are in piece {@code i}; {@link #within} holds
     * them then, counted from the piece's first token.
     *
     * @return one past the last of them
     */
    int within(int i, int[] indices, int from, int to) {
        int end = from;
        while (end < to && indices[end] < (i + 1) * size) {
            end++;
        }
        if (within.length < end - from) {
            within = Arrays.copyOf(within, Math.max(end - from, 2 * within.length));
        }
        for (int k = from; k < end; k++) {
            within[k - from] = indices[k] - i * size;
        }
        return end;
    }

    /** What {@link #within(int, int[], int, int)} found. */
    int[] within() {
        return within;
    }
}
