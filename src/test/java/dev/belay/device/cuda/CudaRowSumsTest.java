package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.cpu.OpData;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The add_bias kernel, one sum, and the scatter kernel, one fma, to the bit. What each (T, D, numbers skipped at the start) hits:
 *
 * <pre>
 *   (1, 1, 0), (3, 31, 0), (2, 33, 0)   one number an access
 *   (2, 513, 0)                         one number an access, three blocks a row by vectors, of which a thread has more
 *   (5, 4, 0), (3, 128, 0)              16-byte accesses, most threads idle
 *   (2, 896, 0), (3, 4096, 0)           one block a row, and four
 *   (2, 896, 1)                         a width of 16-byte accesses at an address that has none
 * </pre>
 */
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

    /** Row i of n goes to row 2(n - 1 - i) of 2n; the rows between stay. */
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
    void addsRowsToThoseThatAreNamed(int count, int width, int skip) {
        float[] in = OpData.outliers(3, count, width);
        float[] before = OpData.outliers(4, 2 * count, width);
        float[] weights = OpData.normal(5, count);
        int[] rows = new int[count];
        float[] expected = before.clone();
        for (int r = 0; r < count; r++) {
            rows[r] = 2 * (count - 1 - r);
            for (int i = 0; i < width; i++) {
                int place = rows[r] * width + i;
                expected[place] = Math.fma(in[r * width + i], weights[r], before[place]);
            }
        }
        try (TestArray given = kernels.floats("in", in, skip);
                CudaMemory places = kernels.ints("rows", rows);
                TestArray factors = kernels.floats("weights", weights);
                TestArray out = kernels.floats("out", before, skip)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.SCATTER_F32);
            kernel.pointer(given.address())
                    .pointer(places.address())
                    .pointer(factors.address())
                    .i32(width)
                    .pointer(out.address());
            kernels.run(kernel, KernelCatalog.addBiasShape(count, width));
            float[] actual = out.values();
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], actual[i], "number " + i);
            }
        }
    }
}
