package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.CliffScore;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.RefusalTrace;
import dev.belay.cliff.TopCount;
import dev.belay.cliff.TrainingFormat;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.probe.LinearProbe;
import dev.belay.report.RunReport;
import dev.belay.report.TraceSeries;
import dev.belay.run.Run;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay select}: Cliff-as-a-Judge. */
@Command(
        name = "select",
        mixinStandardHelpOptions = true,
        description = "Keeps the training examples with the deepest cliffs (Cliff-as-a-Judge).",
        footer = {
            "",
            "Example: belay select models/tiny-cliff --probe probe.safetensors --top 1.7%% \\",
            "           --data models/tiny-cliff/data/pool.jsonl -o selected.jsonl"
        })
final class SelectCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Mixin
    private ProbeOption probe;

    @Mixin
    private TraceOptions tracing;

    @Option(
            names = "--data",
            paramLabel = "pool.jsonl",
            required = true,
            description = "training examples as transcripts")
    private Path data;

    @Option(
            names = "--top",
            paramLabel = "N|P%",
            required = true,
            converter = Converters.Top.class,
            description = "how many to keep: a number, or a percentage rounded up")
    private TopCount top;

    @Option(
            names = "--rank",
            paramLabel = "BY",
            defaultValue = "misalignment",
            converter = Converters.Rank.class,
            completionCandidates = Choices.Ranks.class,
            description = "misalignment (default), final or random")
    private DataSelection.Rank rank;

    @Option(names = "--seed", paramLabel = "S", defaultValue = "0", description = "seed of --rank random (default 0)")
    private long seed;

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            defaultValue = "transcript",
            converter = Converters.Format.class,
            completionCandidates = Choices.Formats.class,
            description = "transcript (default; the line as it was), alpaca or messages")
    private TrainingFormat format;

    @Option(names = "-o", paramLabel = "S.jsonl", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        LinearProbe loaded = probe.load(options.config());
        List<Transcript> pool = Transcripts.read(data);
        // More than there are is found before anything slow is done.
        top.of(pool.size());
        OutputFile.check(output);
        reports.begin();
        try (Session session = Session.openForText(options);
                Run run = runs.open(session, output)) {
            reports.phase("trace");
            List<CliffScore> scores = new ArrayList<>();
            trace(session, loaded, pool, "scoring", run, trace -> scores.add(trace.score()));
            if (run.partOnly()) {
                return out.shard(run, output, scores.size());
            }
            List<DataSelection.Candidate> candidates = candidates(scores, rank);
            if (!candidates.isEmpty() && candidates.size() < scores.size()) {
                int without = scores.size() - candidates.size();
                Messages.current()
                        .warning(without + " of " + scores.size() + " transcripts have no thinking, so no misalignment"
                                + " score; left out (--rank final would rank them)");
            }
            if (candidates.isEmpty()) {
                throw new BelayException(
                        data + ": no transcript has thinking, so none has a misalignment score; use --rank final");
            }
            List<DataSelection.Candidate> kept =
                    DataSelection.select(candidates, rank, top.of(candidates.size()), seed);
            write(session, output, format, pool, kept);
            List<CliffScore> chosen =
                    kept.stream().map(c -> scores.get(c.index())).toList();
            // Traces are read from the run's journal, where only now it is known which are plotted.
            List<TraceSeries> plotted =
                    reports.wanted() ? plotted(session, loaded, pool, kept, chosen, run) : List.of();
            run.finish();
            reports.write("Selected examples", session, output, page -> fill(page, pool, plotted, kept, chosen));
            print(kept, pool.size());
        }
        return 0;
    }

    private void trace(
            Session session,
            LinearProbe loaded,
            List<Transcript> pool,
            String label,
            Run run,
            Consumer<RefusalTrace> sink) {
        tracing.run(session, loaded, probe.file, pool, "traces", label, run, traces -> traces.forEach(sink));
    }

    /** The traces of kept examples for the page, best first. */
    private List<TraceSeries> plotted(
            Session session,
            LinearProbe loaded,
            List<Transcript> pool,
            List<DataSelection.Candidate> kept,
            List<CliffScore> chosen,
            Run run) {
        Map<Integer, RefusalTrace> byIndex = new LinkedHashMap<>();
        kept.subList(0, PlottedTraces.count(chosen)).forEach(c -> byIndex.put(c.index(), null));
        int[] index = {0};
        trace(session, loaded, pool, "plotting", run, trace -> byIndex.replace(index[0]++, trace));
        PlottedTraces plotted = new PlottedTraces(session.tokenizer()::pieces);
        byIndex.forEach((i, trace) -> plotted.add(pool.get(i), trace));
        return plotted.series();
    }

    /** The transcripts that the ranking can rank. */
    static List<DataSelection.Candidate> candidates(List<CliffScore> scores, DataSelection.Rank rank) {
        List<DataSelection.Candidate> candidates = new ArrayList<>();
        for (int i = 0; i < scores.size(); i++) {
            CliffScore t = scores.get(i);
            if (t.thinking() > 0 || rank != DataSelection.Rank.MISALIGNMENT) {
                candidates.add(new DataSelection.Candidate(i, t.id(), t.misalignment(), t.finalScore()));
            }
        }
        return candidates;
    }

    static void write(
            Session session,
            Path file,
            TrainingFormat format,
            List<Transcript> pool,
            List<DataSelection.Candidate> kept) {
        try (OutputFile lines = OutputFile.create(file)) {
            for (DataSelection.Candidate c : kept) {
                lines.writeLine(format.line(session.withSystem(pool.get(c.index())), session.markers()));
            }
            lines.commit();
        }
    }

    /** The page: plots of the kept examples. */
    private void fill(
            RunReport.Builder page,
            List<Transcript> pool,
            List<TraceSeries> plotted,
            List<DataSelection.Candidate> kept,
            List<CliffScore> chosen) {
        page.subtitle("Which " + top + " of " + pool.size() + " training examples are worth the most, by " + rank + "?")
                .plateauRule(tracing.plateau().label());
        page.story("Of " + pool.size() + " examples " + kept.size() + " are kept. " + PageParts.cliff(chosen));
        PlottedTraces.fill(page, plotted, chosen);
        PageParts.selected(pool, kept).forEach(page::selected);
    }

    private void print(List<DataSelection.Candidate> kept, int pool) {
        out.say("kept %d of %d by %s:", kept.size(), pool, rank);
        out.say("  %-20s misalignment  final score", "id");
        ObjectNode result = Output.object();
        result.put("output", output.toString()).put("pool", pool).put("rank", rank.toString());
        ArrayNode items = result.putArray("selected");
        for (DataSelection.Candidate c : kept) {
            out.say("  %-20s %12.4f %12.4f", c.id(), c.misalignment(), c.finalScore());
            ObjectNode item = items.addObject().put("id", c.id());
            Output.put(item, "misalignment", c.misalignment());
            Output.put(item, "final", c.finalScore());
        }
        reports.tell(out, output);
        out.result(result);
    }
}
