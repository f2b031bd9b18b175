package dev.belay.cli;

import dev.belay.cliff.BatchMemory;
import dev.belay.device.DType;
import dev.belay.model.ModelConfig;
import dev.belay.text.ThinkingMarkers;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which model, on which device, how. */
class ModelOptions {
    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description = "model folder, or hub:owner/name[@revision] in the local cache")
    Path folder;

    @Mixin
    DeviceOptions on = new DeviceOptions();

    @Option(
            names = "--batch-tokens",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "tokens in a batch (default: " + BatchTokens.USUAL + ", or what fits, or what is fastest)")
    Integer batchTokens;

    /** What the command does with its largest batches. */
    BatchMemory.Use use = BatchMemory.Use.PASS;

    /** Bytes on the Java heap that it needs for each token of a batch, where those are many. */
    long heapBytesPerToken;

    @Option(
            names = "--profile",
            paramLabel = "F.json",
            description = "write time, FLOPs and bytes of every operation as a Perfetto trace")
    Path profile;

    /** The number type asked for, or bf16. */
    DType dtype() {
        return on.dtype(DType.BF16);
    }

    /** What encloses the thinking, or null for what the model's template says. */
    ThinkingMarkers markers() {
        return null;
    }

    /** The system prompt of texts that have none of their own, or null. */
    String system() {
        return null;
    }

    /** Whether names of control tokens in given text count as those tokens. */
    boolean parseSpecial() {
        return false;
    }

    private ModelConfig config;

    /** The model's configuration, read once, without its weights. */
    ModelConfig config() {
        if (config == null) {
            config = ModelConfig.read(folder);
        }
        return config;
    }
}
