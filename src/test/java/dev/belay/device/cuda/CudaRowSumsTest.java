package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.cpu.OpData;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The add_bias kernel, one sum, and the combine kernel, an fma an expert, to the bit. What each (T, D, numbers skipped at the start) hits:
 *
 * <pre>
 *   (1, 1, 0), (3, 31, 0), (2, 33, 0)   one number an access
 *   (2, 513, 0)                         one number an access, three blocks a row by vectors, of which a thread has more
 *   (5, 4, 0), (3, 128, 0)              16-byte accesses, most threads idle
 *   (2, 896, 0), (3, 4096, 0)           one block a row, and four
 *   (2, 896, 1)                         a width of 16-byte accesses at an address that has none
 * </pre>
 */
@Tag("kernel")
class CudaRowSumsTest {
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
        "2, 33, 0",
        "2, 513, 0",
        "5, 4, 0",
        "3, 128, 0",
        "2, 896, 0",
        "3, 4096, 0",
        "2, 896, 1"
    })
    void addsABiasToEveryRow(int tokens, int width, int skip) {
        float[] x = OpData.outliers(1, tokens, width);
        float[] bias = OpData.normal(2, width);
        try (TestArray sums = kernels.floats("x", x, skip);
                TestArray added = kernels.floats("bias", bias)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.ADD_BIAS_F32);
            kernel.pointer(sums.address()).pointer(added.address()).i32(width);
            kernels.run(kernel, KernelCatalog.addBiasShape(tokens, width));
            float[] actual = sums.values();
            for (int i = 0; i < x.length; i++) {
                assertEquals(x[i] + bias[i % width], actual[i], "number " + i);
            }
        }
    }

    /** Each token has 1 to 9 rows, which lie anywhere. */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 0",
        "3, 31, 2, 0",
        "2, 33, 8, 0",
        "2, 513, 3, 0",
        "5, 4, 4, 0",
        "3, 128, 5, 0",
        "2, 896, 9, 0",
        "3, 4096, 2, 0",
        "2, 896, 3, 1"
    })
    void addsTheRowsOfATokenInTheirOrder(int tokens, int width, int top, int skip) {
        int pairs = tokens * top;
        float[] in = OpData.outliers(3, pairs, width);
        float[] before = OpData.outliers(4, tokens, width);
        float[] shares = OpData.normal(5, pairs);
        int[] places = new int[pairs];
        float[] expected = before.clone();
        for (int p = 0; p < pairs; p++) {
            places[p] = pairs - 1 - p;
            for (int i = 0; i < width; i++) {
                int target = p / top * width + i;
                expected[target] = Math.fma(in[places[p] * width + i], shares[p], expected[target]);
            }
        }
        try (TestArray given = kernels.floats("in", in, skip);
                CudaMemory rows = kernels.ints("places", places);
                TestArray factors = kernels.floats("shares", shares);
                TestArray x = kernels.floats("x", before, skip)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.COMBINE_F32);
            kernel.pointer(given.address())
                    .pointer(rows.address())
                    .pointer(factors.address())
                    .i32(top)
                    .i32(width)
                    .pointer(x.address());
            kernels.run(kernel, KernelCatalog.addBiasShape(tokens, width));
            float[] actual = x.values();
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], actual[i], "number " + i);
            }
        }
    }
}
