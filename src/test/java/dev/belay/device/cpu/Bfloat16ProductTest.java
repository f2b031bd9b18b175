package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HostMatrix;
import dev.belay.device.TokenLayout;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Products in bfloat16, stored as such and as rounded float32, against the float64 product of what is multiplied: rounded
 * inputs and weights, or with float32 storage inputs as they are. The tolerance is that of a float32 sum of products. Sizes are small:
 * without instructions for bfloat16, oneDNN multiplies it with its reference code.
 */
class Bfloat16ProductTest {
    private static final int ROWS = 70;
    private static final int COLUMNS = 33;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void roundsWeightsAndSumsInFloat32(boolean stored) {
        float[] w = OpData.normal(1, ROWS * COLUMNS);
        for (int threads = 1; threads <= 2; threads++) {
            try (CpuDevice device = CpuDevice.open(DType.BF16, threads, stored);
                    CpuMatrix weights = OpData.matrix(device, "weights", w, ROWS, COLUMNS)) {
                for (int tokens : new int[] {1, 17}) {
                    product(device, weights, w, tokens, 0, stored);
                    product(device, weights, w, tokens, 5, stored);
                }
            }
        }
    }

    private static void product(CpuDevice device, CpuMatrix weights, float[] w, int tokens, int pad, boolean stored) {
        int stride = COLUMNS + 2 * pad;
        float[] a = OpData.outliers(2, tokens, stride);
        float[] before = OpData.normal(3, tokens * ROWS);
        MatrixReference rounded = new MatrixReference(inputs(a, stored), stride, pad, OpData.rounded(w), COLUMNS, 0, 0);
        try (CpuBuffer in = OpData.upload(device, "inputs", a);
                CpuBuffer out = OpData.output(device, tokens * ROWS)) {
            String what = tokens + " tokens, stride " + stride;
            device.matmul(in, stride, pad, tokens, weights, out, 0, false);
            check(rounded.times(tokens, ROWS, COLUMNS, null), out, what);
            out.write(0, before, 0, before.length);
            device.matmul(in, stride, pad, tokens, weights, out, 0, true);
            check(rounded.times(tokens, ROWS, COLUMNS, before), out, what + " accumulated");
            float[] kept = OpData.read(in, 0, a.length);
            Closeness.assertSame(a, kept, 0, stride, "the inputs themselves are not rounded");
        }
    }

    /** Only products of bfloat16 with bfloat16 round their inputs. */
    private static float[] inputs(float[] a, boolean stored) {
        return stored ? OpData.rounded(a) : a;
    }

    private static void check(Expected expected, CpuBuffer out, String what) {
        float[] actual = OpData.download(out, expected.values().length);
        Closeness.assertClose(expected, actual, 0, MatrixProductTest.roundoff(COLUMNS), ROWS, what);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void viewsStartAtTheRightElement(boolean stored) {
        float[] w = OpData.normal(4, ROWS * COLUMNS);
        float[] a = OpData.normal(5, 3 * COLUMNS);
        try (CpuDevice device = CpuDevice.open(DType.BF16, 2, stored);
                CpuMatrix weights = OpData.matrix(device, "weights", w, ROWS, COLUMNS);
                CpuBuffer in = OpData.upload(device, "inputs", a);
                CpuBuffer out = OpData.output(device, 3 * 20)) {
            DeviceMatrix view = weights.view(9, 20, 16, 17);
            device.matmul(in, COLUMNS, 16, 3, view, out, 0, false);
            Expected expected = new MatrixReference(inputs(a, stored), COLUMNS, 16, OpData.rounded(w), COLUMNS, 9, 16)
                    .times(3, 20, 17, null);
            float[] actual = OpData.download(out, 60);
            Closeness.assertClose(expected, actual, 0, MatrixProductTest.roundoff(17), 20, "view");
        }
    }

    /** Embeddings are the rounded weights exactly, whichever type the file has. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void embedsRoundedWeightsOfEveryType(boolean stored) {
        float[] w = OpData.normal(6, 4 * 5);
        short[] half = new short[w.length];
        short[] brain = new short[w.length];
        for (int i = 0; i < w.length; i++) {
            half[i] = Float.floatToFloat16(w[i]);
            brain[i] = TensorValues.floatToBfloat16(w[i]);
        }
        float[] halves = TensorValues.floats(MemorySegment.ofArray(half), TensorType.F16);
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        for (int p = 0; p < 4; p++) {
            layout.addToken(3 - p, p);
        }
        try (CpuDevice device = CpuDevice.open(DType.BF16, 1, stored)) {
            embeds(device, TensorType.F32, MemorySegment.ofArray(w), OpData.rounded(w), layout);
            embeds(device, TensorType.F16, MemorySegment.ofArray(half), OpData.rounded(halves), layout);
            embeds(device, TensorType.BF16, MemorySegment.ofArray(brain), OpData.rounded(w), layout);
            assertEquals(stored ? 20 : 40, device.matrixBytes(10));
            String words = device.description();
            assertTrue(words.contains(stored ? ", bf16 products)" : ", bf16 weights with f32 products)"), words);
        }
    }

    private static void embeds(
            CpuDevice device, TensorType type, MemorySegment data, float[] rows, TokenLayout layout) {
        float[] expected = new float[20];
        for (int t = 0; t < 4; t++) {
            System.arraycopy(rows, (3 - t) * 5, expected, t * 5, 5);
        }
        HostMatrix host = new HostMatrix("table", type, data, 4, 5);
        try (CpuMatrix table = device.matrix("table", List.of(host));
                CpuBuffer out = OpData.output(device, 20)) {
            device.embed(table, layout, out);
            Closeness.assertSame(expected, OpData.download(out, 20), 0, 5, type + " table");
        }
    }

    /** Weights in a file's own memory are rounded where float32 is multiplied, too. */
    @Test
    void roundsFloat32OfAMappedFile() {
        int rows = 64;
        int columns = 96;
        float[] w = OpData.normal(7, rows * columns);
        float[] a = OpData.normal(8, 3 * columns);
        try (Arena arena = Arena.ofConfined();
                CpuDevice device = CpuDevice.open(DType.BF16, 1, false)) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_FLOAT, w);
            HostMatrix host = new HostMatrix("weights", TensorType.F32, data, rows, columns);
            try (CpuMatrix weights = device.matrix("weights", List.of(host));
                    CpuBuffer in = OpData.upload(device, "inputs", a);
                    CpuBuffer out = OpData.output(device, 3 * rows)) {
                device.matmul(in, columns, 0, 3, weights, out, 0, false);
                Expected expected = new MatrixReference(a, columns, 0, OpData.rounded(w), columns, 0, 0)
                        .times(3, rows, columns, null);
                float[] actual = OpData.download(out, 3 * rows);
                Closeness.assertClose(expected, actual, 0, MatrixProductTest.roundoff(columns), rows, "mapped");
            }
        }
    }

    /** Weights in a file's own memory: the first panel of a shape is packed by oneDNN, those after it may be packed by us. */
    @Test
    void panelsOfAMappedFile() {
        int parts = 5;
        int rows = 64;
        int columns = 96;
        float[] w = new float[parts * rows * columns];
        float[] a = new float[7 * columns];
        for (int i = 0; i < w.length; i++) {
            w[i] = i * 31 % 17 - 8;
        }
        for (int i = 0; i < a.length; i++) {
            a[i] = i * 7 % 5 - 2;
        }
        try (Arena arena = Arena.ofConfined();
                CpuDevice device = CpuDevice.open(DType.BF16, 1, true)) {
            List<HostMatrix> stack = new ArrayList<>();
            for (int p = 0; p < parts; p++) {
                MemorySegment data = arena.allocate((long) rows * columns * Short.BYTES, 64);
                for (int i = 0; i < rows * columns; i++) {
                    short bits = TensorValues.floatToBfloat16(w[p * rows * columns + i]);
                    data.setAtIndex(ValueLayout.JAVA_SHORT, i, bits);
                }
                stack.add(new HostMatrix("part", TensorType.BF16, data, rows, columns));
            }
            try (CpuMatrix whole = device.matrix("whole", stack);
                    CpuBuffer in = OpData.upload(device, "inputs", a);
                    CpuBuffer out = OpData.output(device, 7L * parts * rows)) {
                for (int column : new int[] {0, 32, 64}) {
                    int width = column == 0 ? columns : 32;
                    float[] expected = new float[7 * parts * rows];
                    for (int t = 0; t < 7; t++) {
                        for (int r = 0; r < parts * rows; r++) {
                            for (int c = column; c < column + width; c++) {
                                expected[t * parts * rows + r] += a[t * columns + c] * w[r * columns + c];
                            }
                        }
                    }
                    DeviceMatrix view = whole.view(0, parts * rows, column, width);
                    device.matmul(in, columns, column, 7, view, out, 0, false);
                    // Sums of small whole numbers are exact.
                    float[] actual = OpData.download(out, expected.length);
                    Closeness.assertSame(expected, actual, 0, parts * rows, "columns from " + column);
                }
            }
        }
    }
}
