package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * out[N] (+)= weights[N, K] · a[K] of bfloat16 numbers for one token and weights in a {@link PairLayout}, as fast as memory gives the
 * weights. The sums are those of oneDNN's products of many tokens, bit for bit: its instructions add exact products in an order that
 * is known, so that a text gives the same numbers alone and in a batch.
 *
 * @param columns K
 */
record TokenProduct(Order order, PairLayout layout, int columns) {
    /** In which order oneDNN adds the products of a row. */
    enum Order {
        /** As TDPBF16PS does: for each 16 pairs of columns the even and the odd columns by themselves, then both sums. */
        TILES,
        /** As VDPBF16PS does: odd before even column, 512 columns by themselves. */
        CHUNKS_OF_512,
        /** The same with 1,024 columns. */
        CHUNKS_OF_1024
    }

    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;
    private static final VectorSpecies<Integer> WORDS = IntVector.SPECIES_512;
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final int LANES = 16;
    /** Rows that are computed together, as two times 32. */
    private static final int ROWS = 64;

    private static final int HALF = ROWS / 2;
    private static final int TILE_PAIRS = 16;
    private static final int UPPER = 0xFFFF0000;
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    /** How many bytes ahead every line of weights is touched by a processor with AMX, which asks for less by itself. */
    private static final int LINE_AHEAD = 1536;

    /** What was touched, so that the compiler does not leave it out; of no meaning. */
    private static int touched;

    /** Whether vectors are as wide as the loops here take them. */
    static boolean available() {
        return RowTask.SPECIES == FLOATS;
    }

    /**
     * The product that gives what {@code product} does, found by comparing what both give for two tokens and the first rows: sums in
     * another order differ in most of them. Null if there is none.
     *
     * @param tokens how many tokens the product multiplies, at least two
     * @param weights address of packed weights [N, K] that are not all the same
     */
    static TokenProduct find(Product product, int tokens, PairLayout layout, int columns, long weights, int rows) {
        if (!available()) {
            return null;
        }
        try (MemoryPool memory = new MemoryPool();
                CpuBuffer in = new CpuBuffer(memory, "inputs of a trial", (long) tokens * columns, true);
                CpuBuffer expected = new CpuBuffer(memory, "outputs of a trial", (long) tokens * rows, false);
                CpuBuffer actual = new CpuBuffer(memory, "output of a trial", ROWS, false)) {
            Random random = new Random(columns);
            float[] values = new float[tokens * columns];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            in.write(0, values, 0, values.length);
            product.run(0, in.address(), weights, expected.address());
            for (Order order : Order.values()) {
                TokenProduct candidate = new TokenProduct(order, layout, columns);
                if (candidate.same(in, weights, rows, expected, actual)) {
                    return candidate;
                }
            }
        }
        return null;
    }

    private boolean same(CpuBuffer in, long weights, int rows, CpuBuffer expected, CpuBuffer out) {
        int compared = Math.min(rows, ROWS);
        float[] x = new float[columns];
        float[] ours = new float[compared];
        float[] theirs = new float[compared];
        for (int t = 0; t < 2; t++) {
            multiply(weights, compared, in.address() + (long) t * columns * Short.BYTES, x, out.address(), false);
            out.read(0, ours, 0, compared);
            expected.read((long) t * rows, theirs, 0, compared);
            if (!Arrays.equals(ours, theirs)) {
                return false;
            }
        }
        return true;
    }

    /**
     * Multiplies.
     *
     * @param weights address of packed weights [N, K]
     * @param rows N, a multiple of the layout's
     * @param a address of the inputs, bfloat16
     * @param x room for them as float32
     * @param out address of the outputs, float32
     */
    void multiply(long weights, int rows, long a, float[] x, long out, boolean accumulate) {
        long last = weights + 2L * rows * columns - Integer.BYTES;
        int sum = WeightPages.touch(weights, last) + WeightPages.touch(weights + WeightPages.BYTES, last);
        widen(a, columns, x);
        for (int r = 0; r < rows; r += ROWS) {
            long ahead = r + ROWS < rows ? LINE_AHEAD : 0;
            // Of 32 rows that are left, the same are computed twice.
            boolean whole = rows - r >= ROWS;
            sum += rows(
                    weights + (long) r * columns * Short.BYTES,
                    whole,
                    ahead,
                    last,
                    x,
                    out + (long) r * Float.BYTES,
                    accumulate);
        }
        touched = sum;
    }

    private static void widen(long a, int columns, float[] x) {
        for (int i = 0; i < columns; i += LANES) {
            Cells.load(MEMORY, a / Short.BYTES + i, true).intoArray(x, i);
        }
    }

    private int rows(long weights, boolean whole, long ahead, long last, float[] x, long out, boolean accumulate) {
        long step = (long) layout.rows() * Integer.BYTES;
        long half = layout.rows() == HALF ? (long) HALF * columns * Short.BYTES : HALF * Integer.BYTES;
        long second = whole ? half : 0;
        long secondOut = out + (whole ? HALF * Float.BYTES : 0);
        int pairs = columns / 2;
        return switch (order) {
            case TILES -> tiles(weights, step, second, ahead, last, x, pairs, out, secondOut, accumulate);
            case CHUNKS_OF_512 -> chunks(256, weights, step, second, last, x, pairs, out, secondOut, accumulate);
            case CHUNKS_OF_1024 -> chunks(512, weights, step, second, last, x, pairs, out, secondOut, accumulate);
        };
    }

    // Both loops compute 32 rows whose pairs lie at weights, and 32 that lie as many bytes behind as second says; the
    // next pair of columns lies step bytes behind. They touch weights ahead, up to the last word, and return what came
    // of it.

    private static int tiles(
            long weights,
            long step,
            long second,
            long ahead,
            long last,
            float[] x,
            int pairs,
            long out,
            long secondOut,
            boolean accumulate) {
        int sum = 0;
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (int tile = 0; tile < pairs; tile += TILE_PAIRS) {
            FloatVector e0 = FloatVector.zero(FLOATS);
            FloatVector e1 = e0;
            FloatVector e2 = e0;
            FloatVector e3 = e0;
            FloatVector o0 = e0;
            FloatVector o1 = e0;
            FloatVector o2 = e0;
            FloatVector o3 = e0;
            long page = weights + tile * step;
            sum += WeightPages.touch(page + WeightPages.BYTES, last)
                    + WeightPages.touch(page + second + WeightPages.BYTES, last);
            for (int p = tile; p < tile + TILE_PAIRS; p++) {
                long at = weights + p * step;
                long behind = at + second;
                sum += MEMORY.get(WORD, at + ahead)
                        + MEMORY.get(WORD, at + ahead + 64)
                        + MEMORY.get(WORD, behind + ahead)
                        + MEMORY.get(WORD, behind + ahead + 64);
                FloatVector even = FloatVector.broadcast(FLOATS, x[2 * p]);
                FloatVector odd = FloatVector.broadcast(FLOATS, x[2 * p + 1]);
                IntVector w0 = IntVector.fromMemorySegment(WORDS, MEMORY, at, ORDER);
                e0 = even(w0).fma(even, e0);
                o0 = odd(w0).fma(odd, o0);
                IntVector w1 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 64, ORDER);
                e1 = even(w1).fma(even, e1);
                o1 = odd(w1).fma(odd, o1);
                IntVector w2 = IntVector.fromMemorySegment(WORDS, MEMORY, behind, ORDER);
                e2 = even(w2).fma(even, e2);
                o2 = odd(w2).fma(odd, o2);
                IntVector w3 = IntVector.fromMemorySegment(WORDS, MEMORY, behind + 64, ORDER);
                e3 = even(w3).fma(even, e3);
                o3 = odd(w3).fma(odd, o3);
            }
            s0 = s0.add(e0.add(o0));
            s1 = s1.add(e1.add(o1));
            s2 = s2.add(e2.add(o2));
            s3 = s3.add(e3.add(o3));
        }
        // Not in a method of its own: this one is too long for the compiler to inline one more, and without that all
        // vectors are objects.
        if (accumulate) {
            s0 = s0.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER));
            s1 = s1.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 64, ORDER));
            s2 = s2.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, secondOut, ORDER));
            s3 = s3.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, secondOut + 64, ORDER));
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
        s1.intoMemorySegment(MEMORY, out + 64, ORDER);
        s2.intoMemorySegment(MEMORY, secondOut, ORDER);
        s3.intoMemorySegment(MEMORY, secondOut + 64, ORDER);
        return sum;
    }

    private static int chunks(
            int chunk,
            long weights,
            long step,
            long second,
            long last,
            float[] x,
            int pairs,
            long out,
            long secondOut,
            boolean accumulate) {
        int sum = 0;
        FloatVector s0 = FloatVector.zero(FLOATS);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (int from = 0; from < pairs; from += chunk) {
            FloatVector c0 = FloatVector.zero(FLOATS);
            FloatVector c1 = c0;
            FloatVector c2 = c0;
            FloatVector c3 = c0;
            int to = Math.min(pairs, from + chunk);
            for (int tile = from; tile < to; tile += TILE_PAIRS) {
                long page = weights + tile * step;
                sum += WeightPages.touch(page + WeightPages.BYTES, last)
                        + WeightPages.touch(page + second + WeightPages.BYTES, last);
                for (int p = tile; p < tile + TILE_PAIRS; p++) {
                    long at = weights + p * step;
                    long behind = at + second;
                    FloatVector even = FloatVector.broadcast(FLOATS, x[2 * p]);
                    FloatVector odd = FloatVector.broadcast(FLOATS, x[2 * p + 1]);
                    IntVector w0 = IntVector.fromMemorySegment(WORDS, MEMORY, at, ORDER);
                    c0 = even(w0).fma(even, odd(w0).fma(odd, c0));
                    IntVector w1 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 64, ORDER);
                    c1 = even(w1).fma(even, odd(w1).fma(odd, c1));
                    IntVector w2 = IntVector.fromMemorySegment(WORDS, MEMORY, behind, ORDER);
                    c2 = even(w2).fma(even, odd(w2).fma(odd, c2));
                    IntVector w3 = IntVector.fromMemorySegment(WORDS, MEMORY, behind + 64, ORDER);
                    c3 = even(w3).fma(even, odd(w3).fma(odd, c3));
                }
            }
            s0 = s0.add(c0);
            s1 = s1.add(c1);
            s2 = s2.add(c2);
            s3 = s3.add(c3);
        }
        // Not in a method of its own: this one is too long for the compiler to inline one more, and without that all
        // vectors are objects.
        if (accumulate) {
            s0 = s0.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER));
            s1 = s1.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out + 64, ORDER));
            s2 = s2.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, secondOut, ORDER));
            s3 = s3.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, secondOut + 64, ORDER));
        }
        s0.intoMemorySegment(MEMORY, out, ORDER);
        s1.intoMemorySegment(MEMORY, out + 64, ORDER);
        s2.intoMemorySegment(MEMORY, secondOut, ORDER);
        s3.intoMemorySegment(MEMORY, secondOut + 64, ORDER);
        return sum;
    }

    private static FloatVector even(IntVector pairs) {
        return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static FloatVector odd(IntVector pairs) {
        return pairs.and(UPPER).reinterpretAsFloats();
    }
}
