package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.TokenLayout;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;

/** An {@link AttentionCase} in device memory, and its way through the kernels. */
final class AttentionRun implements AutoCloseable {
    /** Sets of head factors in {@link #factors}. */
    static final int SETS = 5;

    /** Which of {@link #factors} keep the norm: all but the last. */
    private static final int[] RENORMALIZE = {1, 1, 1, 1, 0};

    /** What a launch is given of {@link #sets}, {@link #factors} and {@link #RENORMALIZE}. */
    enum Scaling {
        NONE,
        FACTORS,
        NORMS
    }

    private final TestKernels kernels;
    private final AttentionCase text;
    private final Kind kind;
    private final int skip;
    private final TestArray q;
    private final TestArray prefixKeys;
    private final TestArray prefixValues;
    private final TestArray ownKeys;
    private final TestArray ownValues;
    private final CudaMemory positions;
    private final CudaMemory prefixStart;
    private final CudaMemory prefixLength;
    private final CudaMemory ownStart;

    /**
     * Copies a batch to the device.
     *
     * @param skip numbers between a multiple of 256 bytes and the start of each array
     */
    AttentionRun(TestKernels kernels, AttentionCase text, Kind kind, int skip) {
        this.kernels = kernels;
        this.text = text;
        this.kind = kind;
        this.skip = skip;
        TokenLayout layout = text.layout;
        q = kernels.array("q", kind, text.q, skip);
        prefixKeys = kernels.array("prefix keys", kind, text.prefix[0], skip);
        prefixValues = kernels.array("prefix values", kind, text.prefix[1], skip);
        ownKeys = kernels.array("own keys", kind, text.own[0], skip);
        ownValues = kernels.array("own values", kind, text.own[1], skip);
        int[] places = new int[layout.tokens()];
        Arrays.setAll(places, layout::position);
        positions = kernels.ints("positions", places);
        int[] numbers = new int[layout.rows()];
        Arrays.setAll(numbers, layout::prefixStart);
        prefixStart = kernels.ints("prefixStart", numbers);
        Arrays.setAll(numbers, layout::prefixLength);
        prefixLength = kernels.ints("prefixLength", numbers);
        Arrays.setAll(numbers, layout::ownStart);
        ownStart = kernels.ints("ownStart", numbers);
    }

    /** z[T, H · HD], before factors and after, of the inputs' type; before factors NaN where it was not asked for. */
    record Result(float[] unscaled, float[] z) {}

    /** The set of each token: none, 0, 1, 2, none, ... */
    static int[] sets(int tokens) {
        int[] sets = new int[tokens];
        Arrays.setAll(sets, t -> t % (SETS + 1) - 1);
        return sets;
    }

    /** {@link #SETS} sets of H factors: all 1; some 0; plain ones; all 0; plain ones. */
    static float[] factors(int heads) {
        float[] factors = new float[SETS * heads];
        for (int h = 0; h < heads; h++) {
            factors[h] = 1;
            factors[heads + h] = h % 2 == 0 ? 0 : 1;
            factors[2 * heads + h] = h % 2 == 0 ? 0.3f : -1.7f;
            factors[4 * heads + h] = h % 2 == 0 ? -0.4f : 1;
        }
        return factors;
    }

    /**
     * With {@link #sets} and {@link #factors}, a factor of 0 gives exactly +0, one of 1 and no set the same bits, others one product: in
     * float32 to the bit, in bfloat16 from a number that was not rounded, so that the roundings of both may lie between.
     */
    static void assertScaled(AttentionCase text, float[] plain, float[] scaled, Kind kind) {
        double relative = kind == Kind.BF16 ? 2 * TestArray.BF16_UNIT * (1 + TestArray.BF16_UNIT) : 0;
        int width = text.shape.queryWidth();
        int heads = text.shape.heads();
        int[] sets = sets(text.layout.tokens());
        float[] factors = factors(heads);
        for (int i = 0; i < plain.length; i++) {
            int set = sets[i / width];
            float factor = set < 0 ? 1 : factors[set * heads + i % width / text.shape.headSize()];
            float expected = factor == 0 ? 0 : plain[i] * factor;
            String place = "[" + i / width + ", " + i % width + "] times " + factor;
            if (relative == 0 || factor == 0 || factor == 1) {
                assertEquals(Float.floatToRawIntBits(expected), Float.floatToRawIntBits(scaled[i]), place);
            } else {
                assertEquals(expected, scaled[i], relative * Math.abs(expected), place);
            }
        }
    }

    /**
     * With {@link #RENORMALIZE} too, tokens of sets that ask for it have the norm of `plain`, all others the bits that they have without.
     * A lane of a warp adds up the squares of its share of the numbers with fma, each one rounding, and two more for that of the factor;
     * five steps over the lanes follow. All terms are positive, and the root of the quotient halves the sum of both errors; quotient, root
     * and two products add 4. bf16 rounds by 2⁻⁸ besides.
     *
     * @param plain z without factors
     * @param scaled z with {@link #sets} and {@link #factors} alone
     */
    static void assertNormsKept(AttentionCase text, float[] plain, float[] scaled, float[] actual, Kind kind) {
        int width = text.shape.queryWidth();
        int heads = text.shape.heads();
        int[] sets = sets(text.layout.tokens());
        float[] factors = factors(heads);
        double[] expected = new double[plain.length];
        for (int t = 0; t < sets.length; t++) {
            boolean keeps = sets[t] >= 0 && RENORMALIZE[sets[t]] == 1;
            double before = 0;
            double after = 0;
            for (int i = t * width; i < (t + 1) * width; i++) {
                double factor = keeps ? factors[sets[t] * heads + i % width / text.shape.headSize()] : 1;
                expected[i] = keeps ? factor * plain[i] : scaled[i];
                before += (double) plain[i] * plain[i];
                after += expected[i] * expected[i];
                if (!keeps || factor == 0 || sets[t] == 0) {
                    float exact = factor == 0 ? 0 : keeps ? plain[i] : scaled[i];
                    assertEquals(
                            Float.floatToRawIntBits(exact),
                            Float.floatToRawIntBits(actual[i]),
                            "[" + t + ", " + i % width + "] of set " + sets[t]);
                }
            }
            double common = keeps && after > 0 ? Math.sqrt(before / after) : 1;
            for (int i = t * width; i < (t + 1) * width; i++) {
                expected[i] *= common;
            }
        }
        double units = Math.ceilDiv(width, 32) + 2 + 5 + 4;
        double relative = units * Closeness.UNIT + (kind == Kind.BF16 ? TestArray.BF16_UNIT : 0);
        Closeness.assertClose(Expected.of(expected), actual, 0, relative, width, text.shape + " in " + kind);
    }

    /**
     * A launch over tiles of queries: of {@code attention_any}, or of the kernel for a head size.
     *
     * @param scaling what is given of {@link #sets} and {@link #factors}
     * @param captured whether z is wanted before factors, too
     */
    Result prefill(KernelSignature signature, Scaling scaling, boolean captured) {
        TokenLayout layout = text.layout;
        int[] rowStart = new int[layout.rows() + 1];
        for (int r = 0; r < layout.rows(); r++) {
            rowStart[r + 1] = layout.rowEnd(r);
        }
        int[] tiles = AttentionTiles.of(layout, text.window);
        int heads = text.shape.heads();
        boolean any = signature == KernelCatalog.ATTENTION_ANY_F32 || signature == KernelCatalog.ATTENTION_ANY_BF16;
        try (CudaMemory starts = kernels.ints("rowStart", rowStart);
                CudaMemory blocks = kernels.ints("tiles", tiles);
                CudaMemory sets = kernels.ints("setOfToken", sets(layout.tokens()));
                TestArray factors = kernels.floats("factors", factors(heads));
                CudaMemory keep = kernels.ints("renormalize", RENORMALIZE);
                CudaMemory counts = kernels.ints("counters", new int[tiles.length / 2]);
                TestArray unscaled = kernels.output(kind, text.q.length, skip);
                TestArray z = kernels.output(kind, text.q.length, skip)) {
            CudaKernel kernel = data(kernels.kernel(signature));
            kernel.pointer(starts).pointer(positions);
            kernel.pointer(prefixStart).pointer(prefixLength).pointer(ownStart);
            kernel.pointer(blocks).i32(heads).i32(text.shape.kvHeads());
            if (any) {
                kernel.i32(text.shape.headSize());
            }
            kernel.i32(text.window).f32(text.shape.scale());
            scales(kernel, scaling, sets, factors, keep).pointer(counts);
            kernel.pointer(captured ? unscaled.address() : 0).pointer(z.address());
            kernels.run(kernel, KernelCatalog.attentionShape(tiles.length / 2, heads));
            int[] zeros = new int[tiles.length / 2];
            assertArrayEquals(zeros, kernels.ints(counts, zeros.length), "counters after the launch");
            return new Result(unscaled.values(), z.values());
        }
    }

    /**
     * Launches of {@code attention_decode}, one after the other with the same counters, all with the same result.
     *
     * @param scaling what is given of {@link #sets} and {@link #factors}
     * @param maxKeys for how many keys the grid is laid out
     * @param launches how many times, asking for z before factors in the last one
     */
    Result decode(Scaling scaling, int maxKeys, int launches) {
        int heads = text.shape.heads();
        int kvHeads = text.shape.kvHeads();
        int headSize = text.shape.headSize();
        int tokens = text.layout.tokens();
        int[] rows = new int[tokens];
        Arrays.setAll(rows, text.layout::row);
        boolean f32 = kind == Kind.F32;
        int counters = KernelCatalog.decodeCounters(tokens, kvHeads);
        long workspaceBytes = KernelCatalog.decodeWorkspaceBytes(tokens, heads, headSize, maxKeys);
        Result result = null;
        try (CudaMemory rowOfToken = kernels.ints("rowOfToken", rows);
                CudaMemory sets = kernels.ints("setOfToken", sets(tokens));
                TestArray factors = kernels.floats("factors", factors(heads));
                CudaMemory keep = kernels.ints("renormalize", RENORMALIZE);
                CudaMemory counts = kernels.ints("counters", new int[counters])) {
            for (int i = 0; i < launches; i++) {
                try (CudaMemory workspace = kernels.context().allocate("workspace", workspaceBytes);
                        TestArray unscaled = kernels.output(kind, text.q.length, skip);
                        TestArray z = kernels.output(kind, text.q.length, skip)) {
                    CudaKernel kernel = data(kernels.kernel(
                            f32 ? KernelCatalog.ATTENTION_DECODE_F32 : KernelCatalog.ATTENTION_DECODE_BF16));
                    kernel.pointer(rowOfToken).pointer(positions);
                    kernel.pointer(prefixStart).pointer(prefixLength).pointer(ownStart);
                    kernel.i32(heads).i32(kvHeads).i32(headSize).i32(text.window);
                    kernel.f32(text.shape.scale());
                    scales(kernel, scaling, sets, factors, keep);
                    kernel.pointer(workspace).pointer(counts);
                    kernel.pointer(i == launches - 1 ? unscaled.address() : 0).pointer(z.address());
                    kernels.run(kernel, KernelCatalog.decodeShape(tokens, kvHeads, maxKeys));
                    Result again = new Result(unscaled.values(), z.values());
                    if (result != null) {
                        assertArrayEquals(result.z(), again.z(), "launch " + i);
                    }
                    result = again;
                }
            }
            assertArrayEquals(new int[counters], kernels.ints(counts, counters), "counters after the launches");
        }
        return result;
    }

    private static CudaKernel scales(
            CudaKernel kernel, Scaling scaling, CudaMemory sets, TestArray factors, CudaMemory keep) {
        boolean scaled = scaling != Scaling.NONE;
        kernel.pointer(scaled ? sets.address() : 0).pointer(scaled ? factors.address() : 0);
        return kernel.pointer(scaling == Scaling.NORMS ? keep.address() : 0);
    }

    private CudaKernel data(CudaKernel kernel) {
        kernel.pointer(q.address()).pointer(prefixKeys.address()).pointer(prefixValues.address());
        return kernel.pointer(ownKeys.address()).pointer(ownValues.address());
    }

    @Override
    public void close() {
        for (TestArray array : new TestArray[] {q, prefixKeys, prefixValues, ownKeys, ownValues}) {
            array.close();
        }
        for (CudaMemory memory : new CudaMemory[] {positions, prefixStart, prefixLength, ownStart}) {
            memory.close();
        }
    }
}
