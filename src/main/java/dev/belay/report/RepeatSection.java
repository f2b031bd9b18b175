package dev.belay.report;

import dev.belay.report.OutcomeBar.Bar;
import dev.belay.report.OutcomeBar.Measure;
import java.util.List;
import java.util.Map;

/** What the run took, and all that is needed to repeat it: command line, facts, files, and the manifest for machines. */
final class RepeatSection {
    /** How a page marks its manifest; a script element of this type is not run. */
    static final String MANIFEST = "<script type=\"application/json\" id=\"manifest\">";

    private static final double MEBIBYTE = 1 << 20;

    private RepeatSection() {}

    /** Time by phase, and memory. */
    static String cost(RunManifest manifest) {
        Map<String, Double> seconds = manifest.timings().seconds();
        List<Bar> bars = seconds.entrySet().stream()
                .map(phase -> new Bar(phase.getKey().replace('_', ' '), OutcomeBar.bare(phase.getValue())))
                .toList();
        double total = seconds.values().stream().mapToDouble(s -> s).sum();
        StringBuilder out = new StringBuilder("<div class=\"grid thirds\">\n<figure class=\"card\"><h3>Time");
        out.append(" <span class=\"unit\">").append(OutcomeBar.print(Measure.SECONDS, total));
        out.append(" in all</span></h3>\n");
        out.append(BarPlot.render(new OutcomeBar("time by phase", Measure.SECONDS, bars, bars.size())));
        out.append("</figure>\n");
        if (manifest.peakBytes() > 0) {
            out.append("<div class=\"card\"><h3>Memory <span class=\"unit\">most of the process</span></h3>\n");
            out.append("<p class=\"figure\">").append(HtmlText.count(Math.round(manifest.peakBytes() / MEBIBYTE)));
            out.append(" MiB</p></div>\n");
        }
        return out.append("</div>\n").toString();
    }

    /** The command line, and that of {@code belay rerun}. */
    static String commands(RunManifest manifest) {
        String line = manifest.commandLine();
        if (line.isEmpty()) {
            return "";
        }
        return "<pre class=\"card\" tabindex=\"0\" aria-label=\"command line\"><code>" + HtmlText.escape(line)
                + "</code></pre>\n<p class=\"more\">Or <code>belay rerun</code> with this page: it checks the files below, runs"
                + " the command again and says whether the outputs are the same bytes.</p>\n";
    }

    /** Names and values. */
    static String facts(Map<String, String> facts) {
        StringBuilder out = new StringBuilder(HtmlText.scrolls("What ran"));
        out.append("<table class=\"facts\">\n<tbody>\n");
        facts.forEach((name, value) -> {
            out.append("<tr><th scope=\"row\">").append(HtmlText.escape(name)).append("</th><td>");
            out.append(HtmlText.escape(value == null ? HtmlText.NONE : value)).append("</td></tr>\n");
        });
        return out.append("</tbody></table></div>\n").toString();
    }

    /** The manifest, which nobody sees. */
    static String manifest(RunManifest manifest) {
        return MANIFEST + "\n" + manifest.embedded() + "</script>\n";
    }
}
