package dev.belay.cli;

import dev.belay.device.DType;
import java.nio.file.Path;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Which model, on which device, how. */
final class ModelOptions {
    @Parameters(
            index = "0",
            paramLabel = "MODEL",
            description = "model folder: config.json, safetensors, tokenizer.json")
    Path folder;

    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "auto",
            description = "cpu, cuda[:n] or auto (default)")
    String device;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "bf16",
            converter = Converters.NumberType.class,
            description = "number type of matrix products: bf16 (default) or f32")
    DType dtype;

    @Option(
            names = "--batch-tokens",
            paramLabel = "N",
            defaultValue = "2048",
            converter = Converters.Positive.class,
            description = "most tokens in one batch (default ${DEFAULT-VALUE}); bounds memory")
    int batchTokens;
}
