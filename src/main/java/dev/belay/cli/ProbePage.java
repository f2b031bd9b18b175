package dev.belay.cli;

import dev.belay.probe.ProbeFit;
import dev.belay.probe.ProbeMetrics;
import dev.belay.report.DataTable;
import dev.belay.report.OutcomeBar;
import dev.belay.report.OutcomeBar.Bar;
import dev.belay.report.ProbeSummary;
import dev.belay.report.RunReport;
import dev.belay.stats.Estimate;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How well a probe does, on the pages of {@code belay probe train} and {@code belay probe test}.
 *
 * @param transcripts that it was measured on
 * @param refuse which of them refuse, [n]
 * @param scores of each direction, the one that scores first, [directions][n]
 * @param metrics of each direction
 * @param fits of each direction to all transcripts; empty if it was fitted to others
 * @param folds the part of each transcript in cross-validation, [n]; null without
 */
record ProbePage(
        List<Transcript> transcripts,
        boolean[] refuse,
        double[][] scores,
        List<ProbeMetrics> metrics,
        List<ProbeFit> fits,
        int[] folds) {
    private static final double MIDDLE = 0.5;

    void fill(RunReport.Builder page) {
        ProbeMetrics m = metrics.getFirst();
        page.probe(new ProbeSummary(m.n(), m.accuracy(), m.auroc(), m.logLoss(), m.calibrationError()));
        List<Bar> sides = new ArrayList<>();
        List<Bar> means = new ArrayList<>();
        for (boolean refusals : new boolean[] {true, false}) {
            int[] members = IntStream.range(0, refuse.length)
                    .filter(i -> refuse[i] == refusals)
                    .toArray();
            double right = IntStream.of(members).filter(this::right).count();
            double mean = IntStream.of(members)
                    .mapToDouble(i -> scores[0][i])
                    .average()
                    .orElse(Double.NaN);
            sides.add(new Bar(word(refusals), Estimate.share(right / members.length, members.length)));
            means.add(new Bar(word(refusals), OutcomeBar.bare(mean)));
        }
        page.outcome(new OutcomeBar("on their side", OutcomeBar.Measure.SHARE, sides, refuse.length));
        page.outcome(new OutcomeBar("mean score", OutcomeBar.Measure.MEAN_SCORE, means, refuse.length));
        page.table(directions()).table(examples());
    }

    private static String word(boolean refuses) {
        return refuses ? "refuses" : "answers";
    }

    private boolean right(int transcript) {
        return scores[0][transcript] >= MIDDLE == refuse[transcript];
    }

    private DataTable directions() {
        boolean fitted = !fits.isEmpty();
        DataTable table = new DataTable(
                        "Directions",
                        fitted
                                ? "Quality on the folds left out, and the fit to all transcripts. The first direction scores."
                                : "Quality on these transcripts. The first direction scores.")
                .number("direction", 0)
                .number("accuracy", 4)
                .number("AUROC", 4)
                .number("log loss", 4)
                .number("calibration error", 4);
        if (fitted) {
            table.number("objective", 6).number("iterations", 0).text("converged");
        }
        for (int d = 0; d < metrics.size(); d++) {
            ProbeMetrics m = metrics.get(d);
            List<Object> row =
                    new ArrayList<>(List.of(d + 1, m.accuracy(), m.auroc(), m.logLoss(), m.calibrationError()));
            if (fitted) {
                ProbeFit fit = fits.get(d);
                row.addAll(List.of(fit.objective(), fit.iterations(), fit.converged() ? "yes" : "no"));
            }
            table.row(row.toArray());
        }
        return table;
    }

    private DataTable examples() {
        DataTable table = new DataTable(
                "All transcripts",
                (folds == null ? "The score of each" : "The score of each by a probe fitted without its fold")
                        + "; from 0.5 on the probe reads a refusal.");
        table.name("id").text("class").number("score", 4).text("side");
        if (folds != null) {
            table.number("fold", 0);
        }
        table.wide("prompt");
        for (int i = 0; i < refuse.length; i++) {
            List<Object> row = new ArrayList<>();
            row.addAll(List.of(transcripts.get(i).id(), word(refuse[i]), scores[0][i], right(i) ? "right" : "wrong"));
            if (folds != null) {
                row.add(folds[i] + 1);
            }
            row.add(transcripts.get(i).prompt());
            table.row(row.toArray());
        }
        return table;
    }
}
