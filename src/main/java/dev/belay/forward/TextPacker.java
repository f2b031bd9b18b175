package dev.belay.forward;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** Packs numbered items into batches that stay within a budget, keeping their order. */
public final class TextPacker {
    private TextPacker() {}

    /**
     * Item numbers 0..{@code count}-1 in batches; an item larger than the budget gets a batch of its own.
     *
     * @param size size of an item
     */
    public static List<List<Integer>> pack(int count, IntUnaryOperator size, int budget) {
        List<List<Integer>> batches = new ArrayList<>();
        List<Integer> current = new ArrayList<>();
        long used = 0;
        for (int i = 0; i < count; i++) {
            int needed = size.applyAsInt(i);
            if (!current.isEmpty() && used + needed > budget) {
                batches.add(current);
                current = new ArrayList<>();
                used = 0;
            }
            current.add(i);
            used += needed;
        }
        if (!current.isEmpty()) {
            batches.add(current);
        }
        return batches;
    }
}
