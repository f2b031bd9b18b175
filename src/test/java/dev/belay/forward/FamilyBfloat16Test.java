package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * In bfloat16 the largest difference from the float32 golden, over all prompts, must not be larger than the one that transformers
 * 5.18 on PyTorch 2.13 itself shows when it runs the same model in bfloat16 on a CPU (the numbers in the table).
 */
class FamilyBfloat16Test {
    @ParameterizedTest(name = "{0} {1}")
    @CsvSource({
        "llama, hidden.1, 0.1333",
        "llama, hidden.2, 0.3022",
        "llama, hidden.3, 0.2143",
        "llama, head_out.0, 0.0536",
        "llama, head_out.1, 0.0878",
        "llama, head_out.2, 0.2122",
        "llama31-rope, hidden.1, 0.0876",
        "llama31-rope, hidden.2, 0.1037",
        "llama31-rope, head_out.0, 0.0455",
        "llama31-rope, head_out.1, 0.0874"
    })
    void errorIsNotLargerThanThatOfTransformers(String family, String tensor, double limit) {
        Path folder = Golden.path("families/" + family);
        int index = Integer.parseInt(tensor.substring(tensor.indexOf('.') + 1));
        HookPoint point = tensor.startsWith("hidden") ? HookPoint.residual(index) : HookPoint.headOutput(index);
        ActivationRecorder recorder = new ActivationRecorder(Set.of(point), (text, position) -> true);
        try (Device device = TestDevices.open(DType.BF16);
                Model model = Model.load(folder, device, l -> {});
                SafetensorsFile golden = SafetensorsFile.open(folder.resolve("golden.safetensors"));
                ForwardPass forward = new ForwardPass(model, 128)) {
            List<TextRunner.Text> texts = new ArrayList<>();
            for (int p = 0; p < 3; p++) {
                int[] ids = Arrays.stream(golden.longs(p + ".input_ids"))
                        .mapToInt(Math::toIntExact)
                        .toArray();
                texts.add(new TextRunner.Text(ids, TextSpan.plain(ids.length)));
            }
            int layers = model.config().layers();
            new TextRunner(forward).run(texts, layers, null, recorder, false, (batch, states) -> {}, n -> {});
            double error = 0;
            for (int p = 0; p < 3; p++) {
                error = Math.max(error, largest(golden.floats(p + "." + tensor), recorder.get(point, p)));
            }
            assertTrue(error <= limit, tensor + ": largest difference " + error + ", transformers' is " + limit);
            assertTrue(error > 1e-3, tensor + ": an error of " + error + " is that of float32; is bfloat16 on?");
        }
    }

    private static double largest(float[] expected, float[] actual) {
        double largest = 0;
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs((double) expected[i] - actual[i]);
            largest = difference <= largest ? largest : difference;
        }
        return largest;
    }
}
