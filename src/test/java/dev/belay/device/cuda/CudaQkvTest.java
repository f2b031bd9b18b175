package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The qkv kernels. What each shape (H, KV, HD, R) hits:
 *
 * <pre>
 *   (1, 1, 2, 2), (3, 1, 31, 30), (5, 5, 33, 12)   one number an access; a last number that has no partner, one lane a head
 *   (2, 1, 12, 4), (2, 1, 136, 132)                one number an access for HD or R alone; more numbers than a warp holds
 *   (5, 2, 8, 8), (4, 2, 16, 16)                   16-byte accesses; one lane a head, and two
 *   (32, 8, 128, 128), (16, 16, 64, 64)            several blocks a token, a full turn of each and a part
 *   (8, 4, 96, 96), (10, 2, 80, 80)                lanes of a group without numbers
 *   (4, 4, 96, 32), (8, 2, 128, 96), (8, 1, 128, 0)   a part rotated, or nothing
 *   (4, 1, 256, 256), (2, 1, 512, 128)             a warp a head, and more numbers than it holds
 *   (8, 0, 128, 128), (0, 8, 128, 64)              only queries, and only keys and values
 * </pre>
 *
 * With an odd start or stride, all take the accesses of one number. Positions are neither ascending nor dense, slots are in another
 * order than tokens, and slots that no token has keep what they held.
 */
@Tag("kernel")
class CudaQkvTest {
    private static final int POSITIONS = 97;
    private static final int SLOTS = 61;
    private static final float UNTOUCHED = 77;
    private static final float EPS = 1e-6f;

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

    /** Sizes of a launch; a row of the input is {@code padding} numbers longer than its heads. */
    private record Shape(int heads, int kvHeads, int headSize, int rotarySize, int padding, int skip) {
        int width() {
            return (heads + 2 * kvHeads) * headSize;
        }

        int stride() {
            return width() + padding;
        }
    }

    /** Either of the inputs may be null. */
    private record Inputs(
            float[] in, float[] bias, float[] qNorm, float[] kNorm, float[] table, int[] positions, int[] slots) {
        static Inputs of(Shape s, int tokens, boolean bias, boolean qNorm, boolean kNorm) {
            return new Inputs(
                    OpData.outliers(1, tokens, s.stride()),
                    bias ? OpData.normal(2, s.width()) : null,
                    qNorm ? OpData.normal(3, s.headSize()) : null,
                    kNorm ? OpData.normal(4, s.headSize()) : null,
                    OpData.normal(5, POSITIONS * s.rotarySize()),
                    scatteredPositions(tokens),
                    scatteredSlots(tokens));
        }
    }

    /** What a launch wrote, or should have; arrays of no heads are empty. */
    private record Outputs(float[] q, float[] keys, float[] values) {}

    @ParameterizedTest
    @CsvSource({
        "1, 1, 2, 2, 0, 0",
        "3, 1, 31, 30, 0, 0",
        "5, 5, 33, 12, 0, 0",
        "2, 1, 12, 4, 0, 0",
        "2, 1, 136, 132, 0, 0",
        "5, 2, 8, 8, 0, 0",
        "4, 2, 16, 16, 0, 0",
        "32, 8, 128, 128, 0, 0",
        "16, 16, 64, 64, 0, 0",
        "8, 4, 96, 96, 0, 0",
        "10, 2, 80, 80, 0, 0",
        "4, 4, 96, 32, 0, 0",
        "8, 2, 128, 96, 0, 0",
        "8, 1, 128, 0, 0, 0",
        "4, 1, 256, 256, 0, 0",
        "2, 1, 512, 128, 0, 0",
        "8, 0, 128, 128, 0, 0",
        "0, 8, 128, 64, 0, 0",
        "4, 2, 64, 64, 8, 0",
        "4, 2, 64, 64, 5, 0",
        "4, 2, 96, 32, 0, 3"
    })
    void givesQueriesKeysAndValues(int heads, int kvHeads, int headSize, int rotarySize, int padding, int skip) {
        Shape shape = new Shape(heads, kvHeads, headSize, rotarySize, padding, skip);
        for (int tokens : new int[] {1, 3, 33}) {
            checkBits(shape, Inputs.of(shape, tokens, false, false, false));
            checkBits(shape, Inputs.of(shape, tokens, true, false, false));
        }
        checkNormed(shape, Inputs.of(shape, 3, false, true, true));
        checkNormed(shape, Inputs.of(shape, 33, true, true, true));
        checkNormed(shape, Inputs.of(shape, 3, true, true, false));
        checkNormed(shape, Inputs.of(shape, 3, false, false, true));
    }

    /** The geometry follows from the number of tokens, and must not show in the numbers of a token. */
    @Test
    void manyTokensGiveTheBitsOfFew() {
        Shape shape = new Shape(12, 4, 64, 64, 0, 0);
        Inputs one = Inputs.of(shape, 1, true, true, true);
        int tokens = 130;
        float[] rows = new float[tokens * shape.stride()];
        for (int t = 0; t < tokens; t++) {
            System.arraycopy(one.in(), 0, rows, t * shape.stride(), shape.stride());
        }
        int[] positions = new int[tokens];
        int[] slots = new int[tokens];
        Arrays.fill(positions, one.positions()[0]);
        Arrays.setAll(slots, t -> t);
        Inputs many = new Inputs(rows, one.bias(), one.qNorm(), one.kNorm(), one.table(), positions, slots);
        Outputs first = run(shape, one, SLOTS, Kind.F32);
        Outputs all = run(shape, many, tokens, Kind.F32);
        int queries = 12 * 64;
        int keys = 4 * 64;
        for (int t = 0; t < tokens; t++) {
            int slot = one.slots()[0] * keys;
            for (int i = 0; i < queries; i++) {
                assertEquals(first.q()[i], all.q()[t * queries + i], "query " + i + " of token " + t);
            }
            for (int i = 0; i < keys; i++) {
                assertEquals(first.keys()[slot + i], all.keys()[t * keys + i], "key " + i + " of token " + t);
                assertEquals(first.values()[slot + i], all.values()[t * keys + i], "value " + i + " of token " + t);
            }
        }
    }

    /** Without norms every operation is one rounding of float32 that the test repeats. */
    private static void checkBits(Shape s, Inputs inputs) {
        int tokens = inputs.positions().length;
        Outputs expected = rounded(s, inputs);
        for (Kind kind : Kind.values()) {
            Outputs actual = run(s, inputs, SLOTS, kind);
            String what = tokens + " tokens of " + s + " to " + kind + (inputs.bias() == null ? "" : ", with bias");
            assertArrayEquals(of(kind, expected.q()), actual.q(), "queries of " + what);
            assertArrayEquals(of(kind, expected.keys()), actual.keys(), "keys of " + what);
            assertArrayEquals(of(kind, expected.values()), actual.values(), "values of " + what);
        }
    }

    /** The numbers of a normed head against float64; values, and heads without a weight, still to the bit. */
    private static void checkNormed(Shape s, Inputs inputs) {
        int tokens = inputs.positions().length;
        Outputs bits = rounded(s, inputs);
        for (Kind kind : Kind.values()) {
            Outputs actual = run(s, inputs, SLOTS, kind);
            String what = tokens + " tokens of " + s + " to " + kind;
            if (s.heads() > 0 && inputs.qNorm() != null) {
                double[] exact = new double[actual.q().length];
                double[] scale = new double[exact.length];
                for (int t = 0; t < tokens; t++) {
                    for (int h = 0; h < s.heads(); h++) {
                        int target = (t * s.heads() + h) * s.headSize();
                        normed(s, inputs, t, h, inputs.qNorm(), exact, scale, target);
                    }
                }
                check(s, kind, new Expected(exact, scale), actual.q(), "queries of " + what);
            } else {
                assertArrayEquals(of(kind, bits.q()), actual.q(), "queries of " + what);
            }
            if (s.kvHeads() > 0 && inputs.kNorm() != null) {
                double[] exact = new double[actual.keys().length];
                double[] scale = new double[exact.length];
                Arrays.fill(exact, UNTOUCHED);
                for (int t = 0; t < tokens; t++) {
                    for (int h = 0; h < s.kvHeads(); h++) {
                        int target = (inputs.slots()[t] * s.kvHeads() + h) * s.headSize();
                        normed(s, inputs, t, s.heads() + h, inputs.kNorm(), exact, scale, target);
                    }
                }
                check(s, kind, new Expected(exact, scale), actual.keys(), "keys of " + what);
            } else {
                assertArrayEquals(of(kind, bits.keys()), actual.keys(), "keys of " + what);
            }
            assertArrayEquals(of(kind, bits.values()), actual.values(), "values of " + what);
        }
    }

    /**
     * Per lane at most max(8, 2 ⌈HD / 64⌉) squares and 5 steps over lanes round the sum, whose root halves that; mean, sum with eps,
     * root, quotient and two products add 6, the rotation 2. bf16 rounds by 2⁻⁸ besides.
     */
    private static void check(Shape s, Kind kind, Expected expected, float[] actual, String what) {
        double units = (Math.max(8, 2 * Math.ceilDiv(s.headSize(), 64)) + 5) / 2.0 + 8;
        double relative = units * UNIT + (kind == Kind.BF16 ? TestArray.BF16_UNIT : 0);
        Closeness.assertClose(expected, actual, 0, relative, s.headSize(), what);
    }

    /** Head {@code head} of a token, normed and rotated, in float64, and the magnitudes of its terms. */
    private static void normed(
            Shape s, Inputs inputs, int token, int head, float[] weight, double[] exact, double[] scale, int target) {
        double[] y = new double[s.headSize()];
        double squares = 0;
        for (int i = 0; i < y.length; i++) {
            y[i] = withBias(s, inputs, token, head * s.headSize() + i);
            squares += y[i] * y[i];
        }
        double factor = 1 / Math.sqrt(squares / y.length + EPS);
        int half = s.rotarySize() / 2;
        for (int i = 0; i < y.length; i++) {
            double direct = y[i] * factor * weight[i];
            double crossed = 0;
            if (i < s.rotarySize()) {
                int partner = i < half ? i + half : i - half;
                int angle = inputs.positions()[token] * s.rotarySize() + i % half;
                direct *= inputs.table()[angle];
                crossed = y[partner] * factor * weight[partner] * inputs.table()[angle + half];
            }
            exact[target + i] = i < half ? direct - crossed : direct + crossed;
            scale[target + i] = Math.abs(direct) + Math.abs(crossed);
        }
    }

    /** All heads without norms as float32 rounds them operation by operation. */
    private static Outputs rounded(Shape s, Inputs inputs) {
        int tokens = inputs.positions().length;
        int size = s.headSize();
        float[] q = new float[tokens * s.heads() * size];
        float[] keys = untouched(SLOTS * s.kvHeads() * size);
        float[] values = untouched(keys.length);
        for (int t = 0; t < tokens; t++) {
            for (int h = 0; h < s.heads() + 2 * s.kvHeads(); h++) {
                int key = h - s.heads();
                int slot = inputs.slots()[t] * s.kvHeads();
                if (h < s.heads()) {
                    rotated(s, inputs, t, h, q, (t * s.heads() + h) * size);
                } else if (key < s.kvHeads()) {
                    rotated(s, inputs, t, h, keys, (slot + key) * size);
                } else {
                    for (int i = 0; i < size; i++) {
                        values[(slot + key - s.kvHeads()) * size + i] = withBias(s, inputs, t, h * size + i);
                    }
                }
            }
        }
        return new Outputs(q, keys, values);
    }

    private static void rotated(Shape s, Inputs inputs, int token, int head, float[] out, int target) {
        int half = s.rotarySize() / 2;
        for (int i = 0; i < s.headSize(); i++) {
            float y = withBias(s, inputs, token, head * s.headSize() + i);
            if (i >= s.rotarySize()) {
                out[target + i] = y;
                continue;
            }
            float other = withBias(s, inputs, token, head * s.headSize() + (i < half ? i + half : i - half));
            int angle = inputs.positions()[token] * s.rotarySize() + i % half;
            float direct = y * inputs.table()[angle];
            float crossed = other * inputs.table()[angle + half];
            out[target + i] = i < half ? direct - crossed : direct + crossed;
        }
    }

    private static float withBias(Shape s, Inputs inputs, int token, int column) {
        float x = inputs.in()[token * s.stride() + column];
        return inputs.bias() == null ? x : x + inputs.bias()[column];
    }

    private static Outputs run(Shape s, Inputs inputs, int slots, Kind kind) {
        int tokens = inputs.positions().length;
        int keyWidth = s.kvHeads() * s.headSize();
        KernelSignature signature = kind == Kind.F32 ? KernelCatalog.QKV_F32 : KernelCatalog.QKV_F32_BF16;
        try (TestArray in = kernels.floats("in", inputs.in(), s.skip());
                TestArray bias = kernels.floats("bias", orNothing(inputs.bias()));
                TestArray qNorm = kernels.floats("qNorm", orNothing(inputs.qNorm()));
                TestArray kNorm = kernels.floats("kNorm", orNothing(inputs.kNorm()));
                TestArray table = kernels.floats("table", inputs.table());
                CudaMemory positions = kernels.ints("positions", inputs.positions());
                CudaMemory places = kernels.ints("slots", inputs.slots());
                TestArray q = kernels.output(kind, tokens * s.heads() * s.headSize(), 0);
                TestArray keys = kernels.array("keys", kind, untouched(slots * keyWidth), 0);
                TestArray values = kernels.array("values", kind, untouched(slots * keyWidth), 0)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(in.address()).i32(s.stride());
            kernel.pointer(inputs.bias() == null ? 0 : bias.address());
            kernel.pointer(inputs.qNorm() == null ? 0 : qNorm.address());
            kernel.pointer(inputs.kNorm() == null ? 0 : kNorm.address());
            kernel.f32(EPS).pointer(table.address()).pointer(positions);
            kernel.pointer(s.kvHeads() == 0 ? 0 : places.address());
            kernel.i32(s.heads()).i32(s.kvHeads()).i32(s.headSize()).i32(s.rotarySize());
            kernel.pointer(s.heads() == 0 ? 0 : q.address());
            kernel.pointer(s.kvHeads() == 0 ? 0 : keys.address());
            kernel.pointer(s.kvHeads() == 0 ? 0 : values.address());
            kernels.run(kernel, KernelCatalog.qkvShape(tokens, s.heads(), s.kvHeads(), s.headSize()));
            return new Outputs(q.values(), keys.values(), values.values());
        }
    }

    private static float[] orNothing(float[] values) {
        return values == null ? new float[0] : values;
    }

    private static float[] of(Kind kind, float[] values) {
        return kind == Kind.F32 ? values : OpData.rounded(values);
    }

    private static int[] scatteredPositions(int tokens) {
        int[] positions = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            positions[t] = t == 0 ? POSITIONS - 1 : t * 41 % POSITIONS;
        }
        return positions;
    }

    private static int[] scatteredSlots(int tokens) {
        int[] slots = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            slots[t] = SLOTS - 1 - t * 7 % SLOTS;
        }
        return slots;
    }

    private static float[] untouched(int count) {
        float[] values = new float[count];
        Arrays.fill(values, UNTOUCHED);
        return values;
    }
}
