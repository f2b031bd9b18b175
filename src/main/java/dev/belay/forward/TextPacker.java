package dev.belay.forward;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;

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

    /**
     * Item numbers 0..{@code count}-1 in batches; an item larger than the budget gets a batch of its own.
     *
     * @param size size of an item
     */
    public static List<List<Integer>> pack(int count, IntUnaryOperator size, int budget) {
        List<List<Integer>> batches = new ArrayList<>();
        for (int from = 0; from < count; ) {
            int end = end(from, count, size, budget);
            batches.add(IntStream.range(from, end).boxed().toList());
            from = end;
        }
        return batches;
    }
}
