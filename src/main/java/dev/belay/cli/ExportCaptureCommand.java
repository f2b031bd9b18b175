package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.export.CaptureExport;
import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay export capture}. */
@Command(
        name = "capture",
        mixinStandardHelpOptions = true,
        description = {
            "Writes captured states of one layer as a NumPy array, float32 [vectors, hidden], text after text.",
            "Beside F.npy: F.offsets.npy (text t has the vectors offsets[t] to offsets[t + 1] - 1), F.token_ids.npy and "
                    + "F.rows.jsonl (id, first position and token texts of each text)."
        },
        footer = {"", "Example: belay export capture states.safetensors --layer 6 -o h6.npy"})
final class ExportCaptureCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "C.safetensors", description = "what belay capture wrote")
    private Path file;

    @Option(names = "--layer", paramLabel = "I", description = "which H[i] (default: the only one)")
    private Integer layer;

    @Option(names = "--as", paramLabel = "FORMAT", description = "npy (default: the ending of the output's name)")
    private String as;

    @Option(names = "-o", paramLabel = "F.npy", required = true, description = "output file")
    private Path output;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        ExportCommand.format(as, output, List.of("npy"));
        OutputFile.check(output);
        try (CaptureExport export = new CaptureExport(file)) {
            if (layer == null && export.layers().size() > 1
                    || layer != null && !export.layers().contains(layer)) {
                throw new UsageException(file + " has the layers "
                        + String.join(
                                ", ",
                                export.layers().stream().map(String::valueOf).toList())
                        + ": say which with --layer");
            }
            int chosen = layer == null ? export.layers().first() : layer;
            export.npy(chosen, output);
            out.say("%d texts, %d states H[%d]", export.texts(), export.vectors(), chosen);
            out.say("written to %s", output);
            ObjectNode json = Output.object();
            json.put("output", output.toString()).put("layer", chosen);
            out.result(json.put("texts", export.texts()).put("vectors", export.vectors()));
        }
        return 0;
    }
}
