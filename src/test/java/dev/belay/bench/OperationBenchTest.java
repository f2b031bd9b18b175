package dev.belay.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import java.nio.file.Files;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The operations of a pass of a tiny random model: D 32, F 48, 4 heads of 8, 2 of keys and values, V 64. */
class OperationBenchTest {
    private static OperationBench.Operation find(List<OperationBench.Operation> operations, String name) {
        return operations.stream()
                .filter(o -> o.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    @Test
    void everyOperationOfACaseIsThereAndCanBeDoneAgain() {
        try (Device device = TestDevices.open(DType.F32);
                TemporaryModel folder = new TemporaryModel(TinyShape.LLAMA, bytes -> {});
                Model model = Model.load(folder.folder(), device, layer -> {});
                OperationBench bench = new OperationBench(model, 100)) {
            OperationBench.Case of = new OperationBench.Case(List.of(3, 5), 0);
            List<OperationBench.Operation> operations = bench.operations(of);
            assertEquals(2.0 * 8 * 64 * 32, find(operations, "qkv").cost().flops());
            assertEquals(2.0 * 8 * 32 * 32, find(operations, "output").cost().flops());
            assertEquals(2.0 * 8 * 96 * 32, find(operations, "gate_up").cost().flops());
            assertEquals(2.0 * 8 * 32 * 48, find(operations, "down").cost().flops());
            assertEquals(2.0 * 8 * 64 * 32, find(operations, "lm_head").cost().flops());
            assertEquals(4.0 * 21 * 32, find(operations, "attention").cost().flops());
            assertEquals(5.0 * 8 * 48, find(operations, "swiglu").cost().flops());
            for (OperationBench.Operation operation : operations) {
                assertEquals(8, operation.tokens(), operation.name());
            }
            List<OperationBench.Timing> timings = bench.run(of, 1e-9);
            assertEquals(operations.size(), timings.size());
            for (OperationBench.Timing timing : timings) {
                assertTrue(timing.milliseconds() > 0, timing.operation().name());
                assertTrue(timing.samples() >= 5, timing.operation().name());
            }
        }
    }

    @Test
    void aTokenAfterAContextSeesIt() {
        try (Device device = TestDevices.open(DType.F32);
                TemporaryModel folder = new TemporaryModel(TinyShape.LLAMA, bytes -> {});
                Model model = Model.load(folder.folder(), device, layer -> {});
                OperationBench bench = new OperationBench(model, 100)) {
            List<OperationBench.Operation> operations = bench.operations(new OperationBench.Case(List.of(1, 1, 1), 20));
            assertEquals(3, find(operations, "attention").tokens());
            assertEquals(4.0 * 3 * 21 * 32, find(operations, "attention").cost().flops());
        }
    }

    @Test
    void casesFitTheModelAndTheBatch() {
        try (TemporaryModel folder = new TemporaryModel(TinyShape.LLAMA, bytes -> {})) {
            // It has 256 positions.
            ModelConfig config = ModelConfig.read(folder.folder());
            assertEquals(
                    List.of(
                            "1 text, 1 after 255",
                            "8 texts, 1 after 255",
                            "4 texts of 12 to 20",
                            "4 texts of 96 to 160",
                            "16 texts of 96 to 160"),
                    OperationBench.cases(config, 2048).stream()
                            .map(OperationBench.Case::toString)
                            .toList());
            assertEquals(
                    List.of("1 text, 1 after 255", "4 texts of 12 to 20"),
                    OperationBench.cases(config, 511).stream()
                            .map(OperationBench.Case::toString)
                            .toList());
        }
    }

    @Test
    void aTemporaryModelIsRemoved() {
        TemporaryModel folder = new TemporaryModel(TinyShape.LLAMA, bytes -> {});
        assertTrue(Files.exists(folder.folder().resolve("model.safetensors")));
        folder.close();
        assertFalse(Files.exists(folder.folder()));
    }

    @Test
    void theMedianIsInTheMiddle() {
        assertEquals(2, Stopwatch.median(List.of(9.0, 2.0, 1.0)));
        assertEquals(2.5, Stopwatch.median(List.of(9.0, 2.0, 1.0, 3.0)));
        int[] count = {0};
        assertEquals(4, Stopwatch.repeat(() -> count[0]++, 0, 4).size());
        assertEquals(4, count[0]);
    }
}
