package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * A layout of bfloat16 weights [N, K] that oneDNN often chooses: blocks of 64 rows; in a block, for each pair of columns, the pairs of
 * the 64 rows side by side. A pair is one 32-bit word, so that packing is to transpose words.
 */
final class PairLayout {
    static final int ROWS = 64;
    /** oneDNN fills columns up to a multiple of this. */
    private static final int COLUMNS = 32;

    private PairLayout() {}

    /** Whether a block needs no filling up, and its pairs lie at multiples of their size. */
    static boolean fits(Panel.Source source) {
        return source.rows() % ROWS == 0
                && source.columns() % COLUMNS == 0
                && source.matrix().columns() % 2 == 0
                && source.column() % 2 == 0
                && source.matrix().data().address() % Integer.BYTES == 0;
    }

    /** Size of a packed block. */
    static long bytes(Panel.Source source) {
        return 2L * source.rows() * source.columns();
    }

    /** Packs a block that {@link #fits}. */
    static void pack(Panel.Source source, MemorySegment packed) {
        int pairs = source.columns() / 2;
        for (int block = 0; block < source.rows() / ROWS; block++) {
            for (int pair = 0; pair < pairs; pair++) {
                packPair(source, block * ROWS, pair, packed, ((long) block * pairs + pair) * ROWS);
            }
        }
    }

    private static void packPair(Panel.Source source, int row, int pair, MemorySegment packed, long target) {
        MemorySegment data = source.matrix().data();
        long stride = source.matrix().columns() / 2;
        long first = (source.row() + row) * stride + source.column() / 2 + pair;
        for (int r = 0; r < ROWS; r++) {
            packed.setAtIndex(JAVA_INT, target + r, data.getAtIndex(JAVA_INT, first + r * stride));
        }
    }
}
