package dev.belay.cliff;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Golden;
import dev.belay.model.Model;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ChatTemplate;
import dev.belay.text.ProbeText;
import dev.belay.text.TextFormat;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcripts;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** tiny-cliff, in float32 or on a given device, with its data, its golden file and scikit-learn's probe. */
public final class TinyCliff implements AutoCloseable {
    public static final Path FOLDER = Path.of("models/tiny-cliff");

    final Device device;
    final Model model;
    final SafetensorsFile golden = SafetensorsFile.open(Golden.path("tiny-cliff/golden.safetensors"));
    public final ForwardPass forward;
    final LinearProbe probe =
            new LinearProbe(golden.floats("probe.weight"), golden.floats("probe.bias")[0], LinearProbe.LAST, Map.of());
    public final ProbeScorer scorer;

    TinyCliff(int batchTokens) {
        this(TestDevices.open(DType.F32), batchTokens);
    }

    /** On a given device, which it takes over. */
    public TinyCliff(Device device, int batchTokens) {
        this.device = device;
        model = Model.load(FOLDER, device, l -> {});
        forward = new ForwardPass(model, batchTokens);
        scorer = new ProbeScorer(forward, probe, "golden probe");
    }

    /** The probe texts of a file of its data. */
    public static List<ProbeText> probes(String file) {
        try (Tokenizer tokenizer = Tokenizer.load(FOLDER)) {
            TextFormat format = new TextFormat(tokenizer, ChatTemplate.load(FOLDER), ThinkingMarkers.THINK, false);
            return Transcripts.read(FOLDER.resolve("data").resolve(file)).stream()
                    .map(t -> ProbeText.of(format, t))
                    .toList();
        }
    }

    @Override
    public void close() {
        scorer.close();
        forward.close();
        golden.close();
        model.close();
        device.close();
    }
}
