package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.BatchMemory;
import dev.belay.cliff.CostModel;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.ProbeScorer;
import dev.belay.cliff.TopCount;
import dev.belay.device.Device;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Work;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.run.Run;
import dev.belay.run.Shard;
import dev.belay.run.StoppedException;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay heads}: which attention heads suppress refusal. */
@Command(
        name = "heads",
        mixinStandardHelpOptions = true,
        description = {
            "Ranks attention heads by how much they suppress refusal.",
            "  direct   each head's output along the probe's direction, last position",
            "  causal   mean final score with each head ablated in turn",
            "  greedy   heads chosen one by one, sweeping all remaining heads each time"
        },
        footer = {
            "",
            "Example: belay heads models/tiny-cliff --probe probe.safetensors --method causal \\",
            "           --data models/tiny-cliff/data/attacks.jsonl -o heads.json"
        })
final class HeadsCommand implements Callable<Integer> {
    enum Method {
        direct,
        causal,
        greedy
    }

    private static final int SHOWN = 10;

    @Mixin
    private TextModelOptions options;

    @Mixin
    private ProbeOption probe;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Option(names = "--method", paramLabel = "METHOD", required = true, description = "direct, causal or greedy")
    private Method method;

    @Mixin
    private SweepOptions sweep;

    @Option(names = "-o", paramLabel = "H.json", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        sweep.check(input.data == null, options.markers());
        if (method == Method.greedy && !runs.shard().equals(Shard.WHOLE)) {
            throw new UsageException("--shard: each step of --method greedy needs the whole of the step before;"
                    + " only direct and causal have parts");
        }
        ModelConfig config = options.config();
        LinearProbe loaded = probe.load(config);
        int layer = loaded.layerIn(config.layers(), probe.file);
        sweep.check(layer * config.heads(), probe.file);
        remarks();
        input.read();
        OutputFile.check(output);
        reports.begin();
        if (method != Method.direct) {
            options.use = BatchMemory.Use.sweep(sweep.positions, sweep.renormalize, method == Method.greedy);
        }
        try (Session session = input.open(options);
                Run run = runs.open(session, output)) {
            // Before the pass takes its memory.
            DevicePeaks peaks = method == Method.direct ? null : peaks(session);
            List<ProbeText> texts = sweep.limited(input.probeTexts(session));
            ForwardPass forward = session.forward();
            try (ProbeScorer scorer = new ProbeScorer(forward, loaded, probe.file)) {
                reports.phase("rank");
                long start = System.nanoTime();
                HeadRanking ranking = rank(session, new RankingRun(scorer, texts, run), loaded);
                if (run.partOnly()) {
                    return out.shard(run, output, texts.size());
                }
                double seconds = (System.nanoTime() - start) / 1e9;
                WorkReport work = peaks == null || run.readSome()
                        ? null
                        : new WorkReport(cost(scorer, peaks, texts, ranking), peaks);
                write(session, ranking, texts.size(), work, seconds);
                run.finish();
            }
        }
        return 0;
    }

    /** The device's peaks, for the prediction; null, and no prediction, where there is no room to measure them. */
    private static DevicePeaks peaks(Session session) {
        try {
            return session.peaks();
        } catch (DeviceMemoryException e) {
            return null;
        }
    }

    /** Says which options do not matter. */
    private void remarks() {
        if (sweep.steps != null && method != Method.greedy) {
            Messages.current().notice("--steps does not matter to --method " + method);
        }
        if (method == Method.direct && (sweep.renormalize || !sweep.positions.equals(PositionScope.ALL))) {
            Messages.current()
                    .notice("--method direct reads the last position and ablates nothing:"
                            + " --positions and --renormalize do not matter");
        }
    }

    private HeadRanking rank(Session session, RankingRun ranking, LinearProbe loaded) {
        try {
            return rank(ranking, loaded);
        } catch (StoppedException e) {
            throw ranking.run().partOnly() ? e : e.with(writePartial(session, ranking, loaded));
        }
    }

    /** Leaves a ranking by what is done, if that gives one, under the partial name; says where it is. */
    private String writePartial(Session session, RankingRun run, LinearProbe loaded) {
        int done = switch (method) {
            case direct -> run.attributed();
            case causal -> run.swept();
            case greedy -> run.chosen(sweep.positions, sweep.renormalize);
        };
        if (done == 0) {
            return "";
        }
        HeadRanking ranking = switch (method) {
            case direct -> run.direct(loaded, done);
            case causal -> run.first(done).causal(sweep.positions, sweep.renormalize);
            case greedy -> run.greedy(sweep.positions, sweep.renormalize, done);
        };
        int transcripts = method == Method.greedy ? run.texts().size() : done;
        try (OutputFile file = OutputFile.create(output)) {
            file.write(Output.pretty(json(session, ranking, transcripts).put("partial", true)));
            return file.leave();
        }
    }

    private HeadRanking rank(RankingRun ranking, LinearProbe loaded) {
        return switch (method) {
            case direct -> ranking.direct(loaded);
            case causal -> ranking.causal(sweep.positions, sweep.renormalize);
            case greedy ->
                ranking.greedy(
                        sweep.positions,
                        sweep.renormalize,
                        sweep.count(options.config(), ranking.scorer().layer()));
        };
    }

    /** What the sweeps cost by the cost model, given the heads that they chose. */
    private Work cost(ProbeScorer scorer, DevicePeaks peaks, List<ProbeText> texts, HeadRanking ranking) {
        Device device = scorer.forward().model().device();
        int batch = scorer.forward().maxTokens();
        try (CostModel model = new CostModel(options.folder, device, peaks, batch, scorer.layer())) {
            List<CostModel.Head> chosen = method == Method.causal
                    ? List.of()
                    : ranking.ranking().subList(0, ranking.ranking().size() - 1).stream()
                            .map(e -> new CostModel.Head(e.layer(), e.head()))
                            .toList();
            return model.greedy(texts, sweep.positions, sweep.renormalize, chosen);
        }
    }

    private void fill(RunReport.Builder page, HeadRanking ranking, int transcripts) {
        int top = method == Method.greedy
                ? ranking.ranking().size()
                : TopCount.parse("3%").of(ranking.layers() * ranking.heads());
        HeadRanking.Entry first = ranking.ranking().getFirst();
        page.subtitle("Which attention heads suppress refusal, over " + transcripts + " transcripts, by the ranking "
                        + method + "?")
                .story(String.format(
                        Locale.ROOT,
                        method == Method.direct
                                ? "Head %d of layer %d works most against refusal: it writes %.3f along the probe's direction."
                                : "Ablating head %d of layer %d alone brings the mean final score to %.3f, from %.3f.",
                        first.head(),
                        first.layer(),
                        first.score(),
                        ranking.base()))
                .map(PageParts.map(ranking, top));
        DataTable table = new DataTable("All ranked heads", "Effect: how much the head suppresses refusal.")
                .number("rank", 0)
                .number("layer", 0)
                .number("head", 0)
                .number("score", 4)
                .number("effect", 4);
        int rank = 1;
        for (HeadRanking.Entry e : ranking.ranking()) {
            table.row(rank++, e.layer(), e.head(), e.score(), e.effect());
        }
        page.table(table);
    }

    private ObjectNode json(Session session, HeadRanking ranking, int transcripts) {
        ObjectNode json = ranking.toJson();
        json.put("transcripts", transcripts).put("renormalize", sweep.renormalize && method != Method.direct);
        return json.put("dtype", session.device().dtype().label()).put("model", session.fingerprint());
    }

    private void write(Session session, HeadRanking ranking, int transcripts, WorkReport work, double seconds) {
        ObjectNode json = json(session, ranking, transcripts);
        OutputFile.writeText(output, Output.pretty(json));
        reports.write("Heads that suppress refusal", session, output, page -> fill(page, ranking, transcripts));
        out.say("%s ranking over %d transcripts, mean final score %.4f", method, transcripts, ranking.base());
        if (ranking.changedHeadTokens() > 0) {
            out.say("%,d head outputs taken away, at positions %s", ranking.changedHeadTokens(), ranking.positions());
        }
        out.say("  rank  layer  head     score    effect");
        int rank = 1;
        for (HeadRanking.Entry e :
                ranking.ranking().subList(0, Math.min(SHOWN, ranking.ranking().size()))) {
            out.say("  %4d  %5d  %4d  %8.4f  %+8.4f", rank++, e.layer(), e.head(), e.score(), e.effect());
        }
        if (work != null) {
            out.say("%s", work.measured(seconds));
            json.set("sweep", work.json(seconds));
        }
        reports.tell(out, output);
        out.result(json);
    }
}
