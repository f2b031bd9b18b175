package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The attribution kernels. What each shape (H, HD) hits:
 *
 * <pre>
 *   (1, 1), (3, 31), (5, 33)          one number an access; one lane a head, two, and four
 *   (3, 4), (5, 16), (9, 32)          vectors; fewer numbers than a lane takes, as many, and two lanes a head
 *   (32, 128), (10, 80), (40, 96)     the numbers of models: several heads a warp, lanes with less to do, groups without a head
 *   (130, 16)                         more heads than a block has threads
 *   (4, 256), (3, 1024)               half a warp a head, and more numbers than a warp takes at 16 a lane
 * </pre>
 *
 * With an odd start, heads of a multiple of 4 take the accesses of one number too.
 */
@Tag("kernel")
class CudaAttributionTest {
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
        "1, 1, 0",
        "3, 31, 0",
        "5, 33, 0",
        "3, 4, 0",
        "5, 16, 0",
        "9, 32, 0",
        "32, 128, 0",
        "10, 80, 0",
        "40, 96, 0",
        "130, 16, 0",
        "4, 256, 0",
        "3, 1024, 0",
        "32, 128, 1",
        "10, 80, 3"
    })
    void multipliesEveryHead(int heads, int headSize, int skip) {
        float[] u = OpData.normal(2, heads * headSize);
        for (int tokens : new int[] {1, 3, 33}) {
            float[] z = OpData.outliers(1, tokens, heads * headSize);
            for (Kind kind : Kind.values()) {
                float[] rounded = kind == Kind.F32 ? z : OpData.rounded(z);
                Expected expected = sums(rounded, u, tokens, heads, headSize);
                float[] actual = run(z, u, tokens, heads, headSize, skip, kind);
                String what = tokens + " tokens, " + heads + " heads of " + headSize + " " + kind;
                Closeness.assertClose(expected, actual, 0, UNIT, heads, what);
            }
        }
    }

    private static float[] run(float[] z, float[] u, int tokens, int heads, int headSize, int skip, Kind kind) {
        KernelSignature signature = kind == Kind.F32 ? KernelCatalog.ATTRIBUTION_F32 : KernelCatalog.ATTRIBUTION_BF16;
        try (TestArray in = kernels.array("z", kind, z, skip);
                TestArray direction = kernels.floats("u", u);
                TestArray out = kernels.output(Kind.F32, tokens * heads, 0)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(in.address()).pointer(direction.address()).i32(heads).i32(headSize);
            kernel.pointer(out.address());
            kernels.run(kernel, KernelCatalog.attributionShape(tokens, heads, headSize));
            return out.values();
        }
    }

    /**
     * What the error in units of float32 is relative to: the last rounding to the result, and each of HD sums in float64, here and
     * there, to the magnitudes of the terms.
     */
    private static Expected sums(float[] z, float[] u, int tokens, int heads, int headSize) {
        double[] values = new double[tokens * heads];
        double[] scale = new double[values.length];
        for (int r = 0; r < values.length; r++) {
            double terms = 0;
            for (int i = 0; i < headSize; i++) {
                double product = (double) z[r * headSize + i] * u[r % heads * headSize + i];
                values[r] += product;
                terms += Math.abs(product);
            }
            scale[r] = Math.abs(values[r]) + 2 * headSize * 0x1p-29 * terms;
        }
        return new Expected(values, scale);
    }
}
