package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HostMatrix;
import dev.belay.device.TokenLayout;
import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Weights that fill the pinned buffers more than twice, in every type of a file and of the device. */
class CudaUploadTest {
    private static final int COLUMNS = 256;
    /** Rows of 32 MiB of the device's numbers, what a pinned buffer holds. */
    private static final int BUFFER_OF_F32 = (32 << 20) / Float.BYTES / COLUMNS;

    @BeforeAll
    static void needsADevice() {
        CudaAvailability availability = CudaAvailability.get();
        TestKernels.require(availability.available(), availability.reason());
    }

    @ParameterizedTest
    @CsvSource({"F32, F32", "F16, F32", "BF16, F32", "F32, BF16", "F16, BF16", "BF16, BF16"})
    void everyRowArrives(TensorType from, DType to) {
        int buffer = to == DType.F32 ? BUFFER_OF_F32 : 2 * BUFFER_OF_F32;
        int rows = 2 * buffer + 5;
        int[] looked = {0, 1, buffer - 1, buffer, buffer + 1, 2 * buffer - 1, 2 * buffer, rows - 1};
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        for (int i = 0; i < looked.length; i++) {
            layout.addToken(looked[i], i);
        }
        try (Arena arena = Arena.ofShared();
                CudaDevice device = CudaDevice.open(to, "cuda:0");
                DeviceBuffer out = device.allocate("out", (long) looked.length * COLUMNS)) {
            MemorySegment values = arena.allocate((long) rows * COLUMNS * from.bytes(), 64);
            for (int row : looked) {
                for (int c = 0; c < COLUMNS; c++) {
                    set(values, from, row * COLUMNS + c, value(row, c));
                }
            }
            try (DeviceMatrix matrix =
                    device.matrix("table", List.of(new HostMatrix("table", from, values, rows, COLUMNS)))) {
                device.embed(matrix, layout, out);
                float[] actual = new float[looked.length * COLUMNS];
                out.read(0, actual, 0, actual.length);
                for (int i = 0; i < actual.length; i++) {
                    int row = looked[i / COLUMNS];
                    assertEquals(value(row, i % COLUMNS), actual[i], "row " + row + ", column " + i % COLUMNS);
                }
            }
        }
    }

    /** A number with few bits, which every type holds exactly. */
    private static float value(int row, int column) {
        return (row * 31 + column * 7) % 255 - 127;
    }

    private static void set(MemorySegment values, TensorType type, int index, float value) {
        switch (type) {
            case F32 -> values.setAtIndex(ValueLayout.JAVA_FLOAT, index, value);
            case F16 -> values.setAtIndex(ValueLayout.JAVA_SHORT, index, Float.floatToFloat16(value));
            default ->
                values.setAtIndex(ValueLayout.JAVA_SHORT, index, (short) (Float.floatToRawIntBits(value) >>> 16));
        }
    }
}
