package dev.belay.cli;

import dev.belay.device.DType;
import dev.belay.model.ModelConfig;
import dev.belay.text.ThinkingMarkers;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which model, on which device, how. */
class ModelOptions {
    private static final int BATCH_TOKENS = 2048;

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
            defaultValue = "" + BATCH_TOKENS,
            converter = Converters.Positive.class,
            description = "tokens in one batch, which bounds memory (default ${DEFAULT-VALUE})")
    int batchTokens = BATCH_TOKENS;

    @Option(
            names = "--profile",
            paramLabel = "F.json",
            description = "write time, FLOPs and bytes of every operation as a Perfetto trace")
    Path profile;

    /**
     * Fewest tokens in a batch where there is no room for {@link #batchTokens}: any number, but if more than the default were asked for,
     * no fewer, as on a processor half of much too much may still be all memory.
     */
    int leastBatchTokens() {
        return batchTokens > BATCH_TOKENS ? batchTokens : 1;
    }

    /** The number type asked for, or bf16. */
    DType dtype() {
        return on.dtype(DType.BF16);
    }

    /** What encloses the thinking, or null for what the model's template says. */
    ThinkingMarkers markers() {
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
