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
 * The swiglu kernels. What each width hits:
 *
 * <pre>
 *   1, 31, 33, 4866        one number an access
 *   12, 8, 32              vectors, one block a row with idle threads
 *   14336                  the width of Llama-3.1-8B: 14 blocks a row
 *   1536, 4864             a last block that is partly idle; 4864 is the width of Qwen2 0.5B
 * </pre>
 *
 * With an odd start, all take the accesses of one number; with one block a row, each thread takes several vectors.
 */
@Tag("kernel")
class CudaSwigluTest {
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
        "1, 33, 0",
        "31, 5, 0",
        "33, 3, 0",
        "4866, 1, 0",
        "12, 31, 0",
        "8, 33, 0",
        "32, 32, 0",
        "1536, 3, 0",
        "4864, 2, 0",
        "14336, 2, 0",
        "32, 3, 1",
        "4864, 1, 3"
    })
    void gatesRows(int width, int tokens, int skip) {
        float[] gateUp = gateUp(tokens, width);
        Expected expected = reference(gateUp, tokens, width);
        for (Kind out : Kind.values()) {
            LaunchShape shape = KernelCatalog.swigluShape(tokens, width);
            check(expected, gateUp, width, skip, out, shape);
            check(expected, gateUp, width, skip, out, new LaunchShape(tokens, 1, shape.threads()));
        }
    }

    private static void check(Expected expected, float[] gateUp, int width, int skip, Kind out, LaunchShape shape) {
        try (TestArray source = kernels.floats("gateUp", gateUp, skip);
                TestArray result = kernels.output(out, expected.values().length, 0)) {
            CudaKernel kernel =
                    kernels.kernel(out == Kind.F32 ? KernelCatalog.SWIGLU_F32 : KernelCatalog.SWIGLU_F32_BF16);
            kernel.pointer(source.address()).i32(width).pointer(result.address());
            kernels.run(kernel, shape);
            // exp is good to 1 unit in the last place (2 roundings), its sum with 1, the quotient and the product
            // round;
            // where exp(-g) is beyond float32 the result is -0, short of at most 120·e⁻⁸⁸·|up|. bf16 rounds by 2⁻⁸
            // more.
            double relative = 6 * UNIT + (out == Kind.BF16 ? TestArray.BF16_UNIT : 0);
            String what = "swiglu to " + out + " in " + shape + ", start " + skip;
            Closeness.assertClose(expected, result.values(), 1e-33, relative, width, what);
        }
    }

    /** Outliers, and gates whose exponential is beyond float32 in either direction. */
    private static float[] gateUp(int tokens, int width) {
        float[] values = OpData.outliers(3, tokens, 2 * width);
        values[0] = -120;
        values[2 * width * (tokens - 1) + width - 1] = 95;
        return values;
    }

    private static Expected reference(float[] gateUp, int tokens, int width) {
        double[] values = new double[tokens * width];
        for (int i = 0; i < values.length; i++) {
            int start = i / width * 2 * width + i % width;
            double g = gateUp[start];
            values[i] = g / (1 + Math.exp(-g)) * gateUp[start + width];
        }
        return Expected.of(values);
    }
}
