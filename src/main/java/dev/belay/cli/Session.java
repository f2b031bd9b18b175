package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.device.Device;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.DevicePeaks;
import dev.belay.device.ProfiledDevice;
import dev.belay.forward.BatchSpeed;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.text.ChatTemplate;
import dev.belay.text.ProbeText;
import dev.belay.text.TextFormat;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import dev.belay.weights.ModelFingerprint;
import java.nio.file.Path;
import java.util.List;

/** An opened device and model, with the tokenizer and chat template when they are first needed. Closes all it opened. */
final class Session implements AutoCloseable {
    /** Below so much work in one pass over the data, finding the fastest batches takes longer than it spares. */
    private static final double LONG_RUN_FLOPS = 1e13;

    private static final double BYTES_PER_TOKEN = 4;

    private final Resources opened = new Resources();
    private final ModelOptions options;
    private final Device device;
    private final Model model;
    private final long free;

    private int batchTokens;
    private Tokenizer tokenizer;
    private ChatTemplate template;
    private ThinkingMarkers markers;
    private String fingerprint;
    private DevicePeaks peaks;

    private Session(ModelOptions options, boolean withText, boolean withWeights) {
        this.options = options;
        ModelConfig config = options.config();
        if (options.profile != null) {
            OutputFile.check(options.profile);
        }
        try (Progress progress = new Progress("loading " + options.folder, config.layers())) {
            if (withText) {
                tokenizer();
                template();
            }
            Device own = opened.own(options.on.open(options.dtype()));
            device = options.profile == null ? own : opened.own(new ProfiledDevice(own, options.profile));
            free = device.freeBytes();
            model = withWeights ? opened.own(Model.load(options.folder, device, progress::at)) : null;
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
        if (withWeights) {
            tellUnused();
        }
    }

    /** Tensors that count for nothing here may be another part of the model, such as one for images, or mean that its type is wrong. */
    private void tellUnused() {
        List<String> unused = model.weights().unused();
        if (!unused.isEmpty()) {
            Messages.current()
                    .warning(options.folder + " has " + unused.size() + " tensors that models of its type ("
                            + config().architecture() + ") do not compute with, such as " + unused.getFirst());
        }
    }

    /** Opens the model for token ids. */
    static Session open(ModelOptions options) {
        return new Session(options, false, true);
    }

    /** Opens the device for what needs no weights, and with {@code withText} the tokenizer and chat template; there is no model. */
    static Session openWithoutWeights(ModelOptions options, boolean withText) {
        return new Session(options, withText, false);
    }

    /** Opens the model for text: first the tokenizer and chat template, so that a missing one is not found only after the weights. */
    static Session openForText(ModelOptions options) {
        return new Session(options, true, true);
    }

    Model model() {
        return model;
    }

    ModelConfig config() {
        return options.config();
    }

    Device device() {
        return device;
    }

    /** The device's peaks, measured once: a moment, and memory that is free again afterwards. */
    DevicePeaks peaks() {
        if (peaks == null) {
            peaks = device instanceof ProfiledDevice profiled ? profiled.peaks() : DevicePeaks.measure(device);
        }
        return peaks;
    }

    /** The model's fingerprint, computed once. */
    String fingerprint() {
        if (fingerprint == null) {
            fingerprint = ModelFingerprint.of(options.folder);
        }
        return fingerprint;
    }

    Tokenizer tokenizer() {
        if (tokenizer == null) {
            tokenizer = opened.own(Tokenizer.load(options.folder));
            if (tokenizer.vocabSize() > config().vocabulary()) {
                Messages.current()
                        .warning(tokenizer.path() + " has tokens up to " + (tokenizer.vocabSize() - 1)
                                + ", the model only embeddings of " + config().vocabulary()
                                + "; are both of the same model?");
            }
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
        if (markers == null) {
            markers = options.markers() != null
                    ? options.markers()
                    : ThinkingMarkers.find(ChatTemplate.find(options.folder), tokenizer());
        }
        return markers;
    }

    TextFormat format() {
        return new TextFormat(tokenizer(), template(), markers(), options.parseSpecial());
    }

    /** The transcript with the system prompt that was asked for, if it has none of its own. */
    Transcript withSystem(Transcript transcript) {
        return options.system() == null || !transcript.system().isEmpty()
                ? transcript
                : transcript.withSystem(options.system());
    }

    List<ProbeText> probeTexts(List<Transcript> transcripts) {
        return transcripts.stream().map(this::probeText).toList();
    }

    /** The tokens of a transcript up to its response. */
    ProbeText probeText(Transcript transcript) {
        ProbeText text = ProbeText.of(format(), withSystem(transcript));
        checkLength("transcript " + transcript.id(), text.ids().length);
        return text;
    }

    /** The tokens of a transcript's prompt. */
    int[] prompt(Transcript transcript) {
        int[] prompt = ProbeText.prompt(format(), withSystem(transcript));
        checkLength("the prompt of transcript " + transcript.id(), prompt.length);
        return prompt;
    }

    /** Checks that a text is no longer than the model was made for. */
    void checkLength(String what, int tokens) {
        if (tokens > config().positions()) {
            throw new BelayException(what + " has " + tokens + " tokens, but the model has positions for only "
                    + config().positions() + "; shorten it or leave it out");
        }
    }

    /** A forward pass whose batches hold {@link #batchTokens}, or fewer where there is no room. */
    ForwardPass forward() {
        return opened.own(new ForwardPass(model, batchTokens(), 1));
    }

    /** Bytes for the weights and all buffers: what was free before the weights came. */
    long freeBytes() {
        return free;
    }

    /** Tokens in a batch: those of {@code --batch-tokens}, or the usual number, or fewer where memory is short; see {@link BatchTokens}. */
    int batchTokens() {
        return batchTokens(0);
    }

    /** The same; where nothing says how many, and the run passes so many bytes of text or more through the model, the fastest number. */
    int batchTokens(long textBytes) {
        if (batchTokens == 0) {
            try (BatchMemory memory = new BatchMemory(options.folder, device, options.use)) {
                BatchTokens choice = new BatchTokens(memory::bytes, free, options.heapBytesPerToken);
                batchTokens = options.batchTokens == null
                        ? chosen(choice, textBytes)
                        : choice.asked(options.batchTokens, device);
            }
        }
        return batchTokens;
    }

    private int chosen(BatchTokens choice, long textBytes) {
        int usual = choice.usual(device);
        double flops = 2.0 * config().matrixParameters() * textBytes / BYTES_PER_TOKEN;
        if (flops < LONG_RUN_FLOPS || model == null) {
            return usual;
        }
        BatchSpeed speed = new BatchSpeed(model);
        return choice.fastest(usual, tokens -> {
            try {
                return options.use == BatchMemory.Use.GENERATION
                        ? speed.tokensPerSecond(Generator.rows(tokens), 1)
                        : speed.tokensPerSecond(tokens);
            } catch (DeviceMemoryException e) {
                return 0;
            }
        });
    }

    /** Has batches of as many tokens as an earlier part of the run, or all parts of it. */
    void batchTokensAs(int tokens) {
        options.batchTokens = tokens;
        batchTokens = 0;
    }

    Path folder() {
        return options.folder;
    }

    @Override
    public void close() {
        opened.close();
    }
}
