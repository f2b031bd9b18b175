package dev.belay.cli;

import dev.belay.dataset.Question;
import dev.belay.report.DataTable;
import dev.belay.report.OutcomeBar;
import dev.belay.report.RunReport;
import dev.belay.stats.Change;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The page of {@code belay eval}.
 *
 * @param scores of each way of running the model, one or two
 */
record EvalPage(String task, List<Question> questions, List<ChoiceScores> scores) {
    void fill(RunReport.Builder page) {
        int n = questions.size();
        page.subtitle("How many of " + n + " questions of " + task + " does the model answer rightly"
                + (scores.size() == 1 ? "?" : ", before and after the ablation?"));
        String before = String.format(
                Locale.ROOT,
                "%.1f %%",
                100 * scores.getFirst().accuracy(ChoiceScores.Measure.ACC).value());
        if (scores.size() == 1) {
            page.story("It answers " + before + " of them rightly (acc).");
        } else {
            Change c = ChoiceScores.change(scores, ChoiceScores.Measure.ACC);
            page.story(String.format(
                    Locale.ROOT,
                    "It answers %s of them rightly, with the heads ablated %.1f %% (acc; %d gained, %d lost, p %s).",
                    before,
                    100 * scores.get(1).accuracy(ChoiceScores.Measure.ACC).value(),
                    c.up(),
                    c.down(),
                    c.pWords()));
        }
        bars(page);
        page.table(table());
    }

    private void bars(RunReport.Builder page) {
        for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
            List<OutcomeBar.Bar> bars = new ArrayList<>();
            for (ChoiceScores s : scores) {
                String label = scores.size() == 1 ? measure.label() : s.arm();
                bars.add(new OutcomeBar.Bar(label, s.accuracy(measure)));
            }
            page.outcome(new OutcomeBar(measure.label(), OutcomeBar.Measure.SHARE, bars, questions.size()));
        }
    }

    private DataTable table() {
        DataTable table = new DataTable("All questions", "Whether the right choice is the likeliest, by each measure.")
                .name("id")
                .number("right choice", 0);
        for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
            scores.forEach(s -> table.text(measure.label() + (scores.size() == 1 ? "" : ", " + s.arm())));
        }
        for (int q = 0; q < questions.size(); q++) {
            List<Object> row = new ArrayList<>(
                    List.of(questions.get(q).id(), questions.get(q).gold()));
            for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
                for (ChoiceScores s : scores) {
                    row.add(s.right(measure)[q] ? "right" : "wrong");
                }
            }
            table.row(row.toArray());
        }
        return table;
    }
}
