package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

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
 * The probe kernel. What each width hits:
 *
 * <pre>
 *   1, 31, 33, 63     one number an access; one warp; fewer numbers than threads, and more
 *   513, 4098         one number an access, more than 4 a thread: the rest is read and normed again
 *   4, 32             16-byte accesses, one warp with idle lanes
 *   128, 896, 4096    16-byte accesses, all kept in registers; 1, 2 and 8 warps
 *   18432             beyond 1024 threads of 16 numbers: the rest is read and normed again
 * </pre>
 *
 * With an odd start, widths that are multiples of 4 take the accesses of one number too. Of 1, 4 and 11 vectors there are one batch
 * that is not full, one that is, and both, with the shared sums written a second time; few warps add up several vectors each.
 */
@Tag("kernel")
class CudaProbeTest {
    private static final float EPS = 1e-5f;
    private static final int[] COUNTS = {1, 4, 11};

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
        "1, 0, 33",
        "31, 0, 33",
        "33, 0, 3",
        "63, 0, 1",
        "513, 0, 3",
        "4098, 0, 2",
        "4, 0, 33",
        "32, 0, 3",
        "128, 0, 33",
        "896, 0, 3",
        "4096, 0, 3",
        "18432, 0, 2",
        "128, 1, 3",
        "4096, 3, 1"
    })
    void multipliesRowsByVectors(int width, int skip, int tokens) {
        float[] x = OpData.outliers(1, tokens, width);
        float[] norm = OpData.normal(2, width);
        for (int count : COUNTS) {
            float[] vectors = OpData.normal(3, count * width);
            String what = tokens + " rows of " + width + " by " + count + " vectors, start " + skip;

            float[] plain = run(x, null, vectors, tokens, width, count, skip);
            Closeness.assertClose(sums(x, vectors, tokens, width, count), plain, 0, UNIT, count, what);

            float[] normed = run(x, norm, vectors, tokens, width, count, skip);
            Expected exact = normedSums(x, norm, vectors, tokens, width, count);
            Closeness.assertClose(exact, normed, 0, normTolerance(width), count, what + ", normed");
        }
    }

    /** The norm has the very bits of rmsnorm, so that nothing but the last rounding parts the result from sums over its output. */
    @ParameterizedTest
    @CsvSource({"33, 3", "4098, 2", "896, 3", "4096, 3", "18432, 2"})
    void normsAsRmsNormDoes(int width, int tokens) {
        int count = 5;
        float[] x = OpData.outliers(4, tokens, width);
        float[] norm = OpData.normal(5, width);
        float[] vectors = OpData.normal(6, count * width);
        float[] rows;
        try (TestArray in = kernels.floats("x", x);
                TestArray weight = kernels.floats("weight", norm);
                TestArray out = kernels.output(Kind.F32, x.length, 0)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.RMSNORM_F32);
            kernel.pointer(in.address())
                    .pointer(weight.address())
                    .f32(EPS)
                    .i32(width)
                    .pointer(out.address());
            kernels.run(kernel, KernelCatalog.rmsNormShape(tokens, width));
            rows = out.values();
        }
        float[] actual = run(x, norm, vectors, tokens, width, count, 0);
        Closeness.assertClose(sums(rows, vectors, tokens, width, count), actual, 0, UNIT, count, "rows of " + width);
    }

    /** Neither the other tokens nor the other vectors change a bit. */
    @Test
    void aRowAloneGivesTheSame() {
        int width = 896;
        int count = 7;
        float[] x = OpData.outliers(7, 3, width);
        float[] norm = OpData.normal(8, width);
        float[] vectors = OpData.normal(9, count * width);
        float[] all = run(x, norm, vectors, 3, width, count, 0);
        for (int t = 0; t < 3; t++) {
            float[] row = Arrays.copyOfRange(x, t * width, (t + 1) * width);
            for (int n = 0; n < count; n++) {
                float[] vector = Arrays.copyOfRange(vectors, n * width, (n + 1) * width);
                float[] alone = run(row, norm, vector, 1, width, 1, 0);
                assertArrayEquals(new float[] {all[t * count + n]}, alone, "token " + t + ", vector " + n);
            }
        }
    }

    private static float[] run(float[] x, float[] norm, float[] vectors, int tokens, int width, int count, int skip) {
        try (TestArray in = kernels.floats("x", x, skip);
                TestArray weight = kernels.floats("norm", norm == null ? new float[0] : norm);
                TestArray directions = kernels.floats("vectors", vectors);
                TestArray out = kernels.output(Kind.F32, tokens * count, 0)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.PROBE_F32);
            kernel.pointer(in.address())
                    .pointer(norm == null ? 0 : weight.address())
                    .f32(EPS);
            kernel.pointer(directions.address()).i32(count).i32(width).pointer(out.address());
            kernels.run(kernel, KernelCatalog.probeShape(tokens, width));
            return out.values();
        }
    }

    /**
     * Products with the vectors, and what their error in units of float32 is relative to: the last rounding to the result, and each
     * of D sums in float64, here and there, to the magnitudes of the terms.
     */
    private static Expected sums(float[] rows, float[] vectors, int tokens, int width, int count) {
        double[] values = new double[tokens * count];
        double[] scale = new double[values.length];
        for (int i = 0; i < values.length; i++) {
            double terms = 0;
            for (int j = 0; j < width; j++) {
                double product = (double) rows[i / count * width + j] * vectors[i % count * width + j];
                values[i] += product;
                terms += Math.abs(product);
            }
            scale[i] = Math.abs(values[i]) + 2 * width * 0x1p-29 * terms;
        }
        return new Expected(values, scale);
    }

    private static Expected normedSums(float[] x, float[] norm, float[] vectors, int tokens, int width, int count) {
        double[] values = new double[tokens * count];
        double[] scale = new double[values.length];
        for (int t = 0; t < tokens; t++) {
            double squares = 0;
            for (int j = 0; j < width; j++) {
                squares += (double) x[t * width + j] * x[t * width + j];
            }
            double factor = 1 / Math.sqrt(squares / width + EPS);
            for (int n = 0; n < count; n++) {
                for (int j = 0; j < width; j++) {
                    double product = x[t * width + j] * factor * norm[j] * vectors[n * width + j];
                    values[t * count + n] += product;
                    scale[t * count + n] += Math.abs(product);
                }
            }
        }
        return new Expected(values, scale);
    }

    /** Those of rmsnorm for each term, see {@link CudaRmsNormTest}, the last rounding, and less than one for the sums in float64. */
    private static double normTolerance(int width) {
        int threads = KernelCatalog.probeShape(1, width).threads();
        return ((Math.ceilDiv(width, threads) + 10) / 2.0 + 8) * UNIT;
    }
}
