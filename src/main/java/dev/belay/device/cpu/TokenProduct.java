package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * out[N] (+)= weights[N, K] · a[K] of bfloat16 numbers for one token and weights in {@link PairLayout}, as fast as memory gives the
 * weights. The sums are those of oneDNN's products of many tokens, bit for bit: its instructions add exact products in an order that
 * is known, so that a text gives the same numbers alone and in a batch.
 */
final class TokenProduct {
    /** In which order oneDNN adds the products of a row. */
    enum Order {
        /** As TDPBF16PS does: for each 16 pairs of columns the even and the odd columns by themselves, then both sums. */
        TILES,
        /** As VDPBF16PS does: odd before even column, 512 columns by themselves. */
        CHUNKS_OF_512,
        /** The same with 1,024 columns. */
        CHUNKS_OF_1024,
        /** In none of these. */
        OTHER
    }

    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_512;
    private static final VectorSpecies<Integer> WORDS = IntVector.SPECIES_512;
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final int LANES = 16;
    private static final int ROWS = PairLayout.ROWS;
    private static final int TILE_PAIRS = 16;
    private static final int UPPER = 0xFFFF0000;
    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    private TokenProduct() {}

    /** Whether vectors are as wide as the loops here take them. */
    static boolean available() {
        return RowTask.SPECIES == FLOATS;
    }

    /**
     * The order of {@code product}'s sums, found by comparing what it gives for two tokens and the first 64 rows: sums in another order
     * differ in most of them.
     *
     * @param tokens how many tokens the product multiplies, at least two
     * @param weights address of packed weights [N, K] that are not all the same
     */
    static Order order(Product product, int tokens, int rows, int columns, long weights) {
        if (!available()) {
            return Order.OTHER;
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
                if (order == Order.OTHER || same(order, in, weights, rows, columns, expected, actual)) {
                    return order;
                }
            }
        }
        return Order.OTHER;
    }

    private static boolean same(
            Order order, CpuBuffer in, long weights, int rows, int columns, CpuBuffer expected, CpuBuffer out) {
        float[] x = new float[columns];
        float[] ours = new float[ROWS];
        float[] theirs = new float[ROWS];
        for (int t = 0; t < 2; t++) {
            widen(in.address() + (long) t * columns * Short.BYTES, columns, x);
            block(order, weights, x, columns, out.address(), false);
            out.read(0, ours, 0, ROWS);
            expected.read((long) t * rows, theirs, 0, ROWS);
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
     * @param a address of the inputs, bfloat16
     * @param x room for them as float32
     * @param out address of the outputs, float32
     */
    static void multiply(
            Order order, long weights, int rows, long a, float[] x, int columns, long out, boolean accumulate) {
        widen(a, columns, x);
        for (int r = 0; r < rows; r += ROWS) {
            long block = weights + (long) r * columns * Short.BYTES;
            block(order, block, x, columns, out + (long) r * Float.BYTES, accumulate);
        }
    }

    private static void widen(long a, int columns, float[] x) {
        for (int i = 0; i < columns; i += LANES) {
            Cells.load(MEMORY, a / Short.BYTES + i, true).intoArray(x, i);
        }
    }

    /** The sums of 64 rows, in {@code order}; {@code weights} and {@code out} are addresses. */
    static void block(Order order, long weights, float[] x, int columns, long out, boolean accumulate) {
        if (order == Order.TILES) {
            tiles(weights, x, columns / 2, out, accumulate);
        } else {
            chunks(order == Order.CHUNKS_OF_512 ? 256 : 512, weights, x, columns / 2, out, accumulate);
        }
    }

    private static void tiles(long weights, float[] x, int pairs, long out, boolean accumulate) {
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
            for (int p = tile; p < tile + TILE_PAIRS; p++) {
                long at = weights + (long) p * ROWS * Integer.BYTES;
                FloatVector even = FloatVector.broadcast(FLOATS, x[2 * p]);
                FloatVector odd = FloatVector.broadcast(FLOATS, x[2 * p + 1]);
                IntVector w0 = IntVector.fromMemorySegment(WORDS, MEMORY, at, ORDER);
                e0 = even(w0).fma(even, e0);
                o0 = odd(w0).fma(odd, o0);
                IntVector w1 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 64, ORDER);
                e1 = even(w1).fma(even, e1);
                o1 = odd(w1).fma(odd, o1);
                IntVector w2 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 128, ORDER);
                e2 = even(w2).fma(even, e2);
                o2 = odd(w2).fma(odd, o2);
                IntVector w3 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 192, ORDER);
                e3 = even(w3).fma(even, e3);
                o3 = odd(w3).fma(odd, o3);
            }
            s0 = s0.add(e0.add(o0));
            s1 = s1.add(e1.add(o1));
            s2 = s2.add(e2.add(o2));
            s3 = s3.add(e3.add(o3));
        }
        store(s0, out, accumulate);
        store(s1, out + 64, accumulate);
        store(s2, out + 128, accumulate);
        store(s3, out + 192, accumulate);
    }

    private static void chunks(int chunk, long weights, float[] x, int pairs, long out, boolean accumulate) {
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
            for (int p = from; p < to; p++) {
                long at = weights + (long) p * ROWS * Integer.BYTES;
                FloatVector even = FloatVector.broadcast(FLOATS, x[2 * p]);
                FloatVector odd = FloatVector.broadcast(FLOATS, x[2 * p + 1]);
                IntVector w0 = IntVector.fromMemorySegment(WORDS, MEMORY, at, ORDER);
                c0 = even(w0).fma(even, odd(w0).fma(odd, c0));
                IntVector w1 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 64, ORDER);
                c1 = even(w1).fma(even, odd(w1).fma(odd, c1));
                IntVector w2 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 128, ORDER);
                c2 = even(w2).fma(even, odd(w2).fma(odd, c2));
                IntVector w3 = IntVector.fromMemorySegment(WORDS, MEMORY, at + 192, ORDER);
                c3 = even(w3).fma(even, odd(w3).fma(odd, c3));
            }
            s0 = s0.add(c0);
            s1 = s1.add(c1);
            s2 = s2.add(c2);
            s3 = s3.add(c3);
        }
        store(s0, out, accumulate);
        store(s1, out + 64, accumulate);
        store(s2, out + 128, accumulate);
        store(s3, out + 192, accumulate);
    }

    private static FloatVector even(IntVector pairs) {
        return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private static FloatVector odd(IntVector pairs) {
        return pairs.and(UPPER).reinterpretAsFloats();
    }

    private static void store(FloatVector sums, long out, boolean accumulate) {
        FloatVector result = accumulate ? sums.add(FloatVector.fromMemorySegment(FLOATS, MEMORY, out, ORDER)) : sums;
        result.intoMemorySegment(MEMORY, out, ORDER);
    }
}
