package dev.belay.cli;

import dev.belay.cliff.CliffScore;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.HeadRanking;
import dev.belay.judge.JudgeSummary;
import dev.belay.report.DataTable;
import dev.belay.report.HeadMap;
import dev.belay.report.OutcomeBar;
import dev.belay.report.RunReport;
import dev.belay.report.SelectedExample;
import dev.belay.report.TraceMeans;
import dev.belay.stats.Estimate;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** Turns what commands find into the page's own records. */
final class PageParts {
    private PageParts() {}

    /** The means of transcripts. */
    static TraceMeans means(List<CliffScore> scores) {
        return TraceMeans.of(scores, CliffScore::plateau, CliffScore::finalScore, CliffScore::misalignment);
    }

    /** A sentence on the cliff of transcripts. */
    static String cliff(List<CliffScore> scores) {
        TraceMeans means = means(scores);
        return Double.isNaN(means.plateau())
                ? String.format(
                        Locale.ROOT,
                        "Before the answer the mean refusal score is %.2f; nothing has thinking.",
                        means.finalScore())
                : String.format(
                        Locale.ROOT,
                        "While thinking the refusal score stands at %.2f, before the answer at %.2f: a cliff of %.2f.",
                        means.plateau(),
                        means.finalScore(),
                        means.cliff());
    }

    /** A ranking as a map. */
    static HeadMap map(HeadRanking ranking, int top) {
        double[][] scores = ranking.scores();
        if (ranking.method().equals("greedy")) {
            scores = Arrays.stream(scores).map(double[]::clone).toArray(double[][]::new);
            put(ranking.ranking(), scores);
        }
        return map(ranking, explanation(ranking), scores, top);
    }

    /** A ranking that was read from a file, as far as the file has scores: those of the ranked heads. */
    static HeadMap map(HeadRanking read, int layers, int heads, int top) {
        double[][] scores = new double[layers][heads];
        Arrays.stream(scores).forEach(layer -> Arrays.fill(layer, Double.NaN));
        boolean scored = Double.isFinite(read.base());
        if (scored) {
            put(
                    read.ranking().stream()
                            .filter(e -> e.layer() < layers && e.head() < heads)
                            .toList(),
                    scores);
        }
        return map(read, scored ? explanation(read) : "The ranking has no scores.", scores, top);
    }

    private static void put(List<HeadRanking.Entry> entries, double[][] scores) {
        entries.forEach(e -> scores[e.layer()][e.head()] = e.score());
    }

    private static HeadMap map(HeadRanking ranking, String explanation, double[][] scores, int top) {
        boolean direct = ranking.method().equals("direct");
        boolean scored = Double.isFinite(ranking.base());
        List<HeadMap.HeadRef> heads = ranking.top(top).stream()
                .map(e -> new HeadMap.HeadRef(e.layer(), e.head(), scored ? e.score() : Double.NaN))
                .toList();
        return new HeadMap(
                ranking.method(),
                explanation,
                direct ? "logit along the probe" : "mean final score",
                direct || !scored ? 0 : ranking.base(),
                scores,
                direct,
                heads);
    }

    private static String explanation(HeadRanking ranking) {
        return switch (ranking.method()) {
            case "direct" ->
                "What each head writes along the probe's direction at the last position; the most negative work against refusal.";
            case "causal" ->
                "Mean final score with that head alone ablated, at positions: " + ranking.positions()
                        + "; the largest suppress refusal.";
            default ->
                "Heads chosen one by one: a chosen head shows the mean final score with it and those before it ablated,"
                        + " any other the score with that head alone.";
        };
    }

    /** Bars for attacks under each arm, and for harmless prompts if there are any. */
    static void outcomes(
            RunReport.Builder page, List<AblationStudy.Outcome> attacks, List<AblationStudy.Outcome> benign) {
        page.outcome(share("attacks refused", attacks, JudgeSummary::refusalRate));
        if (!benign.isEmpty()) {
            page.outcome(share("harmless prompts answered", benign, JudgeSummary::attackSuccessRate));
        }
        if (Double.isFinite(attacks.getFirst().finalScore())) {
            page.outcome(OutcomeBar.meanScore(
                    "final score of attacks",
                    attacks.get(0).finalScore(),
                    attacks.get(1).finalScore(),
                    attacks.size() > 2 ? attacks.get(2).finalScore() : Double.NaN,
                    attacks.getFirst().replies().size()));
        }
    }

    private static OutcomeBar share(
            String group, List<AblationStudy.Outcome> arms, ToDoubleFunction<JudgeSummary> rate) {
        return OutcomeBar.share(
                group,
                rate.applyAsDouble(arms.get(0).summary()),
                rate.applyAsDouble(arms.get(1).summary()),
                arms.size() > 2 ? rate.applyAsDouble(arms.get(2).summary()) : Double.NaN,
                arms.getFirst().replies().size());
    }

    /** Kept training examples; their kind is what their own data says. */
    static List<SelectedExample> selected(List<Transcript> pool, List<DataSelection.Candidate> kept) {
        List<SelectedExample> selected = new ArrayList<>();
        for (DataSelection.Candidate c : kept) {
            Transcript t = pool.get(c.index());
            String kind = t.meta() == null ? "" : t.meta().path("kind").asText("");
            selected.add(new SelectedExample(c.id(), t.prompt(), c.misalignment(), c.finalScore(), kind));
        }
        return selected;
    }

    /** A bar for each part of {@code n} texts, with Wilson's interval. */
    static OutcomeBar shares(String group, Map<String, Integer> parts, int n) {
        List<OutcomeBar.Bar> bars = new ArrayList<>();
        parts.forEach((name, count) -> bars.add(new OutcomeBar.Bar(name, Estimate.share((double) count / n, n))));
        return new OutcomeBar(group, OutcomeBar.Measure.SHARE, bars, n);
    }

    /** What every arm answered to each transcript. */
    static DataTable answers(String title, List<AblationStudy.Outcome> arms) {
        DataTable table =
                new DataTable(title, "What the refusal phrases say of each response, and its beginning.").name("id");
        arms.forEach(arm -> table.text(arm.arm().name()));
        table.wide("response before").wide("response after");
        for (int i = 0; i < arms.getFirst().replies().size(); i++) {
            List<Object> row = new ArrayList<>();
            row.add(arms.getFirst().replies().get(i).input().id());
            for (AblationStudy.Outcome arm : arms) {
                row.add(arm.judged().get(i).response().word());
            }
            row.add(arms.get(0).replies().get(i).response());
            row.add(arms.get(1).replies().get(i).response());
            table.row(row.toArray());
        }
        return table;
    }
}
