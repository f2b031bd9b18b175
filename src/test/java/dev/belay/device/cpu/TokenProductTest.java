package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.device.DType;
import dev.belay.device.HostMatrix;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Products of one token: sums in each order, and the same bits as in a product of more tokens, whatever the processor's instructions. */
class TokenProductTest {
    @ParameterizedTest
    @EnumSource
    void sumsInTheOrderOfTheInstructions(TokenProduct.Order order) {
        assumeTrue(TokenProduct.available(), "vectors of 512 bits");
        for (int columns : new int[] {32, 512, 544, 1024, 2080}) {
            for (PairLayout layout : PairLayout.ALL) {
                for (int rows : new int[] {layout.rows(), 2 * layout.rows(), 3 * layout.rows()}) {
                    sums(new TokenProduct(order, layout, columns), rows);
                }
            }
        }
    }

    private static void sums(TokenProduct product, int rows) {
        int columns = product.columns();
        float[] w = OpData.rounded(OpData.outliers(1, rows, columns));
        float[] x = OpData.rounded(OpData.outliers(2, 1, columns));
        float[] before = OpData.normal(3, rows);
        float[] sums = new float[rows];
        float[] added = new float[rows];
        for (int r = 0; r < rows; r++) {
            float[] row = Arrays.copyOfRange(w, r * columns, (r + 1) * columns);
            sums[r] = sum(product.order(), row, x);
            added[r] = sums[r] + before[r];
        }
        try (Arena arena = Arena.ofConfined()) {
            HostMatrix matrix = matrix(arena, w, rows, columns);
            MemorySegment packed = arena.allocate(matrix.data().byteSize(), 64);
            product.layout().pack(new Panel.Source(matrix, 0, rows, 0, columns), packed);
            long inputs = matrix(arena, x, 1, columns).data().address();
            float[] room = new float[columns];
            MemorySegment out = arena.allocate((long) rows * Float.BYTES, 64);
            product.multiply(packed.address(), rows, inputs, room, out.address(), false);
            assertArrayEquals(sums, out.toArray(ValueLayout.JAVA_FLOAT), product.toString());
            out.copyFrom(MemorySegment.ofArray(before));
            product.multiply(packed.address(), rows, inputs, room, out.address(), true);
            assertArrayEquals(added, out.toArray(ValueLayout.JAVA_FLOAT), product + ", added");
        }
    }

    private static float sum(TokenProduct.Order order, float[] w, float[] x) {
        int chunk = switch (order) {
            case TILES -> 32;
            case CHUNKS_OF_512 -> 512;
            default -> 1024;
        };
        float total = 0;
        for (int from = 0; from < x.length; from += chunk) {
            float even = 0;
            float odd = 0;
            float both = 0;
            for (int k = from; k < Math.min(x.length, from + chunk); k += 2) {
                even += w[k] * x[k];
                odd += w[k + 1] * x[k + 1];
                both += w[k + 1] * x[k + 1];
                both += w[k] * x[k];
            }
            total += order == TokenProduct.Order.TILES ? even + odd : both;
        }
        return total;
    }

    private static HostMatrix matrix(Arena arena, float[] w, int rows, int columns) {
        MemorySegment data = arena.allocate((long) Short.BYTES * rows * columns, 64);
        for (int i = 0; i < w.length; i++) {
            data.setAtIndex(ValueLayout.JAVA_SHORT, i, TensorValues.floatToBfloat16(w[i]));
        }
        return new HostMatrix("weights", TensorType.BF16, data, rows, columns);
    }

    /** 512 and 1,024 are where oneDNN cuts its sums of one token and of several. */
    @ParameterizedTest
    @ValueSource(ints = {96, 576, 1536, 2080})
    void aTokenHasTheSameBitsInAnyBatch(int columns) {
        int rows = 192;
        int most = 33;
        float[] a = OpData.outliers(5, most, columns);
        try (Arena arena = Arena.ofShared();
                CpuDevice device = CpuDevice.open(DType.BF16, 2, true);
                CpuMatrix weights = device.matrix(
                        "weights", List.of(matrix(arena, OpData.normal(4, rows * columns), rows, columns)));
                CpuBuffer in = device.allocateRounded("inputs", (long) most * columns);
                CpuBuffer out = device.allocate("outputs", (long) most * rows)) {
            in.write(0, a, 0, a.length);
            device.matmul(in, columns, 0, most, weights, out, 0, false);
            float[] all = OpData.read(out, 0, most * rows);
            for (int tokens : new int[] {1, 2, 3, 8, 15, 16, 17, 32}) {
                device.matmul(in, columns, 0, tokens, weights, out, 0, false);
                float[] expected = Arrays.copyOf(all, tokens * rows);
                assertArrayEquals(expected, OpData.read(out, 0, tokens * rows), tokens + " tokens of " + columns);
            }
        }
    }

    /** The output is written where it belongs and nowhere else, by any number of threads, with views of other panels. */
    @Test
    void panelsAndThreads() {
        int columns = 64;
        int rows = 1088;
        float[] w = OpData.normal(6, rows * columns);
        float[] x = OpData.normal(7, columns);
        float[] expected = null;
        for (int threads : new int[] {1, 2, 3, 7}) {
            try (Arena arena = Arena.ofShared();
                    CpuDevice device = CpuDevice.open(DType.BF16, threads, true);
                    CpuMatrix weights = device.matrix("weights", List.of(matrix(arena, w, rows, columns)));
                    CpuBuffer in = device.allocateRounded("inputs", columns);
                    CpuBuffer out = OpData.output(device, rows)) {
                in.write(0, x, 0, columns);
                device.matmul(in, columns, 0, 1, weights, out, 0, false);
                float[] actual = OpData.download(out, rows);
                expected = expected == null ? actual : expected;
                assertArrayEquals(expected, actual, threads + " threads");
            }
        }
    }
}
