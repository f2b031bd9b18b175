package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.gguf.GgufConversion;
import dev.belay.io.OutputFolder;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.weights.ModelFingerprint;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorInfo;
import java.nio.file.Path;
import java.util.Arrays;
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
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        OutputFolder.checkFree(folder);
        reports.begin();
        reports.phase("convert");
        int tensors;
        try (GgufConversion conversion = new GgufConversion(file, !withoutTokenizer)) {
            tensors = conversion.tensors();
            try (Progress progress = new Progress("converting " + file.getFileName(), tensors)) {
                conversion.write(folder, progress::at);
            }
        }
        reports.write("Converted model", folder.getFileName().toString(), null, folder, page -> fill(page, tensors));
        out.say("%d tensors in bfloat16%s", tensors, withoutTokenizer ? ", no tokenizer" : " and the tokenizer");
        reports.tell(out, folder);
        ObjectNode json = Output.object();
        json.put("tensors", tensors).put("tokenizer", !withoutTokenizer).put("output", folder.toString());
        out.result(json);
        return 0;
    }

    private void fill(RunReport.Builder page, int tensors) {
        page.subtitle("A model folder of " + file.getFileName())
                .story("The folder has " + tensors + " tensors in bfloat16"
                        + (withoutTokenizer
                                ? "; its tokenizer is to come from the original model."
                                : " and the tokenizer."))
                .fact("fingerprint of " + folder.getFileName(), ModelFingerprint.of(folder));
        DataTable table = new DataTable("Tensors", "What the folder holds, by the names of safetensors.")
                .name("tensor")
                .text("shape")
                .number("numbers", 0);
        try (SafetensorsModel model = SafetensorsModel.open(folder)) {
            for (String name : model.names()) {
                TensorInfo tensor = model.find(name).orElseThrow();
                table.row(name, Arrays.toString(tensor.shape()), tensor.elements());
            }
        }
        page.table(table);
    }
}
