package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.CliffScore;
import dev.belay.cliff.Plateau;
import dev.belay.judge.Verdict;
import dev.belay.report.Comparison;
import dev.belay.report.Comparison.Row;
import dev.belay.report.OutcomeBar;
import dev.belay.report.OutcomeBar.Measure;
import dev.belay.report.RunReport;
import dev.belay.stats.Bootstrap;
import dev.belay.stats.Change;
import dev.belay.stats.Estimate;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** What differs between two models, as a table, JSON and a page. */
final class CheckpointComparison {
    /** Of the resamples and permutations. */
    private static final long SEED = 0;

    private static final String ATTACKS = "attacks";
    private static final String HARMLESS = "harmless prompts";

    private final Checkpoint before;
    private final Checkpoint after;
    private final List<Row> rows = new ArrayList<>();

    CheckpointComparison(Checkpoint before, Checkpoint after) {
        this.before = before;
        this.after = after;
        scores("plateau", CliffScore::plateau);
        scores("final score", CliffScore::finalScore);
        scores("cliff", CliffScore::misalignment);
        share(ATTACKS, "attack success", before.attacks(), after.attacks(), Verdict.Outcome.ANSWERED);
        share(ATTACKS, "refused", before.attacks(), after.attacks(), Verdict.Outcome.REFUSED);
        if (before.harmless() != null) {
            share(HARMLESS, "refused", before.harmless(), after.harmless(), Verdict.Outcome.REFUSED);
        }
    }

    private void scores(String name, ToDoubleFunction<CliffScore> number) {
        Change change = Change.ofScores(before.scores(number), after.scores(number), SEED);
        rows.add(new Row(ATTACKS, name, Measure.MEAN_SCORE, change));
    }

    private void share(
            String group, String name, AblationStudy.Outcome one, AblationStudy.Outcome other, Verdict.Outcome wanted) {
        Change change = Change.ofTruths(truths(one, wanted), truths(other, wanted), SEED);
        rows.add(new Row(group, name, Measure.SHARE, change));
    }

    private static boolean[] truths(AblationStudy.Outcome outcome, Verdict.Outcome wanted) {
        boolean[] truths = new boolean[outcome.verdicts().size()];
        for (int i = 0; i < truths.length; i++) {
            truths[i] = outcome.verdicts().get(i).outcome() == wanted;
        }
        return truths;
    }

    /** Prints the table. */
    void say(Output out) {
        String group = "";
        for (Row row : rows) {
            Change c = row.change();
            if (!row.group().equals(group)) {
                group = row.group();
                int n = group.equals(ATTACKS)
                        ? before.scores().size()
                        : before.harmless().verdicts().size();
                out.say("%-18s %-24s %-24s %-26s %s", n + " " + group, "before", "after", "change", "p");
            }
            out.say(
                    "  %-16s %-24s %-24s %-26s %s",
                    row.name(),
                    words(row.measure(), c.before(), ""),
                    words(row.measure(), c.after(), ""),
                    words(row.measure(), c.difference(), "+"),
                    c.pWords());
        }
        out.say("attack success and refused: judged by %s", AblationStudy.JUDGE);
    }

    private static String words(Measure measure, Estimate e, String sign) {
        if (Double.isNaN(e.value())) {
            return "-";
        }
        boolean share = measure == Measure.SHARE;
        double unit = share ? 100 : 1;
        String number = "%" + sign + (share ? ".1f" : ".3f");
        String format = number + (share ? " %%" : "") + " [" + number + ", " + number + "]";
        return String.format(Locale.ROOT, format, unit * e.value(), unit * e.low(), unit * e.high());
    }

    /** Puts totals and every transcript. */
    void put(ObjectNode json) {
        json.put("resamples", Bootstrap.RESAMPLES);
        for (Row row : rows) {
            String group = row.group().equals(ATTACKS) ? "attacks" : "benign";
            json.withObjectProperty(group).set(row.name().replace(' ', '_'), json(row.change()));
        }
        ObjectNode attacks = json.withObjectProperty("attacks");
        attacks.setAll(AblationStudy.json(List.of(before.attacks(), after.attacks())));
        for (int i = 0; i < before.scores().size(); i++) {
            ObjectNode item = (ObjectNode) attacks.get("items").get(i);
            put(item.withObjectProperty("before"), before.scores().get(i));
            put(item.withObjectProperty("after"), after.scores().get(i));
        }
        if (before.harmless() != null) {
            json.withObjectProperty("benign").setAll(AblationStudy.json(List.of(before.harmless(), after.harmless())));
        }
    }

    private static ObjectNode json(Change c) {
        ObjectNode json = Output.object().put("n", c.n());
        json.set("before", json(c.before()));
        json.set("after", json(c.after()));
        json.set("change", json(c.difference()));
        return json.put("up", c.up()).put("down", c.down()).put("p", c.p());
    }

    private static ObjectNode json(Estimate e) {
        ObjectNode json = Output.object();
        Output.put(json, "mean", e.value());
        Output.put(json, "low", e.low());
        Output.put(json, "high", e.high());
        return json;
    }

    private static void put(ObjectNode json, CliffScore score) {
        Output.put(json, "plateau", score.plateau());
        Output.put(json, "final", score.finalScore());
        Output.put(json, "misalignment", score.misalignment());
    }

    /** Fills the page. */
    void fill(RunReport.Builder page, Plateau rule) {
        // The same in both, which may have other tokens.
        int plotted = Math.min(before.series().size(), after.series().size());
        page.subtitle(before.scores().size() + " attacks"
                        + (before.harmless() == null
                                ? ""
                                : ", " + before.harmless().verdicts().size() + " " + HARMLESS))
                .plateauRule(rule.label())
                .comparison(new Comparison(
                        before.name(), after.name(), before.series().subList(0, plotted), rows));
        rows.forEach(row -> {
            if (!row.name().equals("plateau") && !row.name().equals("final score")) {
                page.story(sentence(row));
            }
            page.outcome(OutcomeBar.change(row.group() + ": " + row.name(), row.measure(), row.change()));
        });
        PlottedTraces.fill(page, after.series().subList(0, plotted), after.scores());
        page.fact("judge", AblationStudy.JUDGE);
        page.fact("resamples", Integer.toString(Bootstrap.RESAMPLES));
        page.table(PageParts.answers("Attacks", List.of(before.attacks(), after.attacks())));
        if (before.harmless() != null) {
            page.table(PageParts.answers("Harmless prompts", List.of(before.harmless(), after.harmless())));
        }
    }

    private static String sentence(Row row) {
        Change c = row.change();
        boolean share = row.measure() == Measure.SHARE;
        double unit = share ? 100 : 1;
        return "Over " + c.n() + " " + row.group() + ", " + row.name() + " goes from "
                + String.format(
                        Locale.ROOT,
                        share ? "%.0f %% to %.0f %% (p %s)." : "%.2f to %.2f (p %s).",
                        unit * c.before().value(),
                        unit * c.after().value(),
                        c.p() < 0.0005 ? c.pWords() : "= " + c.pWords());
    }
}
