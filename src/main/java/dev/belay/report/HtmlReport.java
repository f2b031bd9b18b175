package dev.belay.report;

import dev.belay.io.FileHash;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;

/** Turns a {@link RunReport} into one HTML page that loads nothing; parts that the report lacks are left out. */
public final class HtmlReport {
    private static final String STYLE = resource("report.css");
    /** Sorts tables; without it they stay as they are. */
    private static final String SCRIPT = resource("report.js");

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
        out.append(
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ");
        out.append("script-src 'sha256-").append(hash(SCRIPT)).append("'; base-uri 'none'; form-action 'none'\">\n");
        out.append("<title>").append(text(report.title())).append("</title>\n<style>\n");
        out.append(STYLE).append(Palette.css()).append("</style>\n</head>\n<body>\n<main>\n");
        top();
        cliff();
        changes();
        transcripts();
        heads();
        outcomes();
        selected();
        probe();
        report.tables().forEach(this::table);
        repeat();
        out.append("</main>\n<script>").append(SCRIPT).append("</script>\n</body>\n</html>\n");
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
            TraceMeans means = report.means();
            stat("transcripts", HtmlText.count(means.transcripts()), "");
            String after = report.comparison() == null ? "" : ", after";
            stat("plateau" + after, HtmlText.score(means.plateau()), "hold");
            stat("final score" + after, HtmlText.score(means.finalScore()), "fall");
            stat("cliff" + after, HtmlText.score(means.cliff()), "");
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
        int plotted = report.traces().size();
        int all = report.means().transcripts();
        section(
                "The cliff",
                "The refusal score is the probability that the probe reads a refusal from the state at a token. "
                        + "The cliff is the plateau of the thinking minus the score at the last closing token."
                        + (all == plotted
                                ? ""
                                : " Plotted are the first " + HtmlText.count(plotted) + " of " + HtmlText.count(all)
                                        + " transcripts."));
        out.append("<figure class=\"card\">\n");
        List<TraceSeries> earlier =
                report.comparison() == null ? List.of() : report.comparison().traces();
        out.append(CliffPlot.render(report.traces(), earlier, CliffPlot.Layout.WIDE));
        out.append(CliffPlot.render(report.traces(), earlier, CliffPlot.Layout.NARROW));
        out.append("<figcaption><span class=\"key key-mean\">mean of ");
        out.append(HtmlText.counted(plotted, "transcript"));
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
        if (!maps.isEmpty()) {
            section(
                    "Attention heads",
                    "Orange heads suppress refusal, blue heads support it. Chosen heads are numbered.");
            out.append(HeadSection.render(maps)).append("</section>\n");
        }
    }

    private void outcomes() {
        if (report.outcomes().isEmpty()) {
            return;
        }
        boolean compared = report.comparison() != null;
        boolean changes = report.outcomes().stream().anyMatch(OutcomeBar::isChange);
        boolean control = report.outcomes().stream().anyMatch(OutcomeBar::hasControl);
        if (compared) {
            section("Before and after", "The same prompts and transcripts in both models.");
        } else if (changes) {
            section(
                    "Before and after",
                    "The same texts with the chosen heads ablated"
                            + (control ? ", and with as many random heads." : "."));
        } else {
            switch (report.outcomes().getFirst().measure()) {
                case OF_PEAK ->
                    section(
                            "How near to the peak",
                            "100 % is what the machine's products of matrices, or its memory, did at best; small things in the caches are beyond.");
                case OF_TOLERANCE -> section("How near to the tolerance", "100 % is what is just accepted.");
                default -> section("Outcomes", "Shares and means over the texts.");
            }
        }
        out.append("<div class=\"grid thirds\">\n");
        for (OutcomeBar outcome : report.outcomes()) {
            out.append("<figure class=\"card\"><h3>").append(text(outcome.group()));
            if (outcome.n() > 0) {
                out.append(" <span class=\"unit\">n = ")
                        .append(HtmlText.count(outcome.n()))
                        .append("</span>");
            }
            out.append("</h3>\n");
            out.append(BarPlot.render(outcome)).append("</figure>\n");
        }
        out.append("</div>\n");
        if (compared) {
            out.append("<p class=\"more\">Whiskers: 95 % interval (bootstrap over transcripts) of a mean.</p>\n");
        } else if (report.outcomes().stream().anyMatch(OutcomeBar::hasWhisker)) {
            out.append("<p class=\"more\">Whiskers: 95 % interval (Wilson) of a share.</p>\n");
        }
        out.append("</section>\n");
    }

    private void selected() {
        if (report.selected().isEmpty()) {
            return;
        }
        DataTable table = new DataTable("Selected examples", "Training examples that the judge kept, best first.")
                .number("#", 0)
                .name("id")
                .text("kind")
                .wide("prompt")
                .number("cliff", 3)
                .number("final", 3);
        int rank = 1;
        for (SelectedExample example : report.selected()) {
            table.row(
                    rank++,
                    example.id(),
                    example.kind(),
                    example.prompt(),
                    example.misalignment(),
                    example.finalScore());
        }
        table(table);
    }

    private void table(DataTable table) {
        if (!table.isEmpty()) {
            section(table.title(), table.lead());
            out.append(table.render()).append("</section>\n");
        }
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

    private void repeat() {
        RunManifest manifest = report.manifest();
        if (manifest != null && !manifest.timings().seconds().isEmpty()) {
            section("Time and memory", "What the run took, on the machine below.");
            out.append(RepeatSection.cost(manifest)).append("</section>\n");
        }
        if (!report.facts().isEmpty()) {
            section("How to repeat it", "What ran, on what, and with which options.");
            out.append(manifest == null ? "" : RepeatSection.commands(manifest));
            out.append(RepeatSection.facts(report.facts())).append("</section>\n");
        }
        if (manifest != null) {
            table(manifest.files());
            out.append(RepeatSection.manifest(manifest));
        }
    }

    private void section(String title, String lead) {
        out.append("<section>\n<h2>")
                .append(text(title))
                .append("</h2>\n<p class=\"lead\">")
                .append(text(lead));
        out.append("</p>\n");
    }

    private static String text(String text) {
        return HtmlText.escape(text == null ? HtmlText.NONE : text);
    }

    private static String resource(String name) {
        try (InputStream in = HtmlReport.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As a content security policy names a script. */
    private static String hash(String script) {
        return Base64.getEncoder().encodeToString(FileHash.sha256().digest(script.getBytes(StandardCharsets.UTF_8)));
    }
}
