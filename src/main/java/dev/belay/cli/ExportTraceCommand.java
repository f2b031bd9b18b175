package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.export.TraceExport;
import dev.belay.export.TraceFile;
import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay export trace}. */
@Command(
        name = "trace",
        mixinStandardHelpOptions = true,
        description = {
            "Writes traces with token ids and texts.",
            "csv: a line a token, for spreadsheets.",
            "npy: scores [transcripts, longest], filled up with NaN; beside it F.token_ids.npy and F.rows.jsonl.",
            "safetensors: transcripts one after the other; text t has the tokens offsets[t] to offsets[t + 1] - 1."
        },
        footer = {"", "Example: belay export trace traces.jsonl -o traces.csv"})
final class ExportTraceCommand implements Callable<Integer> {
    /** What traces can be written as. */
    static final List<String> FORMS = List.of("csv", "npy", "safetensors");

    @Parameters(index = "0", paramLabel = "T.jsonl", description = "what belay trace wrote")
    private Path file;

    @Option(
            names = "--as",
            paramLabel = "FORMAT",
            completionCandidates = Choices.TraceForms.class,
            description = "csv, npy or safetensors (default: the ending of the output's name)")
    private String as;

    @Option(names = "--probe", paramLabel = "NAME", description = "which, if they are of several probes")
    private String probe;

    @Option(names = "-o", paramLabel = "F", required = true, description = "output file")
    private Path output;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        String format = ExportCommand.format(as, output, FORMS);
        OutputFile.check(output);
        TraceExport export = new TraceExport(new TraceFile(file, probe));
        switch (format) {
            case "csv" -> export.csv(output);
            case "npy" -> export.npy(output);
            default -> export.safetensors(output);
        }
        TraceFile.Size size = export.size();
        out.say("%d transcripts, %d tokens, the longest has %d", size.transcripts(), size.tokens(), size.longest());
        out.say("written to %s", output);
        ObjectNode json = Output.object();
        json.put("output", output.toString()).put("format", format);
        json.put("transcripts", size.transcripts()).put("tokens", size.tokens()).put("longest", size.longest());
        out.result(json);
        return 0;
    }
}
