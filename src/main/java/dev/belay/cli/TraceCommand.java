package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.CliffScore;
import dev.belay.cliff.RefusalTrace;
import dev.belay.io.OutputFile;
import dev.belay.probe.LinearProbe;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.report.TraceMeans;
import dev.belay.run.Run;
import dev.belay.run.StoppedException;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay trace}: refusal scores along transcripts. */
@Command(
        name = "trace",
        mixinStandardHelpOptions = true,
        description = {
            "Writes the refusal score at every position, plateau, final score and misalignment.",
            "With several probes those of each, from one forward pass."
        },
        footer = {
            "",
            "Example: belay trace models/tiny-cliff --probe probe.safetensors \\",
            "           --data models/tiny-cliff/data/attacks.jsonl -o traces.jsonl"
        })
final class TraceCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Mixin
    private ProbesOption probes;

    @Mixin
    private TraceOptions tracing;

    @Option(names = "--data", paramLabel = "F.jsonl", required = true, description = "transcripts")
    private Path data;

    @Option(names = "-o", paramLabel = "T.jsonl", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    /** Of each transcript the numbers by each probe; the scores themselves are only in the output. */
    private final List<List<CliffScore>> scores = new ArrayList<>();

    @Override
    public Integer call() {
        List<LinearProbe> loaded = probes.load(options.config());
        List<Transcript> transcripts = Transcripts.read(data);
        OutputFile.check(output);
        reports.begin();
        try (Session session = Session.openForText(options);
                Run run = runs.open(session, output)) {
            reports.phase("trace");
            List<Path> files = probes.probes.stream().map(NamedProbe::file).toList();
            if (run.partOnly()) {
                int[] count = {0};
                tracing.run(
                        session, loaded, files, transcripts, "traces", "tracing", run, some -> count[0] += some.size());
                return out.shard(run, output, count[0]);
            }
            PlottedTraces plotted = new PlottedTraces(session.tokenizer()::pieces);
            try (OutputFile lines = OutputFile.create(output)) {
                try {
                    tracing.run(session, loaded, files, transcripts, "traces", "tracing", run, some -> {
                        for (List<RefusalTrace> traces : some) {
                            lines.writeLine(Output.line(json(session.tokenizer(), traces)));
                            if (reports.wanted()) {
                                plotted.add(transcripts.get(scores.size()), traces.getFirst());
                            }
                            scores.add(traces.stream().map(RefusalTrace::score).toList());
                        }
                    });
                } catch (StoppedException e) {
                    throw e.with(lines.leave());
                }
                lines.commit();
            }
            run.finish();
            reports.write("Refusal trace", session, output, page -> fill(page, plotted));
            summary();
        }
        return 0;
    }

    static void write(Path file, Tokenizer tokenizer, List<RefusalTrace> traces) {
        try (OutputFile lines = OutputFile.create(file)) {
            for (RefusalTrace trace : traces) {
                lines.writeLine(Output.line(scores(place(tokenizer, trace), trace)));
            }
            lines.commit();
        }
    }

    /** The record of a transcript: with several probes the scores of each under its name. */
    private ObjectNode json(Tokenizer tokenizer, List<RefusalTrace> traces) {
        ObjectNode json = place(tokenizer, traces.getFirst());
        if (traces.size() == 1) {
            return scores(json, traces.getFirst());
        }
        ObjectNode each = json.putObject("probes");
        for (int n = 0; n < traces.size(); n++) {
            scores(each.putObject(probes.probes.get(n).name()), traces.get(n));
        }
        return json;
    }

    private static ObjectNode place(Tokenizer tokenizer, RefusalTrace trace) {
        ObjectNode json = Output.object();
        json.put("id", trace.id()).put("tokens", trace.ids().length);
        Output.put(json, "thinking", new int[] {trace.thinkingStart(), trace.thinkingEnd()});
        Output.put(json, "token_ids", trace.ids());
        tokenizer.pieces(trace.ids()).forEach(json.putArray("token_texts")::add);
        return json;
    }

    private static ObjectNode scores(ObjectNode json, RefusalTrace trace) {
        Output.put(json, "scores", trace.scores());
        Output.put(json, "plateau", trace.plateau());
        Output.put(json, "final", trace.finalScore());
        Output.put(json, "misalignment", trace.misalignment());
        return json;
    }

    /** The page: plots of the first probe, and the numbers of each. */
    private void fill(RunReport.Builder page, PlottedTraces plotted) {
        List<CliffScore> first = of(0);
        int count = probes.probes.size();
        page.subtitle("Where do " + scores.size() + " transcripts lose the intention to refuse?"
                        + (count == 1
                                ? ""
                                : " Plots of the probe "
                                        + probes.probes.getFirst().name() + "."))
                .plateauRule(tracing.plateau().label())
                .story(PageParts.cliff(first));
        PlottedTraces.fill(page, plotted.series(), first);
        DataTable table = new DataTable("All transcripts", "Tokens of the thinking, and the scores.").name("id");
        table.number("thinking", 0);
        for (NamedProbe probe : probes.probes) {
            String of = count == 1 ? "" : probe.name() + ": ";
            table.number(of + "plateau", 4).number(of + "final", 4).number(of + "cliff", 4);
        }
        for (List<CliffScore> each : scores) {
            List<Object> row = new ArrayList<>();
            row.add(each.getFirst().id());
            row.add(each.getFirst().thinking());
            each.forEach(t -> row.addAll(List.of(t.plateau(), t.finalScore(), t.misalignment())));
            table.row(row.toArray());
        }
        page.table(table);
    }

    /** The numbers by one probe. */
    private List<CliffScore> of(int probe) {
        return scores.stream().map(each -> each.get(probe)).toList();
    }

    private void summary() {
        ObjectNode result = Output.object();
        result.put("output", output.toString()).put("transcripts", scores.size());
        int count = probes.probes.size();
        if (count == 1) {
            summary("", of(0), result);
        } else {
            ObjectNode each = result.putObject("probes");
            for (int n = 0; n < count; n++) {
                String name = probes.probes.get(n).name();
                summary(name + ": ", of(n), each.putObject(name));
            }
        }
        reports.tell(out, output);
        out.result(result);
    }

    private void summary(String name, List<CliffScore> some, ObjectNode result) {
        TraceMeans means = PageParts.means(some);
        if (Double.isNaN(means.plateau())) {
            out.say(
                    "%s%d transcripts: mean final score %.3f; none has thinking, so there is no plateau",
                    name, means.transcripts(), means.finalScore());
        } else {
            out.say(
                    "%s%d transcripts: mean plateau %.3f, final score %.3f, misalignment (cliff) %.3f",
                    name, means.transcripts(), means.plateau(), means.finalScore(), means.cliff());
        }
        Output.put(result, "plateau", means.plateau());
        Output.put(result, "final", means.finalScore());
        Output.put(result, "misalignment", means.cliff());
    }
}
