package dev.belay.device.cuda;

import dev.belay.device.TokenLayout;
import java.util.Arrays;

/**
 * Cuts the rows of a batch into the tiles of queries that the blocks of attention take: pairs (row, first token), of up to
 * {@value KernelCatalog#ATTENTION_QUERIES} tokens each, those with the most keys first, so that no long one is left for the end.
 */
final class AttentionTiles {
    private static final int INDEX_BITS = 31;

    private AttentionTiles() {}

    /**
     * The tiles of a layout, as [tiles, 2] numbers.
     *
     * @param window number of last keys that a token sees; 0 = all
     */
    static int[] of(TokenLayout layout, int window) {
        int[] pairs = new int[2 * count(layout)];
        long[] order = new long[pairs.length / 2];
        int tile = 0;
        for (int r = 0; r < layout.rows(); r++) {
            int end = layout.rowEnd(r);
            for (int first = layout.rowStart(r); first < end; first += KernelCatalog.ATTENTION_QUERIES) {
                int last = Math.min(end, first + KernelCatalog.ATTENTION_QUERIES) - 1;
                int begin = window > 0 ? Math.max(0, layout.position(first) + 1 - window) : 0;
                long keys = layout.position(last) + 1 - begin;
                pairs[2 * tile] = r;
                pairs[2 * tile + 1] = first;
                // The most keys first; equal ones as they come.
                order[tile] = -keys << INDEX_BITS | tile;
                tile++;
            }
        }
        Arrays.sort(order);
        int[] sorted = new int[pairs.length];
        for (int i = 0; i < order.length; i++) {
            int from = (int) (order[i] & (1L << INDEX_BITS) - 1);
            sorted[2 * i] = pairs[2 * from];
            sorted[2 * i + 1] = pairs[2 * from + 1];
        }
        return sorted;
    }

    private static int count(TokenLayout layout) {
        int tiles = 0;
        for (int r = 0; r < layout.rows(); r++) {
            tiles += Math.ceilDiv(layout.rowEnd(r) - layout.rowStart(r), KernelCatalog.ATTENTION_QUERIES);
        }
        return tiles;
    }
}
