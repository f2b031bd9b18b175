package dev.belay.forward;

import java.util.function.IntUnaryOperator;

/** Packs numbered items into batches that stay within a budget, keeping their order. */
public final class TextPacker {
    private TextPacker() {}

    /**
     * One past the last item of the batch that begins with item {@code from}.
     *
     * @param size size of an item
     */
    public static int end(int from, int count, IntUnaryOperator size, int budget) {
        long used = size.applyAsInt(from);
        int end = from + 1;
        while (end < count && used + size.applyAsInt(end) <= budget) {
            used += size.applyAsInt(end++);
        }
        return end;
    }
}
