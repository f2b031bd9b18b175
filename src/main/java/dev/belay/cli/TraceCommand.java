package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.RefusalTrace;
import dev.belay.io.OutputFile;
import dev.belay.probe.LinearProbe;
import dev.belay.run.Run;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.ToDoubleFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay trace}: refusal scores along transcripts. */
@Command(
        name = "trace",
        mixinStandardHelpOptions = true,
        description =
                "Writes the refusal score at every position of transcripts, their plateau, final score and misalignment.")
final class TraceCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Mixin
    private TraceOptions tracing;

    @Option(names = "--data", paramLabel = "F.jsonl", required = true, description = "transcripts")
    private Path data;

    @Option(names = "-o", paramLabel = "T.jsonl", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        LinearProbe loaded = tracing.load(options.config());
        List<Transcript> transcripts = Transcripts.read(data);
        OutputFile.check(output);
        try (Session session = Session.openForText(options);
                Run run = runs.open(session, output)) {
            List<RefusalTrace> traces = new ArrayList<>();
            if (run.partOnly()) {
                tracing.run(session, loaded, transcripts, "tracing", run, traces::addAll);
                run.finish();
                out.shard(output, traces.size());
                return 0;
            }
            try (OutputFile lines = OutputFile.create(output)) {
                tracing.run(session, loaded, transcripts, "tracing", run, some -> {
                    traces.addAll(some);
                    write(lines, session.tokenizer(), some);
                });
                lines.commit();
            }
            run.finish();
            summary(traces);
        }
        return 0;
    }

    static void write(Path file, Tokenizer tokenizer, List<RefusalTrace> traces) {
        try (OutputFile lines = OutputFile.create(file)) {
            write(lines, tokenizer, traces);
            lines.commit();
        }
    }

    private static void write(OutputFile lines, Tokenizer tokenizer, List<RefusalTrace> traces) {
        for (RefusalTrace trace : traces) {
            lines.writeLine(Output.line(json(trace, tokenizer)));
        }
    }

    private static ObjectNode json(RefusalTrace trace, Tokenizer tokenizer) {
        ObjectNode json = Output.object();
        json.put("id", trace.id()).put("tokens", trace.ids().length);
        Output.put(json, "thinking", new int[] {trace.thinkingStart(), trace.thinkingEnd()});
        Output.put(json, "token_ids", trace.ids());
        tokenizer.pieces(trace.ids()).forEach(json.putArray("token_texts")::add);
        Output.put(json, "scores", trace.scores());
        Output.put(json, "plateau", trace.plateau());
        Output.put(json, "final", trace.finalScore());
        Output.put(json, "misalignment", trace.misalignment());
        return json;
    }

    private void summary(List<RefusalTrace> traces) {
        double high = mean(traces, RefusalTrace::plateau);
        double low = mean(traces, RefusalTrace::finalScore);
        double cliff = mean(traces, RefusalTrace::misalignment);
        if (Double.isNaN(high)) {
            out.say(
                    "%d transcripts: mean final score %.3f; none has thinking, so there is no plateau",
                    traces.size(), low);
        } else {
            out.say(
                    "%d transcripts: mean plateau %.3f, final score %.3f, misalignment (cliff) %.3f",
                    traces.size(), high, low, cliff);
        }
        out.say("written to %s", output);
        ObjectNode result = Output.object();
        result.put("output", output.toString()).put("transcripts", traces.size());
        Output.put(result, "plateau", high);
        Output.put(result, "final", low);
        Output.put(result, "misalignment", cliff);
        out.result(result);
    }

    /** The mean of a number over the traces that have it. */
    static double mean(List<RefusalTrace> traces, ToDoubleFunction<RefusalTrace> number) {
        return traces.stream()
                .mapToDouble(number)
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
    }
}
