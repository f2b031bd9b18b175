package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.cpu.OpData;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The ablation_start kernel: the difference rounded to float32 and one fma, to the bit. What each (G, T, D) hits:
 *
 * <pre>
 *   (1, 1, 1), (2, 3, 31), (3, 2, 33)   one number an access
 *   (2, 2, 513)                         one number an access, three blocks a row by vectors, of which a thread has more
 *   (4, 5, 4), (32, 3, 128)             16-byte accesses, most threads idle
 *   (5, 2, 896), (3, 3, 4096)           one block a row, and four
 *   (700, 100, 4)                       more rows than a grid has blocks along y
 *   (8, 2, 64), (9, 2, 64)              groups that fill a block's eight, and one more
 * </pre>
 *
 * With an odd start, widths that are multiples of 4 take the accesses of one number too.
 */
@Tag("kernel")
class CudaAblationStartTest {
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
        "1, 1, 1, 0",
        "2, 3, 31, 0",
        "3, 2, 33, 0",
        "2, 2, 513, 0",
        "4, 5, 4, 0",
        "32, 3, 128, 0",
        "5, 2, 896, 0",
        "3, 3, 4096, 0",
        "700, 100, 4, 0",
        "8, 2, 64, 0",
        "9, 2, 64, 0",
        "5, 2, 896, 1"
    })
    void startsEveryGroup(int groups, int tokens, int width, int skip) {
        float[] norms = OpData.normal(4, groups * tokens);
        check(groups, tokens, width, skip, norms);
        check(groups, tokens, width, skip, null);
    }

    /** Where the groups take the whole attention away, x is left to the bit. */
    @Test
    void takingAllAwayLeavesTheInput() {
        int tokens = 3;
        int width = 96;
        float[] x = OpData.outliers(5, tokens, width);
        float[] attention = OpData.normal(6, tokens * width);
        float[] actual = run(x, attention, null, attention.clone(), 1, tokens, width, 0);
        for (int i = 0; i < x.length; i++) {
            assertEquals(x[i], actual[i], "number " + i);
        }
    }

    private static void check(int groups, int tokens, int width, int skip, float[] norms) {
        float[] x = OpData.outliers(1, tokens, width);
        float[] attention = OpData.normal(2, tokens * width);
        float[] away = OpData.normal(3, groups * tokens * width);
        float[] actual = run(x, attention, norms, away, groups, tokens, width, skip);
        for (int r = 0; r < groups * tokens; r++) {
            float s = norms == null ? 1 : norms[r % tokens * groups + r / tokens];
            for (int i = 0; i < width; i++) {
                int place = r * width + i;
                int token = r % tokens * width + i;
                float expected = Math.fma(s, attention[token] - away[place], x[token]);
                assertEquals(
                        expected,
                        actual[place],
                        "group " + r / tokens + ", token " + r % tokens + ", number " + i + " of " + width
                                + (norms == null ? " without norms" : ""));
            }
        }
    }

    private static float[] run(
            float[] x, float[] attention, float[] norms, float[] away, int groups, int tokens, int width, int skip) {
        try (TestArray before = kernels.floats("x", x, skip);
                TestArray whole = kernels.floats("attention", attention);
                TestArray factors = kernels.floats("norms", norms == null ? new float[0] : norms);
                TestArray out = kernels.floats("out", away, skip)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.ABLATION_START_F32);
            kernel.pointer(before.address()).pointer(whole.address()).pointer(norms == null ? 0 : factors.address());
            kernel.i32(groups).i32(tokens).i32(width).pointer(out.address());
            kernels.run(kernel, KernelCatalog.ablationStartShape(groups, tokens, width));
            return out.values();
        }
    }
}
