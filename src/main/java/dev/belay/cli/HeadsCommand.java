package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.AblationSweep;
import dev.belay.cliff.GreedySelection;
import dev.belay.cliff.HeadAttribution;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.ProbeScorer;
import dev.belay.cliff.TopCount;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.PositionScope;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.List;
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
        })
final class HeadsCommand implements Callable<Integer> {
    enum Method {
        direct,
        causal,
        greedy
    }

    private static final int SHOWN = 10;

    @Mixin
    private ModelOptions options;

    @Mixin
    private ProbeOption probe;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Option(names = "--method", paramLabel = "METHOD", required = true, description = "direct, causal or greedy")
    private Method method;

    @Option(
            names = "--positions",
            paramLabel = "SCOPE",
            defaultValue = "all",
            converter = Converters.Scope.class,
            description = "where heads are ablated: all (default), closing or last:k")
    private PositionScope positions;

    @Option(names = "--renormalize", description = "keep the norm of the concatenated head outputs of each token")
    private boolean renormalize;

    @Option(
            names = "--limit",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "use the first N transcripts only")
    private Integer limit;

    @Option(
            names = "--steps",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "greedy: number of heads to choose (default 3%% of all, rounded up)")
    private Integer steps;

    @Option(names = "-o", paramLabel = "H.json", required = true, description = "output file")
    private Path output;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (positions.kind() == PositionScope.Kind.GENERATED) {
            throw new UsageException("--positions generated: a sweep generates nothing; use all, closing or last:k");
        }
        ModelConfig config = options.config();
        LinearProbe loaded = probe.load(config);
        check(loaded.layerIn(config.layers(), probe.file) * config.heads());
        if (input.data == null && positions.equals(PositionScope.CLOSING)) {
            throw new UsageException("bare token ids have no closing positions: use --positions all or last:k");
        }
        input.read();
        OutputFile.check(output);
        try (Session session = input.open(options)) {
            List<ProbeText> texts = input.probeTexts(session);
            if (limit != null && limit < texts.size()) {
                texts = texts.subList(0, limit);
            }
            ForwardPass forward = session.forward(ProbeScorer.texts(texts));
            try (ProbeScorer scorer = new ProbeScorer(forward, loaded, probe.file)) {
                HeadRanking ranking = rank(scorer, loaded, texts);
                write(session, ranking, texts.size());
            }
        }
        return 0;
    }

    /** @param available number of heads below the probe's layer */
    private void check(int available) {
        if (available == 0) {
            throw new BelayException(probe.file + " reads H[0], the embeddings: no head comes before it");
        }
        if (steps != null && steps > available) {
            throw new UsageException(
                    "--steps " + steps + " is more than the " + available + " heads below the probe's layer");
        }
        if (steps != null && method != Method.greedy) {
            out.note("--steps does not matter to --method " + method);
        }
        if (method == Method.direct && (renormalize || !positions.equals(PositionScope.ALL))) {
            out.note("--method direct reads the last position and ablates nothing:"
                    + " --positions and --renormalize do not matter");
        }
    }

    private HeadRanking rank(ProbeScorer scorer, LinearProbe loaded, List<ProbeText> texts) {
        return switch (method) {
            case direct -> direct(scorer, loaded, texts);
            case causal -> causal(scorer, texts, positions, renormalize);
            case greedy -> {
                ModelConfig config = scorer.forward().model().config();
                int three = TopCount.parse("3%").of(config.layers() * config.heads());
                int count = steps == null ? Math.min(three, scorer.layer() * config.heads()) : steps;
                yield greedy(scorer, texts, positions, renormalize, count);
            }
        };
    }

    static HeadRanking direct(ProbeScorer scorer, LinearProbe probe, List<ProbeText> texts) {
        try (Progress progress = new Progress("attributing heads", texts.size())) {
            double base = scorer.finalScores(texts, null, n -> {}).mean();
            return HeadRanking.direct(
                    base, HeadAttribution.direct(scorer.forward(), probe, scorer.layer(), texts, progress::at));
        }
    }

    static HeadRanking causal(ProbeScorer scorer, List<ProbeText> texts, PositionScope scope, boolean renormalize) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        try (Progress progress = new Progress("sweeping heads", sweep.work(texts.size()))) {
            return HeadRanking.causal(scope.toString(), sweep.run(texts, sweep.emptyMask(), progress::at));
        }
    }

    static HeadRanking greedy(
            ProbeScorer scorer, List<ProbeText> texts, PositionScope scope, boolean renormalize, int count) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        try (Progress progress = new Progress("choosing heads", count * sweep.work(texts.size()))) {
            return HeadRanking.greedy(scope.toString(), GreedySelection.run(sweep, texts, count, progress::at));
        }
    }

    private void write(Session session, HeadRanking ranking, int transcripts) {
        ObjectNode json = ranking.toJson();
        json.put("transcripts", transcripts).put("renormalize", renormalize && method != Method.direct);
        json.put("dtype", session.device().dtype().label()).put("model", session.fingerprint());
        OutputFile.writeText(output, Output.pretty(json));
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
        out.say("written to %s", output);
        out.result(json);
    }
}
