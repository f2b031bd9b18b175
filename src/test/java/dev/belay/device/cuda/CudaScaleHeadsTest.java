package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The scale_heads kernels, every token with a set of its own. What each shape (H, HD) hits:
 *
 * <pre>
 *   (1, 1), (3, 31), (5, 33)   one number an access; one warp with idle lanes, and several
 *   (40, 129)                  one number an access, more than 4 a thread: the rest is read twice
 *   (7, 20)                    a multiple of 4 and not of 8: 16-byte accesses in float32, single numbers in bf16
 *   (14, 64), (32, 128)        16-byte accesses, all kept in registers
 *   (96, 256)                  beyond 1024 threads of 16 numbers: in float32 the rest is read twice
 * </pre>
 *
 * With an odd start, all take the accesses of one number.
 */
@Tag("kernel")
class CudaScaleHeadsTest {
    private static final int NONE = -1;
    /** Sets: plain factors, plain zeros, kept norm, kept norm with one head alone left, kept norm with all heads gone. */
    private static final int SETS = 5;

    private static final int[] RENORMALIZE = {0, 0, 1, 1, 1};

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
        "40, 129, 0",
        "7, 20, 0",
        "4, 32, 0",
        "14, 64, 0",
        "32, 128, 0",
        "96, 256, 0",
        "32, 128, 1",
        "7, 20, 1"
    })
    void scalesEachTokenByItsOwnSet(int heads, int headSize, int skip) {
        int tokens = 2 * (SETS + 1) + 1;
        int width = heads * headSize;
        int[] setOfToken = new int[tokens];
        for (int t = 0; t < tokens; t++) {
            setOfToken[t] = t % (SETS + 1) - 1;
        }
        float[] factors = factors(heads);
        for (Kind kind : Kind.values()) {
            float[] z = input(tokens, width, kind);
            float[] actual = run(z, setOfToken, factors, RENORMALIZE, heads, headSize, skip, kind);
            String what = heads + " heads of " + headSize + " in " + kind + ", start " + skip;
            Expected expected = reference(z, setOfToken, factors, heads, headSize);
            Closeness.assertClose(expected, actual, 0, tolerance(heads, headSize, kind), width, what);
            for (int i = 0; i < z.length; i++) {
                int set = setOfToken[i / width];
                float gamma = set == NONE ? 1 : factors[set * heads + i % width / headSize];
                if (gamma == 0) {
                    assertEquals(0, Float.floatToRawIntBits(actual[i]), what + ": an ablated head is +0");
                } else if (set == NONE || RENORMALIZE[set] == 0) {
                    float product = kind == Kind.F32 ? z[i] * gamma : OpData.rounded(new float[] {z[i] * gamma})[0];
                    assertEquals(product, actual[i], what + ": one rounding at number " + i);
                }
            }
        }
    }

    /** A factor of zero is +0 for infinities and NaN too; a head with factor 1 keeps them. */
    @ParameterizedTest
    @EnumSource
    void ablationIsExactlyZero(Kind kind) {
        float[] z = {Float.POSITIVE_INFINITY, Float.NaN, -1, 3e38f, Float.NaN, -2, Float.NEGATIVE_INFINITY, -0f};
        float[] actual = run(z, new int[] {0}, new float[] {0, 1}, new int[] {0}, 2, 4, 0, kind);
        for (int i = 0; i < z.length; i++) {
            float same = kind == Kind.F32 ? z[i] : OpData.rounded(z)[i];
            assertEquals(
                    i < 4 ? 0 : Float.floatToIntBits(same), Float.floatToIntBits(actual[i]), kind + " number " + i);
        }
    }

    private static float[] input(int tokens, int width, Kind kind) {
        float[] z = OpData.outliers(1, tokens, width);
        return kind == Kind.BF16 ? OpData.rounded(z) : z;
    }

    private static float[] factors(int heads) {
        float[] factors = new float[SETS * heads];
        for (int h = 0; h < heads; h++) {
            factors[h] = h % 2 == 0 ? 0.3f : 1;
            factors[heads + h] = h % 3 == 0 ? 0 : 1;
            factors[2 * heads + h] = h % 2 == 0 ? 0.5f : -1.7f;
            factors[3 * heads + h] = h == heads - 1 ? 0.25f : 0;
        }
        return factors;
    }

    private static float[] run(
            float[] z,
            int[] setOfToken,
            float[] factors,
            int[] renormalize,
            int heads,
            int headSize,
            int skip,
            Kind kind) {
        KernelSignature signature = kind == Kind.F32 ? KernelCatalog.SCALE_HEADS_F32 : KernelCatalog.SCALE_HEADS_BF16;
        try (TestArray array = kernels.array("z", kind, z, skip);
                CudaMemory sets = kernels.ints("setOfToken", setOfToken);
                TestArray gammas = kernels.floats("factors", factors);
                CudaMemory keep = kernels.ints("renormalize", renormalize)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(array.address())
                    .pointer(sets)
                    .pointer(gammas.address())
                    .pointer(keep);
            kernel.i32(heads).i32(headSize);
            kernels.run(kernel, KernelCatalog.scaleHeadsShape(setOfToken.length, heads, headSize));
            return array.values();
        }
    }

    private static Expected reference(float[] z, int[] setOfToken, float[] factors, int heads, int headSize) {
        int width = heads * headSize;
        double[] values = new double[z.length];
        for (int t = 0; t < setOfToken.length; t++) {
            int set = setOfToken[t];
            double before = 0;
            double after = 0;
            for (int i = 0; i < width; i++) {
                double gamma = set == NONE ? 1 : factors[set * heads + i / headSize];
                double v = z[t * width + i];
                values[t * width + i] = gamma * v;
                before += v * v;
                after += gamma * v * (gamma * v);
            }
            if (set != NONE && RENORMALIZE[set] == 1 && after > 0) {
                double common = Math.sqrt(before / after);
                for (int i = t * width; i < (t + 1) * width; i++) {
                    values[i] *= common;
                }
            }
        }
        return Expected.of(values);
    }

    /**
     * Each norm rounds once for each number of a thread, once for the square of the factor and once for each of the 10 steps over
     * lanes and warps, all terms positive; the root of their quotient halves the sum of both errors. Quotient, root and two products
     * add 4. bf16 rounds by 2⁻⁸ besides.
     */
    private static double tolerance(int heads, int headSize, Kind kind) {
        int threads = KernelCatalog.scaleHeadsShape(1, heads, headSize).threads();
        double units = Math.ceilDiv(heads * headSize, threads) + 2 + 10 + 4;
        return units * UNIT + (kind == Kind.BF16 ? TestArray.BF16_UNIT : 0);
    }
}
