package dev.belay.report;

import dev.belay.report.HeadMap.HeadRef;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.ToDoubleFunction;

/** Turns a {@link RunReport} into one HTML page that loads nothing; parts that the report lacks are left out. */
public final class HtmlReport {
    private static final int MAX_SELECTED = 50;
    private static final int MAX_HEADS_LISTED = 6;

    private final StringBuilder out = new StringBuilder();
    private final RunReport report;

    private HtmlReport(RunReport report) {
        this.report = report;
    }

    /** The page, as text that starts with its doctype; the same report gives the same text. */
    public static String render(RunReport report) {
        return new HtmlReport(report).page();
    }

    private String page() {
        out.append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        out.append("<meta http-equiv=\"Content-Security-Policy\" ");
        out.append("content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        out.append("<title>").append(text(report.title())).append("</title>\n<style>\n");
        out.append(style()).append(Palette.css()).append("</style>\n</head>\n<body>\n<main>\n");
        top();
        cliff();
        changes();
        transcripts();
        heads();
        outcomes();
        selected();
        probe();
        facts();
        out.append("</main>\n</body>\n</html>\n");
        return out.toString();
    }

    private void top() {
        out.append("<header class=\"top\">\n<p class=\"brand\">Belay</p>\n<h1>");
        out.append(text(report.title())).append("</h1>\n<p class=\"model\"><b>").append(text(report.model()));
        out.append("</b>");
        if (!report.subtitle().isEmpty()) {
            out.append(" <span>").append(text(report.subtitle())).append("</span>");
        }
        out.append("</p>\n");
        if (!report.story().isEmpty()) {
            out.append("<div class=\"story\">\n");
            report.story().forEach(line -> out.append("<p>").append(text(line)).append("</p>\n"));
            out.append("</div>\n");
        }
        out.append("</header>\n");
        if (!report.traces().isEmpty()) {
            out.append("<dl class=\"stats\">\n");
            stat("transcripts", HtmlText.count(report.traces().size()), "");
            String after = report.comparison() == null ? "" : ", after";
            stat("plateau" + after, HtmlText.score(mean(TraceSeries::plateau)), "hold");
            stat("final score" + after, HtmlText.score(mean(TraceSeries::finalScore)), "fall");
            stat("cliff" + after, HtmlText.score(mean(TraceSeries::cliff)), "");
            out.append("</dl>\n");
        }
    }

    private void stat(String name, String value, String cssClass) {
        out.append("<div><dt>")
                .append(text(name))
                .append("</dt><dd class=\"")
                .append(cssClass)
                .append("\">");
        out.append(value).append("</dd></div>\n");
    }

    private void cliff() {
        if (report.traces().isEmpty()) {
            return;
        }
        section(
                "The cliff",
                "The refusal score is the probability that the probe reads a refusal from the state at a token. "
                        + "The cliff is the plateau of the thinking minus the score at the last closing token.");
        out.append("<figure class=\"card\">\n");
        List<TraceSeries> earlier =
                report.comparison() == null ? List.of() : report.comparison().traces();
        out.append(CliffPlot.render(report.traces(), earlier, CliffPlot.Layout.WIDE));
        out.append(CliffPlot.render(report.traces(), earlier, CliffPlot.Layout.NARROW));
        out.append("<figcaption><span class=\"key key-mean\">mean of ");
        out.append(HtmlText.counted(report.traces().size(), "transcript"));
        out.append(
                earlier.isEmpty()
                        ? "</span> <span class=\"key key-one\">single transcripts"
                        : ", after</span> <span class=\"key key-earlier\">before");
        out.append("</span> <span>plateau: ");
        out.append(text(plateauMeaning())).append(", averaged over transcripts. Closing tokens are drawn wider.");
        int bin = new CliffCurve(report.traces()).bin();
        if (bin > 1) {
            out.append(" A point before them is the mean of ").append(bin).append(" tokens.");
        }
        out.append("</span></figcaption>\n</figure>\n</section>\n");
    }

    private void changes() {
        Comparison comparison = report.comparison();
        if (comparison == null) {
            return;
        }
        section(
                "What changed",
                "Means over the same transcripts before (" + comparison.before() + ") and after (" + comparison.after()
                        + "); the change has a bootstrap interval over transcripts. p: exact McNemar test of shares, sign-flip"
                        + " permutation test of scores, two-sided.");
        out.append(comparison.table()).append("</section>\n");
    }

    private String plateauMeaning() {
        return switch (report.plateauRule()) {
            case "max" -> "highest score while thinking";
            case "mean" -> "mean score while thinking";
            case "p90" -> "90th percentile of the scores while thinking";
            default -> report.plateauRule() + " of the scores while thinking";
        };
    }

    private void transcripts() {
        if (report.traces().isEmpty()) {
            return;
        }
        section(
                "Transcripts",
                "Each token stands on the colour of its refusal score"
                        + (report.comparison() == null ? "." : " in the model after.")
                        + " Open a prompt to see its tokens.");
        out.append("<p class=\"scale\"><span>0 answers</span>");
        for (int i = 0; i < Palette.SIZE; i += 2) {
            out.append("<i class=\"q").append(i).append("\"></i>");
        }
        out.append("<span>1 refuses</span></p>\n");
        List<TraceSeries> sorted = report.traces().stream()
                .filter(trace -> Double.isFinite(trace.cliff()))
                .sorted(Comparator.comparingDouble(TraceSeries::cliff).reversed())
                .toList();
        if (sorted.size() > 3) {
            out.append(TokenStrip.render(sorted.getFirst(), "largest cliff"));
            out.append(TokenStrip.render(sorted.get(sorted.size() / 2), "median cliff"));
            out.append(TokenStrip.render(sorted.getLast(), "smallest cliff"));
        } else {
            sorted.forEach(trace -> out.append(TokenStrip.render(trace, "")));
        }
        out.append("</section>\n");
    }

    private void heads() {
        List<HeadMap> maps =
                report.maps().stream().filter(map -> map.heads() > 0).toList();
        if (maps.isEmpty()) {
            return;
        }
        section("Attention heads", "Orange heads suppress refusal, blue heads support it. Chosen heads are numbered.");
        boolean wide = maps.stream().anyMatch(map -> map.heads() > 12);
        out.append("<div class=\"grid maps ").append(wide ? "halves" : "thirds").append("\">\n");
        for (HeadMap map : maps) {
            out.append("<figure class=\"card\"><h3>").append(text(map.name())).append(" <span class=\"unit\">");
            out.append(text(map.unit())).append("</span></h3>\n<p class=\"lead\">");
            out.append(text(map.explanation())).append("</p>\n<div class=\"scroll\">");
            out.append(HeatMapPlot.render(map)).append("</div>\n");
            topHeads(map);
            out.append("</figure>\n");
        }
        out.append("</div>\n</section>\n");
    }

    private void topHeads(HeadMap map) {
        if (map.top().isEmpty()) {
            return;
        }
        int digits = HtmlText.digits(map.range()) + 1;
        out.append("<ol class=\"heads\">\n");
        for (HeadRef ref :
                map.top().subList(0, Math.min(MAX_HEADS_LISTED, map.top().size()))) {
            out.append("<li><span>layer ").append(ref.layer()).append(", head ").append(ref.head());
            out.append("</span><b>").append(HtmlText.fixed(ref.score(), digits)).append("</b>");
            if (map.base() != 0) {
                out.append("<span class=\"delta\">").append(HtmlText.signed(ref.score() - map.base(), digits));
                out.append("</span>");
            }
            out.append("</li>\n");
        }
        out.append("</ol>\n");
        int more = map.top().size() - MAX_HEADS_LISTED;
        if (more > 0) {
            out.append("<p class=\"more\">and ").append(HtmlText.count(more)).append(" more");
            out.append("</p>\n");
        }
    }

    private void outcomes() {
        if (report.outcomes().isEmpty()) {
            return;
        }
        boolean control = report.outcomes().stream().anyMatch(bar -> Double.isFinite(bar.randomControl()));
        boolean compared = report.comparison() != null;
        section(
                "Before and after",
                compared
                        ? "The same prompts and transcripts in both models."
                        : "The same prompts with the chosen heads ablated"
                                + (control ? ", and with as many random heads." : "."));
        out.append("<div class=\"grid thirds\">\n");
        for (OutcomeBar outcome : report.outcomes()) {
            out.append("<figure class=\"card\"><h3>").append(text(outcome.group()));
            out.append(" <span class=\"unit\">n = ")
                    .append(HtmlText.count(outcome.n()))
                    .append("</span></h3>\n");
            out.append(BarPlot.render(outcome)).append("</figure>\n");
        }
        out.append("</div>\n");
        if (compared) {
            out.append("<p class=\"more\">Whiskers: 95 % interval (bootstrap over transcripts) of a mean.</p>\n");
        } else if (report.outcomes().stream().anyMatch(bar -> bar.measure() == OutcomeBar.Measure.SHARE)) {
            out.append("<p class=\"more\">Whiskers: 95 % interval (Wilson) of a share.</p>\n");
        }
        out.append("</section>\n");
    }

    private void selected() {
        if (report.selected().isEmpty()) {
            return;
        }
        section("Selected examples", "Training examples that the judge kept, best first.");
        out.append("<div class=\"scroll card\"><table class=\"selected\">\n<thead><tr><th class=\"n\">#</th>");
        out.append("<th>id</th><th>kind</th><th class=\"wide\">prompt</th><th class=\"n\">cliff</th>");
        out.append("<th class=\"n\">final</th></tr></thead>\n<tbody>\n");
        int shown = Math.min(MAX_SELECTED, report.selected().size());
        for (int i = 0; i < shown; i++) {
            SelectedExample example = report.selected().get(i);
            out.append("<tr><td class=\"n\">")
                    .append(i + 1)
                    .append("</td><td><code>")
                    .append(text(example.id()));
            out.append("</code></td><td>").append(text(example.kind())).append("</td><td class=\"wide\">");
            out.append(text(HtmlText.shorten(example.prompt(), 160))).append("</td><td class=\"n\"><b>");
            out.append(HtmlText.fixed(example.misalignment(), 3)).append("</b></td><td class=\"n\">");
            out.append(HtmlText.fixed(example.finalScore(), 3)).append("</td></tr>\n");
        }
        out.append("</tbody></table></div>\n");
        int more = report.selected().size() - shown;
        if (more > 0) {
            out.append("<p class=\"more\">and ").append(HtmlText.count(more)).append(" more</p>\n");
        }
        out.append("</section>\n");
    }

    private void probe() {
        ProbeSummary probe = report.probe();
        if (probe == null) {
            return;
        }
        section("Refusal probe", "How well the probe tells transcripts that refuse from those that answer.");
        out.append("<dl class=\"stats small\">\n");
        stat("examples", HtmlText.count(probe.examples()), "");
        stat("accuracy", HtmlText.percent(probe.accuracy()), "");
        stat("AUROC", HtmlText.fixed(probe.auroc(), 3), "");
        stat("log loss", HtmlText.fixed(probe.logLoss(), 3), "");
        stat("calibration error", HtmlText.fixed(probe.calibrationError(), 3), "");
        out.append("</dl>\n</section>\n");
    }

    private void facts() {
        if (report.facts().isEmpty()) {
            return;
        }
        section("How to repeat it", "What ran, on what, and with which options.");
        out.append("<div class=\"scroll card\"><table class=\"facts\">\n<tbody>\n");
        for (Map.Entry<String, String> fact : report.facts().entrySet()) {
            out.append("<tr><th scope=\"row\">").append(text(fact.getKey())).append("</th><td>");
            out.append(text(fact.getValue())).append("</td></tr>\n");
        }
        out.append("</tbody></table></div>\n</section>\n");
    }

    private void section(String title, String lead) {
        out.append("<section>\n<h2>")
                .append(text(title))
                .append("</h2>\n<p class=\"lead\">")
                .append(text(lead));
        out.append("</p>\n");
    }

    private double mean(ToDoubleFunction<TraceSeries> part) {
        OptionalDouble mean = report.traces().stream()
                .mapToDouble(part)
                .filter(Double::isFinite)
                .average();
        return mean.orElse(Double.NaN);
    }

    private static String text(String text) {
        return HtmlText.escape(text == null ? HtmlText.NONE : text);
    }

    private static String style() {
        try (InputStream in = HtmlReport.class.getResourceAsStream("report.css")) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
