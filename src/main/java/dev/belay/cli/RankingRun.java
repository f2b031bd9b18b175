package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.AblationSweep;
import dev.belay.cliff.GreedySelection;
import dev.belay.cliff.HeadAttribution;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.ProbeScorer;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.probe.LinearProbe;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.function.LongConsumer;

/** Ranks heads, batch by batch of transcripts, as stages of a run. */
record RankingRun(ProbeScorer scorer, List<ProbeText> texts, Run run) {
    private static final String ATTRIBUTION = "attribution";

    /** Texts whose attribution is done. */
    int attributed() {
        return run.done(ATTRIBUTION);
    }

    /** Texts over which the first sweep is done. */
    int swept() {
        return run.done(sweepName(new HeadMask(layers(), heads(), PositionScope.ALL, false)));
    }

    /** Heads that {@link #greedy} has chosen, each by a sweep over all texts. */
    int chosen(PositionScope scope, boolean renormalize) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        HeadMask chosen = sweep.emptyMask();
        while (run.done(sweepName(chosen)) == texts.size()) {
            GreedySelection.choose(sweep(sweep, chosen, _ -> {}), chosen);
        }
        return chosen.size();
    }

    /** The same run over the first texts only. */
    RankingRun first(int count) {
        return new RankingRun(scorer, texts.subList(0, count), run);
    }

    /** The stage of a sweep given heads chosen before; it names them, as more texts may have others chosen. */
    private String sweepName(HeadMask chosen) {
        StringBuilder name = new StringBuilder("sweep " + chosen.size());
        for (int l = 0; l < layers(); l++) {
            for (int h = 0; h < heads(); h++) {
                if (chosen.factor(l, h) != 1f) {
                    name.append(' ').append(l).append(',').append(h);
                }
            }
        }
        return name.toString();
    }

    private int layers() {
        return scorer.forward().model().config().layers();
    }

    private int heads() {
        return scorer.forward().model().config().heads();
    }

    HeadRanking direct(LinearProbe probe) {
        return direct(probe, texts.size());
    }

    /** Ranks by the attribution of the first {@code count} texts, with the mean final score of all. */
    HeadRanking direct(LinearProbe probe, int count) {
        List<ProbeText> first = texts.subList(0, count);
        double base = FinalScoreStage.mean("final scores", scorer, texts, null, run);
        double[][] sums = new double[layers()][heads()];
        try (HeadAttribution attribution = new HeadAttribution(scorer.forward(), probe, scorer.layer());
                Progress progress = new Progress("attributing heads", count)) {
            run.stage(
                    ATTRIBUTION,
                    TextBatches.of(first, scorer.forward()),
                    (from, end) -> Output.arrays(List.of(attribution.sums(first.subList(from, end), n -> {}))),
                    (from, end, value) -> {
                        double[][] more = rows(value);
                        for (int l = 0; l < layers(); l++) {
                            for (int h = 0; h < heads(); h++) {
                                sums[l][h] += more[l][h];
                            }
                        }
                        progress.at(end);
                    });
        }
        return HeadRanking.direct(base, HeadAttribution.mean(sums, count));
    }

    HeadRanking causal(PositionScope scope, boolean renormalize) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        try (Progress progress = new Progress("sweeping heads", sweep.work(texts.size()))) {
            return HeadRanking.causal(scope.toString(), sweep(sweep, sweep.emptyMask(), progress::at));
        }
    }

    HeadRanking greedy(PositionScope scope, boolean renormalize, int count) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        try (Progress progress = new Progress("choosing heads", count * sweep.work(texts.size()))) {
            return HeadRanking.greedy(
                    scope.toString(),
                    GreedySelection.run(sweep.emptyMask(), count, chosen -> sweep(sweep, chosen, progress::at)));
        }
    }

    private AblationSweep.Result sweep(AblationSweep sweep, HeadMask chosen, LongConsumer progress) {
        AblationSweep.Result[] total = {sweep.nothing()};
        long before = chosen.size() * sweep.work(texts.size());
        run.stage(
                sweepName(chosen),
                TextBatches.of(texts, scorer.forward()),
                (from, end) -> json(sweep.total(
                        texts.subList(from, end), chosen, done -> progress.accept(before + sweep.work(from) + done))),
                (from, end, value) -> total[0] = total[0].plus(result(value)));
        return total[0].mean(texts.size());
    }

    private static ObjectNode json(AblationSweep.Result result) {
        ObjectNode json = Output.object();
        json.put("base", result.base()).put("changed", result.changedHeadTokens());
        json.set("scores", Output.arrays(List.of(result.scores())));
        return json;
    }

    private static AblationSweep.Result result(JsonNode json) {
        return new AblationSweep.Result(
                json.get("base").asDouble(),
                rows(json.get("scores")),
                json.get("changed").longValue());
    }

    private static double[][] rows(JsonNode arrays) {
        double[][] rows = new double[arrays.size()][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = Output.doubles(arrays.get(i));
        }
        return rows;
    }
}
