package dev.belay.cli;

import dev.belay.device.Device;
import dev.belay.device.Devices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.text.ChatTemplate;
import dev.belay.text.ProbeText;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import dev.belay.weights.ModelFingerprint;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** An opened device and model, with the tokenizer and chat template when they are first needed. Closes all it opened. */
final class Session implements AutoCloseable {
    private final Deque<AutoCloseable> opened = new ArrayDeque<>();
    private final ModelOptions options;
    private final Device device;
    private final Model model;
    private Tokenizer tokenizer;
    private ChatTemplate template;

    private Session(ModelOptions options) {
        this.options = options;
        ModelConfig config = ModelConfig.read(options.folder);
        device = own(Devices.open(options.device, options.dtype));
        try (Progress progress = new Progress("loading " + options.folder, config.layers())) {
            model = own(Model.load(options.folder, device, progress::at));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    static Session open(ModelOptions options) {
        return new Session(options);
    }

    private <T extends AutoCloseable> T own(T resource) {
        opened.push(resource);
        return resource;
    }

    Model model() {
        return model;
    }

    ModelConfig config() {
        return model.config();
    }

    Device device() {
        return device;
    }

    String fingerprint() {
        return ModelFingerprint.of(options.folder);
    }

    Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = own(Tokenizer.load(options.folder));
        }
        return tokenizer;
    }

    ChatTemplate template() {
        if (template == null) {
            template = ChatTemplate.load(options.folder);
        }
        return template;
    }

    ThinkingMarkers markers() {
        return ThinkingMarkers.of(config().family());
    }

    /** The tokens that end the thinking. */
    int[] closingTokens() {
        return tokenizer().encode(markers().close());
    }

    List<ProbeText> probeTexts(List<Transcript> transcripts) {
        return transcripts.stream()
                .map(t -> ProbeText.of(tokenizer(), template(), markers(), t))
                .toList();
    }

    /** A forward pass whose batches hold {@code --batch-tokens} tokens, or the longest of the texts. */
    ForwardPass forward(List<TextRunner.Text> texts) {
        return own(new ForwardPass(model, TextRunner.batchTokens(options.batchTokens, texts)));
    }

    Path folder() {
        return options.folder;
    }

    @Override
    public void close() {
        while (!opened.isEmpty()) {
            try {
                opened.pop().close();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
