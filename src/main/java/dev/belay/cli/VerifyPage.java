package dev.belay.cli;

import dev.belay.report.DataTable;
import dev.belay.report.OutcomeBar;
import dev.belay.report.RunReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The page of {@code belay verify}.
 *
 * @param with what the model was compared with
 * @param tolerance in words
 */
record VerifyPage(
        String with, String tolerance, List<GoldenComparison.Row> rows, List<GoldenComparison.Detail> details) {
    /** Of a deep model every few layers have a bar, and the last. */
    private static final int MAX_BARS = 16;

    void fill(RunReport.Builder page) {
        long prompts = details.stream()
                .mapToInt(GoldenComparison.Detail::prompt)
                .distinct()
                .count();
        List<GoldenComparison.Row> failed =
                rows.stream().filter(row -> !row.passed()).toList();
        page.subtitle("Does this machine compute of this model " + with + ", of " + prompts
                        + (prompts == 1 ? " prompt?" : " prompts?"))
                .story(
                        failed.isEmpty()
                                ? String.format(
                                        Locale.ROOT,
                                        "Passed: all %d kinds of numbers are within the tolerance (%s).",
                                        rows.size(),
                                        tolerance)
                                : String.format(
                                        Locale.ROOT,
                                        "FAILED: %d of %d kinds of numbers are beyond the tolerance (%s), first %s.",
                                        failed.size(),
                                        rows.size(),
                                        tolerance,
                                        failed.getFirst().name()));
        bars(page);
        page.table(table()).table(prompts());
    }

    /** A plot for each kind that has layers, and one for all others. */
    private void bars(RunReport.Builder page) {
        Map<String, List<OutcomeBar.Bar>> groups = new LinkedHashMap<>();
        for (GoldenComparison.Row row : rows) {
            double share = share(row);
            if (Double.isFinite(share)) {
                String kind = kind(row.name());
                boolean layered = layer(row.name()) != null;
                groups.computeIfAbsent(layered ? kind + " by layer" : "other numbers", k -> new ArrayList<>())
                        .add(new OutcomeBar.Bar(layered ? layer(row.name()).toString() : kind, OutcomeBar.bare(share)));
            }
        }
        groups.forEach((group, bars) ->
                page.outcome(new OutcomeBar(group, OutcomeBar.Measure.OF_TOLERANCE, thinned(bars), 0)));
    }

    private static double share(GoldenComparison.Row row) {
        return Double.isNaN(row.relative()) ? Double.NaN : row.share();
    }

    private static List<OutcomeBar.Bar> thinned(List<OutcomeBar.Bar> bars) {
        int step = Math.ceilDiv(bars.size(), MAX_BARS);
        List<OutcomeBar.Bar> some = new ArrayList<>();
        for (int i = (bars.size() - 1) % step; i < bars.size(); i += step) {
            some.add(bars.get(i));
        }
        return some;
    }

    private static String kind(String name) {
        return switch (name.replaceFirst("\\..*", "")) {
            case "hidden" -> "hidden states";
            case "head_out" -> "head outputs";
            case "ablate" -> "head ablations";
            case "greedy" -> "greedy tokens";
            case GoldenComparison.Row.ALL -> "all together";
            default -> name;
        };
    }

    /** The layer in a name such as hidden.3; null if there is none. */
    private static Integer layer(String name) {
        int dot = name.indexOf('.');
        return dot < 0 ? null : Integer.valueOf(name.substring(dot + 1));
    }

    private DataTable table() {
        DataTable table = new DataTable(
                        "Differences",
                        "The largest over all prompts, and the root mean square, in % of that of the expected numbers.")
                .text("what")
                .number("layer", 0)
                .number("largest", 8)
                .number("r.m.s. %", 6)
                .number("% of tolerance", 2)
                .text("verdict")
                .name("where");
        for (GoldenComparison.Row row : rows) {
            table.row(
                    kind(row.name()),
                    layer(row.name()),
                    row.error(),
                    100 * row.relative(),
                    100 * share(row),
                    row.passed() ? "passed" : "FAILED",
                    row.where());
        }
        return table;
    }

    private DataTable prompts() {
        DataTable table = new DataTable(
                        "Prompt by prompt",
                        "The row has the largest difference: a token, or of ablations a head, counted from 0.")
                .number("prompt", 0)
                .text("what")
                .number("layer", 0)
                .number("largest", 8)
                .number("r.m.s. %", 6)
                .number("row", 0);
        for (GoldenComparison.Detail d : details) {
            Integer row = d.row() < 0 ? null : (Integer) d.row();
            table.row(d.prompt(), kind(d.name()), layer(d.name()), d.error(), 100 * d.relative(), row);
        }
        return table;
    }
}
