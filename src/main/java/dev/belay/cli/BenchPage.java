package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.report.DataTable;
import dev.belay.report.OutcomeBar;
import dev.belay.report.OutcomeBar.Bar;
import dev.belay.report.RunReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The page of {@code belay bench}.
 *
 * @param json what it measured, as {@link BenchReport} has it
 */
record BenchPage(JsonNode json) {
    /** A pass or a sweep: how long it takes, and what bounds it. */
    private record Pass(String name, double seconds, Double tokens, Double rate, double share, String bound) {}

    void fill(RunReport.Builder page) {
        JsonNode peaks = json.get("peaks");
        List<Pass> passes = passes();
        page.subtitle("How fast is " + json.get("dtype").asText() + " on "
                        + json.get("device").asText() + ", next to what it could be?")
                .story(answer(passes))
                .fact("peak of products", number(peaks, "gflop_s") + " GFLOP/s")
                .fact("peak of reading", number(peaks, "read_gb_s") + " GB/s")
                .fact("peak of copying", number(peaks, "copy_gb_s") + " GB/s");
        bars(passes).forEach((group, bars) -> page.outcome(new OutcomeBar(group, OutcomeBar.Measure.OF_PEAK, bars, 0)));
        page.table(table(passes)).table(operations()).table(products());
    }

    private static String number(JsonNode node, String key) {
        return String.format(Locale.ROOT, "%.1f", node.get(key).asDouble());
    }

    private String answer(List<Pass> passes) {
        if (passes.isEmpty()) {
            double[] shares = json.path("ops")
                    .valueStream()
                    .mapToDouble(op -> op.get("peak_share").asDouble())
                    .sorted()
                    .toArray();
            return shares.length == 0
                    ? "Only the peaks were measured."
                    : String.format(
                            Locale.ROOT,
                            "Half of %d operations reach %.0f %% or more of the peak that bounds them.",
                            shares.length,
                            100 * shares[shares.length / 2]);
        }
        Pass first = passes.getFirst();
        return String.format(
                Locale.ROOT,
                "%s reaches %.0f %% of %s and takes %.4f s.",
                first.name().substring(0, 1).toUpperCase(Locale.ROOT)
                        + first.name().substring(1),
                100 * first.share(),
                first.bound(),
                first.seconds());
    }

    private List<Pass> passes() {
        List<Pass> passes = new ArrayList<>();
        JsonNode prefill = json.get("prefill");
        if (prefill != null) {
            passes.add(pass("prefill", prefill, prefill.get("tokens_s").asDouble()));
        }
        for (JsonNode d : json.path("decode")) {
            int texts = d.get("texts").asInt();
            passes.add(new Pass(
                    texts == 1 ? "a step, 1 text" : "a step, " + texts + " texts",
                    d.get("step_ms").asDouble() / 1e3,
                    d.get("tokens_s").asDouble(),
                    null,
                    d.get("floor_share").asDouble(),
                    "the speed of reading the weights"));
        }
        for (JsonNode s : json.path("sweep")) {
            passes.add(pass("sweep, " + s.get("positions").asText(), s, null));
        }
        return passes;
    }

    private static Pass pass(String name, JsonNode json, Double tokens) {
        double share = json.get("peak_share").asDouble();
        return new Pass(
                name,
                json.get("seconds").asDouble(),
                tokens,
                json.get("gflop_s").asDouble(),
                share,
                "the peak of products");
    }

    /** Shares of the peak: of passes, and of operations by case. */
    private Map<String, List<Bar>> bars(List<Pass> passes) {
        Map<String, List<Bar>> groups = new LinkedHashMap<>();
        passes.forEach(p -> groups.computeIfAbsent("passes", k -> new ArrayList<>())
                .add(new Bar(p.name(), OutcomeBar.bare(p.share()))));
        for (JsonNode op : json.path("ops")) {
            groups.computeIfAbsent(op.get("case").asText(), k -> new ArrayList<>())
                    .add(new Bar(
                            op.get("operation").asText(),
                            OutcomeBar.bare(op.get("peak_share").asDouble())));
        }
        return groups;
    }

    private static DataTable table(List<Pass> passes) {
        DataTable table = new DataTable(
                        "Passes",
                        "Seconds of each; a step adds one token to every text, a sweep ablates each head in turn.")
                .text("pass")
                .number("seconds", 4)
                .number("tokens/s", 1)
                .number("GFLOP/s", 1)
                .number("% of peak", 1)
                .text("bound by");
        passes.forEach(p -> table.row(p.name(), p.seconds(), p.tokens(), p.rate(), 100 * p.share(), p.bound()));
        return table;
    }

    private DataTable operations() {
        DataTable table = new DataTable("Operations", "Single operations of a forward pass, in the sizes of the model.")
                .text("operation")
                .text("texts")
                .number("tokens", 0)
                .number("ms", 4)
                .number("GFLOP/s", 1)
                .number("GB/s", 2)
                .number("% of peak", 1)
                .text("bound by");
        for (JsonNode op : json.path("ops")) {
            table.row(
                    op.get("operation").asText(),
                    op.get("case").asText(),
                    op.get("tokens").asInt(),
                    op.get("ms").asDouble(),
                    op.get("gflop_s").asDouble(),
                    op.get("gb_s").asDouble(),
                    100 * op.get("peak_share").asDouble(),
                    op.get("bound").asText());
        }
        return table;
    }

    private DataTable products() {
        DataTable table = new DataTable(
                        "Peaks", "Products of two square matrices of that size; the fastest is the peak.")
                .number("size", 0)
                .number("GFLOP/s", 1);
        json.at("/peaks/products")
                .forEach(p -> table.row(p.get("size").asInt(), p.get("gflop_s").asDouble()));
        return table;
    }
}
