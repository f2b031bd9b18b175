package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The rope kernels. What each shape (H, HD, R) hits:
 *
 * <pre>
 *   (1, 2, 2), (3, 31, 30), (5, 33, 12)   one number an access: HD is no multiple of 4, or R none of 8
 *   (2, 12, 4)                            one number an access for R alone
 *   (4, 16, 16), (32, 128, 128)           16-byte accesses, all rotated; one block a token, and 4
 *   (4, 96, 32), (8, 128, 0)              16-byte accesses, a part copied, or all
 * </pre>
 *
 * With an odd start or stride, all take the accesses of one number. Positions are neither ascending nor dense, slots are in another
 * order than tokens, and slots that no token has keep what they held.
 */
class CudaRopeTest {
    private static final int POSITIONS = 97;
    private static final int SLOTS = 61;
    private static final float UNTOUCHED = 77;

    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 2, 2, 0, 0", "3, 31, 30, 0, 0", "5, 33, 12, 0, 0", "2, 12, 4, 0, 0", "4, 16, 16, 0, 0",
                "32, 128, 128, 0, 0",
        "4, 96, 32, 0, 0", "8, 128, 0, 0, 0", "4, 16, 16, 0, 1", "32, 128, 128, 8, 0", "4, 96, 32, 5, 0",
                "4, 96, 32, 0, 3"
    })
    void rotatesQueries(int heads, int headSize, int rotarySize, int padding, int skip) {
        int width = heads * headSize;
        int stride = width + padding;
        float[] table = OpData.normal(1, POSITIONS * rotarySize);
        for (int tokens : new int[] {1, 3, 33}) {
            float[] in = OpData.outliers(2, tokens, stride);
            int[] positions = positions(tokens);
            float[] rounded = new float[tokens * width];
            double[] exact = new double[rounded.length];
            double[] scale = new double[rounded.length];
            for (int t = 0; t < tokens; t++) {
                for (int i = 0; i < width; i++) {
                    Rotation r = Rotation.of(in, t * stride + i, i % headSize, rotarySize, table, positions[t]);
                    rounded[t * width + i] = r.rounded();
                    exact[t * width + i] = r.exact();
                    scale[t * width + i] = r.scale();
                }
            }
            for (Kind kind : Kind.values()) {
                float[] actual = queries(in, stride, table, positions, heads, headSize, rotarySize, skip, kind, false);
                check(rounded, new Expected(exact, scale), actual, kind, width, tokens + " rows to " + kind);
            }
            if (padding == 0) {
                float[] actual =
                        queries(in, stride, table, positions, heads, headSize, rotarySize, skip, Kind.F32, true);
                check(rounded, new Expected(exact, scale), actual, Kind.F32, width, tokens + " rows in place");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 2, 2, 0, 0",
        "3, 31, 30, 0, 0",
        "5, 33, 12, 0, 0",
        "2, 12, 4, 0, 0",
        "4, 16, 16, 0, 0",
        "8, 128, 128, 0, 0",
        "4, 96, 32, 0, 0",
        "4, 16, 16, 0, 1",
        "8, 128, 128, 16, 0",
        "4, 96, 32, 3, 0"
    })
    void storesKeysAndValues(int kvHeads, int headSize, int rotarySize, int padding, int skip) {
        int width = kvHeads * headSize;
        int stride = 2 * width + padding;
        float[] table = OpData.normal(3, POSITIONS * rotarySize);
        for (int tokens : new int[] {1, 3, 33}) {
            float[] in = OpData.outliers(4, tokens, stride);
            int[] positions = positions(tokens);
            int[] slots = slots(tokens);
            float[] keys = untouched(width);
            float[] values = untouched(width);
            double[] exact = new double[keys.length];
            double[] scale = new double[keys.length];
            Arrays.fill(exact, UNTOUCHED);
            for (int t = 0; t < tokens; t++) {
                System.arraycopy(in, t * stride + width, values, slots[t] * width, width);
                for (int i = 0; i < width; i++) {
                    Rotation r = Rotation.of(in, t * stride + i, i % headSize, rotarySize, table, positions[t]);
                    keys[slots[t] * width + i] = r.rounded();
                    exact[slots[t] * width + i] = r.exact();
                    scale[slots[t] * width + i] = r.scale();
                }
            }
            for (Kind kind : Kind.values()) {
                KernelSignature signature =
                        kind == Kind.F32 ? KernelCatalog.ROPE_STORE_F32 : KernelCatalog.ROPE_STORE_F32_BF16;
                try (TestArray source = kernels.floats("kv", in, skip);
                        TestArray angles = kernels.floats("table", table);
                        CudaMemory places = kernels.ints("positions", positions);
                        CudaMemory targets = kernels.ints("slots", slots);
                        TestArray keyCache = kernels.array("keys", kind, untouched(width), 0);
                        TestArray valueCache = kernels.array("values", kind, untouched(width), 0)) {
                    CudaKernel kernel = kernels.kernel(signature);
                    kernel.pointer(source.address()).i32(stride).pointer(angles.address());
                    kernel.pointer(places)
                            .pointer(targets)
                            .i32(kvHeads)
                            .i32(headSize)
                            .i32(rotarySize);
                    kernel.pointer(keyCache.address()).pointer(valueCache.address());
                    kernels.run(kernel, KernelCatalog.ropeShape(tokens, 2 * kvHeads, headSize));
                    String what = tokens + " rows to " + kind;
                    check(keys, new Expected(exact, scale), keyCache.values(), kind, width, "keys of " + what);
                    Closeness.assertSame(of(kind, values), valueCache.values(), 0, width, "values of " + what);
                }
            }
        }
    }

    private static float[] queries(
            float[] in,
            int stride,
            float[] table,
            int[] positions,
            int heads,
            int headSize,
            int rotarySize,
            int skip,
            Kind kind,
            boolean inPlace) {
        KernelSignature signature = kind == Kind.F32 ? KernelCatalog.ROPE_F32 : KernelCatalog.ROPE_F32_BF16;
        try (TestArray source = kernels.floats("in", in, skip);
                TestArray angles = kernels.floats("table", table);
                CudaMemory places = kernels.ints("positions", positions);
                TestArray result = kernels.output(kind, positions.length * heads * headSize, 0)) {
            TestArray target = inPlace ? source : result;
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(source.address())
                    .i32(stride)
                    .pointer(angles.address())
                    .pointer(places);
            kernel.i32(heads).i32(headSize).i32(rotarySize).pointer(target.address());
            kernels.run(kernel, KernelCatalog.ropeShape(positions.length, heads, headSize));
            return target.values();
        }
    }

    /**
     * One number of a rotated head: in float64 with the sum of its terms' magnitudes, and as float32 rounds it product by product,
     * which the kernels promise to the bit.
     */
    private record Rotation(double exact, double scale, float rounded) {
        static Rotation of(float[] in, int index, int dimension, int rotarySize, float[] table, int position) {
            int half = rotarySize / 2;
            float x = in[index];
            if (dimension >= rotarySize) {
                return new Rotation(x, 0, x);
            }
            float c = table[position * rotarySize + dimension % half];
            float s = table[position * rotarySize + half + dimension % half];
            boolean first = dimension < half;
            float other = first ? in[index + half] : in[index - half];
            double turned = (double) other * s;
            float direct = x * c;
            float crossed = other * s;
            return new Rotation(
                    (double) x * c + (first ? -turned : turned),
                    Math.abs((double) x * c) + Math.abs(turned),
                    first ? direct - crossed : direct + crossed);
        }
    }

    private static void check(float[] rounded, Expected exact, float[] actual, Kind kind, int width, String what) {
        // Two roundings of each term; bf16 rounds the result once more, relative to itself, which is at most the scale.
        // What is
        // only copied has the scale 0 in the exact form and is compared by the second check alone.
        double relative = 2 * Closeness.UNIT + (kind == Kind.BF16 ? TestArray.BF16_UNIT : 0);
        double copied = kind == Kind.BF16 ? TestArray.BF16_UNIT * largest(rounded) : 0;
        Closeness.assertClose(exact, actual, copied, relative, width, what);
        float[] expected = of(kind, rounded);
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual[i], what + ": the same bits at number " + i);
        }
    }

    private static double largest(float[] values) {
        double largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        return largest;
    }

    private static float[] of(Kind kind, float[] values) {
        return kind == Kind.F32 ? values : OpData.rounded(values);
    }

    private static int[] positions(int tokens) {
        int[] positions = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            positions[t] = t == 0 ? POSITIONS - 1 : t * 41 % POSITIONS;
        }
        return positions;
    }

    private static int[] slots(int tokens) {
        int[] slots = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            slots[t] = (SLOTS - 1 - t * 7 % SLOTS + SLOTS) % SLOTS;
        }
        return slots;
    }

    private static float[] untouched(int width) {
        float[] values = new float[SLOTS * width];
        Arrays.fill(values, UNTOUCHED);
        return values;
    }
}
