package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A layout of bfloat16 weights [N, K] that oneDNN often chooses: blocks of rows; in a block, for each pair of columns, the pairs of its
 * rows side by side. A pair is one 32-bit word, so that packing is to transpose words.
 *
 * @param rows rows of a block
 */
record PairLayout(int rows) {
    /** Those that oneDNN chooses where vectors have 512 bits. */
    static final List<PairLayout> ALL = List.of(new PairLayout(64), new PairLayout(32));
    /** oneDNN fills columns up to a multiple of this. */
    private static final int COLUMNS = 32;

    /** Whether {@code source} needs no filling up, and its pairs lie at multiples of their size. */
    boolean fits(Panel.Source source) {
        return source.rows() % rows == 0
                && source.columns() % COLUMNS == 0
                && source.matrix().columns() % 2 == 0
                && source.column() % 2 == 0
                && source.matrix().data().address() % Integer.BYTES == 0;
    }

    /** Size of what is packed. */
    static long bytes(Panel.Source source) {
        return 2L * source.rows() * source.columns();
    }

    /** Packs what {@link #fits}. */
    void pack(Panel.Source source, MemorySegment packed) {
        int pairs = source.columns() / 2;
        for (int block = 0; block < source.rows() / rows; block++) {
            for (int pair = 0; pair < pairs; pair++) {
                packPair(source, block * rows, pair, packed, ((long) block * pairs + pair) * rows);
            }
        }
    }

    private void packPair(Panel.Source source, int row, int pair, MemorySegment packed, long target) {
        MemorySegment data = source.matrix().data();
        long stride = source.matrix().columns() / 2;
        long first = (source.row() + row) * stride + source.column() / 2 + pair;
        for (int r = 0; r < rows; r++) {
            packed.setAtIndex(JAVA_INT, target + r, data.getAtIndex(JAVA_INT, first + r * stride));
        }
    }
}
