package dev.belay.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.device.cpu.CpuDevice;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a profile says of operations whose work can be counted by hand. */
class ProfiledDeviceTest {
    private static final int ROWS = 5;
    private static final int COLUMNS = 7;
    private static final int F32 = Float.BYTES;

    @TempDir
    Path folder;

    private Device cpu;
    private Path file;

    @BeforeEach
    void open() {
        cpu = CpuDevice.open(DType.F32);
        file = folder.resolve("profile.json");
    }

    @AfterEach
    void close() {
        cpu.close();
    }

    private List<JsonNode> events() throws IOException {
        List<JsonNode> events = new ArrayList<>();
        for (JsonNode event : new ObjectMapper().readTree(file.toFile()).get("traceEvents")) {
            if (event.get("ph").asText().equals("X")) {
                events.add(event);
            }
        }
        return events;
    }

    private DeviceMatrix matrix(Device device, String name) {
        try (Arena arena = Arena.ofShared()) {
            HostMatrix host = new HostMatrix(
                    name, TensorType.F32, arena.allocate(ValueLayout.JAVA_FLOAT, ROWS * COLUMNS), ROWS, COLUMNS);
            return device.matrix(name, List.of(host));
        }
    }

    @Test
    void aProductOfThreeTokens() throws IOException {
        try (ProfiledDevice device = new ProfiledDevice(cpu, file);
                DeviceMatrix weights = matrix(device, "model.layers.12.mlp.down_proj.weight");
                DeviceMatrix head = matrix(device, "lm_head.weight");
                DeviceBuffer a = device.allocate("a", 100);
                DeviceBuffer out = device.allocate("out", 100)) {
            a.write(0, new float[100], 0, 100);
            out.write(0, new float[100], 0, 100);
            device.swiglu(a, 1, 4, out);
            device.matmul(a, COLUMNS, 0, 3, weights, out, 0, false);
            device.matmul(a, COLUMNS, 0, 3, weights, out, 0, true);
            device.matmul(a, COLUMNS, 0, 3, weights.view(1, 2, 3, 4), out, 0, false);
            device.dot(a, out, 2, 6, 1, new float[2]);
            device.matmul(a, COLUMNS, 0, 3, head, out, 0, false);
            device.dot(a, out, 2, 6, 3, new float[6]);
        }
        List<JsonNode> events = events();
        assertEquals(7, events.size());
        checkEvent(events.get(0), "swiglu", -1, 1, 5 * 4, 12 * F32);
        String name = "matmul mlp.down_proj";
        checkEvent(events.get(1), name, 12, 3, 2 * 3 * 5 * 7, (35 + 3 * 7 + 3 * 5) * F32);
        checkEvent(events.get(2), name, 12, 3, 2 * 3 * 5 * 7, (35 + 3 * 7 + 2 * 3 * 5) * F32);
        checkEvent(events.get(3), name, 12, 3, 2 * 3 * 2 * 4, (8 + 3 * 4 + 3 * 2) * F32);
        checkEvent(events.get(4), "dot", 12, 2, 2 * 2 * 6, (2 * 6 + 6 + 2) * F32);
        checkEvent(events.get(5), "matmul lm_head", -1, 3, 2 * 3 * 5 * 7, (35 + 3 * 7 + 3 * 5) * F32);
        checkEvent(events.get(6), "dot", -1, 2, 3 * 2 * 2 * 6, (2 * 6 + 3 * 6 + 3 * 2) * F32);
    }

    private static void checkEvent(JsonNode event, String name, int layer, int rows, long flops, long bytes) {
        JsonNode args = event.get("args");
        assertEquals(name, event.get("name").asText());
        assertEquals(layer, args.get("layer").isNull() ? -1 : args.get("layer").intValue(), name);
        assertEquals(rows, args.get("rows").intValue(), name);
        assertEquals(flops, args.get("flops").longValue(), name);
        assertEquals(bytes, args.get("bytes").longValue(), name);
    }

    /** A buffer without memory whose elements take so many bytes. */
    private static final class Sized extends DeviceBuffer {
        private final int elementBytes;

        Sized(int elementBytes) {
            super("sized", 1000);
            this.elementBytes = elementBytes;
        }

        @Override
        public int elementBytes() {
            return elementBytes;
        }

        @Override
        protected DeviceBuffer view(long offset, long count) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void copyIn(long offset, float[] source, int from, int count) {}

        @Override
        protected void copyOut(long offset, float[] target, int to, int count) {}

        @Override
        public void close() {}
    }

    /** Two rows behind a shared prefix of 10, one without: 2 and 3 new tokens, and 4. Heads 4 of 8 numbers, 2 of keys and values. */
    @Test
    void attentionCountsTheKeysThatAreSeen() {
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 10, 0);
        layout.addToken(1, 10);
        layout.addToken(1, 11);
        layout.addRow(0, 10, 20);
        layout.addToken(1, 10);
        layout.addToken(1, 11);
        layout.addToken(1, 12);
        layout.addRow(0, 0, 40);
        for (int t = 0; t < 4; t++) {
            layout.addToken(1, t);
        }
        AttentionShape shape = new AttentionShape(4, 2, 8, 8, 1);
        DeviceBuffer wide = new Sized(4);
        KeyValues keyValues = new KeyValues(wide, wide);
        OperationCost all = OperationCost.attention(wide, layout, shape, keyValues, 0, null, wide);
        int pairs = 11 + 12 + 11 + 12 + 13 + 1 + 2 + 3 + 4;
        assertEquals(4.0 * pairs * 32, all.flops());
        assertEquals((2.0 * 9 * 32 + 2 * (10 + 2 + 3 + 4) * 16) * F32, all.bytes());
        KeyValues rounded = new KeyValues(new Sized(2), new Sized(2));
        OperationCost half = OperationCost.attention(wide, layout, shape, rounded, 0, null, new Sized(2));
        assertEquals(9.0 * 32 * (4 + 2) + 2 * (10 + 2 + 3 + 4) * 16 * 2, half.bytes());
        OperationCost near = OperationCost.attention(wide, layout, shape, keyValues, 3, null, wide);
        assertEquals(4.0 * (5 * 3 + 1 + 2 + 3 + 3) * 32, near.flops());
        // Position 10 sees the last 2 of the prefix.
        assertEquals((2.0 * 9 * 32 + 2 * (2 + 2 + 3 + 4) * 16) * F32, near.bytes());
    }

    @Test
    void scalingCountsTheTokensThatHaveASet() {
        HeadScaleTable table = new HeadScaleTable();
        table.reset(5, 2);
        table.assign(1, table.addSet(false));
        table.assign(4, table.addSet(true));
        OperationCost cost = OperationCost.scaleHeads(new Sized(4), table, 5, 6);
        assertEquals(6 + 6 * 6, cost.flops());
        assertEquals(2 * 2 * 6 * F32, cost.bytes());
    }

    /** More operations than the clock holds marks at a time; one that fails leaves no event. */
    @Test
    void aLongRunKeepsItsOrder() throws IOException {
        int count = 5000;
        try (ProfiledDevice device = new ProfiledDevice(cpu, file);
                DeviceBuffer in = device.allocate("in", 8);
                DeviceBuffer out = device.allocate("out", 8)) {
            in.write(0, new float[8], 0, 8);
            for (int i = 0; i < count; i++) {
                device.gather(in, new int[] {0, 0, 0, 0}, 1 + i % 4, 2, out);
                if (i % 100 == 0) {
                    assertThrows(DeviceException.class, () -> device.gather(in, new int[] {4}, 1, 2, out));
                }
            }
        }
        List<JsonNode> events = events();
        assertEquals(count, events.size());
        double last = -1;
        for (int i = 0; i < count; i++) {
            JsonNode event = events.get(i);
            assertEquals(1 + i % 4, event.get("args").get("rows").intValue(), "event " + i);
            assertTrue(event.get("ts").doubleValue() > last, "event " + i);
            last = event.get("ts").doubleValue();
        }
    }

    @Test
    void withoutAnOperationThereIsNoFile() {
        new ProfiledDevice(cpu, file).close();
        assertFalse(Files.exists(file));
    }

    /** What is beyond the peaks' rates, neither memory nor products reach. */
    @Test
    void theRoofIsTheSlowerOfMemoryAndProducts() {
        DevicePeaks peaks = new DevicePeaks(2e9, 100e9);
        assertEquals(1, peaks.milliseconds(new OperationCost(1e6, 2e6)), 1e-12);
        assertEquals(10, peaks.milliseconds(new OperationCost(1e9, 2e6)), 1e-12);
    }
}
