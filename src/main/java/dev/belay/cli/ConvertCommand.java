package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.gguf.GgufConversion;
import dev.belay.io.OutputFolder;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay convert}: a model folder from a GGUF file. */
@Command(
        name = "convert",
        mixinStandardHelpOptions = true,
        description = {
            "Makes a model folder of a GGUF file: config.json, tokenizer, and weights as bfloat16.",
            "Llama, Qwen2 and Qwen3 in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K."
        },
        footer = {"", "Example: belay convert model.gguf -o model"})
final class ConvertCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "MODEL.gguf", description = "the file")
    private Path file;

    @Option(names = "-o", paramLabel = "DIR", required = true, description = "the folder, new or empty")
    private Path folder;

    @Option(names = "--without-tokenizer", description = "leave out the tokenizer, to copy it from the original model")
    private boolean withoutTokenizer;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        OutputFolder.checkFree(folder);
        int tensors;
        try (GgufConversion conversion = new GgufConversion(file, !withoutTokenizer)) {
            tensors = conversion.tensors();
            try (Progress progress = new Progress("converting " + file.getFileName(), tensors)) {
                conversion.write(folder, progress::at);
            }
        }
        out.say("%d tensors in bfloat16%s", tensors, withoutTokenizer ? ", no tokenizer" : " and the tokenizer");
        out.say("written to %s", folder);
        ObjectNode json = Output.object();
        json.put("tensors", tensors).put("tokenizer", !withoutTokenizer).put("output", folder.toString());
        out.result(json);
        return 0;
    }
}
