package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The rmsnorm kernels. What each width hits:
 *
 * <pre>
 *   1, 31, 33, 63     one number an access; one warp; fewer numbers than threads, and more
 *   513, 4098         one number an access, more than 4 a thread: the rest is read twice
 *   4, 32             16-byte accesses, one warp with idle lanes
 *   128, 2048, 4096   16-byte accesses, all kept in registers; 1, 4 and 8 warps
 *   3072, 896         widths of Phi-3 and Qwen2 0.5B: a last warp that is partly idle
 *   18432             beyond 1024 threads of 16 numbers: the rest is read twice
 * </pre>
 *
 * With an odd start, widths that are multiples of 4 take the accesses of one number too.
 */
@Tag("kernel")
class CudaRmsNormTest {
    private static final float EPS = 1e-5f;
    private static final int[] TOKENS = {1, 3, 33};

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
        "1, 0",
        "31, 0",
        "32, 0",
        "33, 0",
        "63, 0",
        "513, 0",
        "4098, 0",
        "4, 0",
        "128, 0",
        "896, 0",
        "2048, 0",
        "3072, 0",
        "4096, 0",
        "18432, 0",
        "128, 1",
        "4096, 3"
    })
    void normalizesRows(int width, int skip) {
        for (int tokens : TOKENS) {
            float[] x = OpData.outliers(1, tokens, width);
            float[] weight = OpData.normal(2, width);
            Expected expected = reference(x, weight, tokens, width);
            for (Kind out : Kind.values()) {
                float[] actual = run(x, weight, tokens, width, skip, out, KernelCatalog.rmsNormShape(tokens, width));
                String what = tokens + " rows of " + width + " to " + out + ", start " + skip;
                Closeness.assertClose(expected, actual, 0, tolerance(width, out), width, what);
            }
        }
    }

    /** Any number of whole warps gives the same, up to rounding: the geometry is the host's choice. */
    @ParameterizedTest
    @CsvSource({"4096, 32", "4096, 1024", "100, 256", "33, 1024"})
    void takesAnyBlock(int width, int threads) {
        float[] x = OpData.outliers(3, 2, width);
        float[] weight = OpData.normal(4, width);
        float[] actual = run(x, weight, 2, width, 0, Kind.F32, new LaunchShape(2, 1, threads));
        double relative = (width / (double) threads + 30) * UNIT;
        Closeness.assertClose(reference(x, weight, 2, width), actual, 0, relative, width, threads + " threads");
    }

    @Test
    void worksInPlace() {
        int tokens = 5;
        int width = 576;
        float[] x = OpData.outliers(5, tokens, width);
        float[] weight = OpData.normal(6, width);
        try (TestArray in = kernels.floats("x", x);
                TestArray w = kernels.floats("weight", weight)) {
            launch(KernelCatalog.RMSNORM_F32, in, w, width, in, KernelCatalog.rmsNormShape(tokens, width));
            Expected expected = reference(x, weight, tokens, width);
            Closeness.assertClose(expected, in.values(), 0, tolerance(width, Kind.F32), width, "in place");
        }
    }

    private static float[] run(
            float[] x, float[] weight, int tokens, int width, int skip, Kind out, LaunchShape shape) {
        KernelSignature signature = out == Kind.F32 ? KernelCatalog.RMSNORM_F32 : KernelCatalog.RMSNORM_F32_BF16;
        try (TestArray in = kernels.floats("x", x, skip);
                TestArray w = kernels.floats("weight", weight);
                TestArray result = kernels.output(out, tokens * width, 0)) {
            launch(signature, in, w, width, result, shape);
            return result.values();
        }
    }

    private static void launch(
            KernelSignature signature, TestArray x, TestArray weight, int width, TestArray out, LaunchShape shape) {
        CudaKernel kernel = kernels.kernel(signature);
        kernel.pointer(x.address())
                .pointer(weight.address())
                .f32(EPS)
                .i32(width)
                .pointer(out.address());
        kernels.run(kernel, shape);
    }

    private static Expected reference(float[] x, float[] weight, int tokens, int width) {
        double[] values = new double[x.length];
        for (int t = 0; t < tokens; t++) {
            double squares = 0;
            for (int i = 0; i < width; i++) {
                squares += (double) x[t * width + i] * x[t * width + i];
            }
            for (int i = 0; i < width; i++) {
                values[t * width + i] = x[t * width + i] / Math.sqrt(squares / width + EPS) * weight[i];
            }
        }
        return Expected.of(values);
    }

    /**
     * The sum of squares rounds once for each number of a thread and once for each of the 10 steps over lanes and warps, all terms
     * positive; the root halves that. Mean, sum with eps, root, quotient and two products add 6. bf16 rounds by 2⁻⁸ besides.
     */
    private static double tolerance(int width, Kind out) {
        int threads = KernelCatalog.rmsNormShape(1, width).threads();
        double units = (Math.ceilDiv(width, threads) + 10) / 2.0 + 6;
        return units * UNIT + (out == Kind.BF16 ? TestArray.BF16_UNIT : 0);
    }
}
