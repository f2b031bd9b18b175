package dev.belay.device.cpu;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HostMatrix;
import dev.belay.weights.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Products in float32. Tokens are cut into blocks of 128, 64, 32, 16 and a rest below 16, output features into panels of 256 and
 * more, a multiple of 64.
 *
 * <pre>
 * tokens   cuts                  features  panels
 * 1        1                     1..200    1
 * 15       15                    576       320+256
 * 16       16
 * 17       16 1
 * 31       16 15
 * 33       32 1
 * 127      64 32 16 15
 * 128      128
 * 129      128 1
 * 600      4·128 64 16 8
 * </pre>
 */
class MatrixProductTest {
    private static final int[] TOKENS = {1, 15, 16, 17, 31, 33, 127, 128, 129, 600};

    /** Output features, input features. */
    private static final int[][] SHAPES = {
        {1, 17}, {17, 1}, {16, 16}, {48, 100}, {64, 64}, {100, 48}, {128, 17}, {200, 64}, {576, 64}, {64, 576},
    };

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void everyCutOfTokensAndFeatures(int threads) {
        try (CpuDevice device = CpuDevice.open(DType.F32, threads, false)) {
            for (int[] shape : SHAPES) {
                for (int tokens : TOKENS) {
                    strideAndAccumulate(device, tokens, shape[0], shape[1]);
                }
            }
        }
    }

    /** All four of {packed, strided with an offset} × {store, accumulate}, into the middle of the output buffer. */
    private static void strideAndAccumulate(CpuDevice device, int tokens, int rows, int columns) {
        float[] w = OpData.normal(rows, rows * columns);
        float[] before = OpData.normal(5, tokens * rows);
        for (int pad : new int[] {0, 7}) {
            int stride = columns + 2 * pad;
            float[] a = OpData.outliers(tokens, tokens, stride);
            Expected stored = new MatrixReference(a, stride, pad, w, columns, 0, 0).times(tokens, rows, columns, null);
            Expected added = sum(before, stored);
            try (CpuBuffer in = OpData.upload(device, "inputs", a);
                    CpuMatrix weights = OpData.matrix(device, "weights", w, rows, columns);
                    CpuBuffer out = OpData.output(device, 3 + tokens * rows)) {
                String what = tokens + " tokens [" + rows + ", " + columns + "] stride " + stride;
                device.matmul(in, stride, pad, tokens, weights, out, 3, false);
                check(stored, out, rows, columns, what);
                out.write(3, before, 0, before.length);
                device.matmul(in, stride, pad, tokens, weights, out, 3, true);
                check(added, out, rows, columns, what + " accumulated");
            }
        }
    }

    private static Expected sum(float[] before, Expected stored) {
        double[] values = stored.values().clone();
        double[] scale = stored.scale().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] += before[i];
            scale[i] += Math.abs(before[i]);
        }
        return new Expected(values, scale);
    }

    private static void check(Expected expected, CpuBuffer out, int rows, int columns, String what) {
        int count = expected.values().length;
        OpData.download(out, 3 + count);
        assertTrue(Float.isNaN(OpData.read(out, 2, 1)[0]), what + ": the element before the output was written");
        Closeness.assertClose(expected, OpData.read(out, 3, count), 0, roundoff(columns), rows, what);
    }

    /**
     * A sum of K products in any order is within K roundings of Σ |terms| (Higham, Accuracy and Stability of Numerical Algorithms,
     * §3.1); one more for the number added to. A wrong or missing term is off by 1/K of it, a bfloat16 product by 2⁻⁹.
     */
    static double roundoff(int columns) {
        return (columns + 1) * UNIT;
    }

    /** Row block, column block and both: the weights of one head of W_O, of keys without values, of a part of a stack. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void viewsOfRowsAndColumns(int threads) {
        int rows = 200;
        int columns = 100;
        float[] w = OpData.normal(1, rows * columns);
        int[][] views = {{0, 200, 32, 16}, {64, 100, 0, 100}, {1, 1, 0, 100}, {0, 200, 99, 1}, {7, 130, 17, 48}};
        try (CpuDevice device = CpuDevice.open(DType.F32, threads, false);
                CpuMatrix whole = OpData.matrix(device, "weights", w, rows, columns)) {
            for (int[] v : views) {
                for (int tokens : new int[] {1, 17, 129}) {
                    float[] a = OpData.outliers(2, tokens, columns);
                    DeviceMatrix view = whole.view(v[0], v[1], v[2], v[3]);
                    Expected expected = new MatrixReference(a, columns, v[2], w, columns, v[0], v[2])
                            .times(tokens, v[1], v[3], null);
                    try (CpuBuffer in = OpData.upload(device, "inputs", a);
                            CpuBuffer out = OpData.output(device, tokens * v[1])) {
                        device.matmul(in, columns, v[2], tokens, view, out, 0, false);
                        float[] actual = OpData.download(out, tokens * v[1]);
                        String what = tokens + " tokens, " + view + " from " + v[0] + ", " + v[2];
                        Closeness.assertClose(expected, actual, 0, roundoff(v[3]), v[1], what);
                    }
                }
            }
        }
    }

    @Test
    void aViewOfAViewIsAViewOfTheOwner() {
        float[] w = OpData.normal(3, 64 * 48);
        try (CpuDevice device = CpuDevice.open(DType.F32, 2, false);
                CpuMatrix whole = OpData.matrix(device, "weights", w, 64, 48);
                CpuBuffer in = OpData.upload(device, "inputs", OpData.normal(4, 5 * 16));
                CpuBuffer direct = OpData.output(device, 5 * 20);
                CpuBuffer nested = OpData.output(device, 5 * 20)) {
            device.matmul(in, 16, 0, 5, whole.view(13, 20, 25, 16), direct, 0, false);
            DeviceMatrix outer = whole.view(10, 40, 20, 28);
            try (DeviceMatrix inner = outer.view(3, 20, 5, 16)) {
                device.matmul(in, 16, 0, 5, inner, nested, 0, false);
            }
            Closeness.assertSame(
                    OpData.download(direct, 100), OpData.download(nested, 100), 0, 20, "the same block either way");
            assertEquals("weights [64, 48]", whole.toString());
        }
    }

    @Test
    void stacksFloat32Float16AndBfloat16ByRows() {
        float[] w = {1.5f, -2, 0.25f, 4, 3, -0.5f};
        short[] half = {Float.floatToFloat16(0.1f), Float.floatToFloat16(-7)};
        short[] brain = {(short) 0x3F80, (short) 0xC000};
        try (CpuDevice device = CpuDevice.open(DType.F32, 2, false);
                CpuMatrix stack = device.matrix(
                        "stack",
                        List.of(
                                OpData.host("a", w, 3, 2),
                                new HostMatrix("b", TensorType.F16, MemorySegment.ofArray(half), 1, 2),
                                new HostMatrix("c", TensorType.BF16, MemorySegment.ofArray(brain), 1, 2)));
                CpuBuffer in = OpData.upload(device, "inputs", new float[] {1, 0, 0, 1});
                CpuBuffer out = OpData.output(device, 10)) {
            device.matmul(in, 2, 0, 2, stack, out, 0, false);
            float tenth = Float.float16ToFloat(half[0]);
            float[] expected = {1.5f, 0.25f, 3, tenth, 1, -2, 4, -0.5f, -7, -2};
            Closeness.assertSame(expected, OpData.download(out, 10), 0, 5, "columns of the stack");
            assertEquals(40, device.matrixBytes(10));
        }
    }

    @Test
    void refusesToStackDifferentWidthsAndWrongSizes() {
        try (CpuDevice device = CpuDevice.open(DType.F32, 1, false)) {
            String message = assertThrows(
                            DeviceException.class, () -> device.matrix("s", List.of(host("a", 1, 2), host("b", 1, 3))))
                    .getMessage();
            assertEquals("cannot stack b with 3 columns on a with 2", message);
        }
        String message = assertThrows(DeviceException.class, () -> OpData.host("a", new float[3], 2, 2))
                .getMessage();
        assertEquals("matrix a [2, 2] needs 16 bytes, got 12", message);
    }

    private static HostMatrix host(String name, int rows, int columns) {
        return OpData.host(name, new float[rows * columns], rows, columns);
    }
}
