package dev.belay.report;

import dev.belay.stats.Change;
import java.util.List;

/**
 * What differs between two models on the same transcripts. The traces of the second are the report's own.
 *
 * @param before the first model's name
 * @param after the second model's name
 * @param traces the first model's refusal scores, one series for each transcript
 * @param rows what was measured of both
 */
public record Comparison(String before, String after, List<TraceSeries> traces, List<Row> rows) {
    /**
     * One number of both models.
     *
     * @param group the transcripts, e.g. "attacks"
     * @param name what is measured, e.g. "final score"
     */
    public record Row(String group, String name, OutcomeBar.Measure measure, Change change) {}

    /** A table of all rows: means with intervals, and how likely so large a change is by chance. */
    String table() {
        StringBuilder out = new StringBuilder(HtmlText.scrolls("What changed"));
        out.append("<table class=\"changes\">\n<thead><tr>");
        out.append("<th>transcripts</th><th>measure</th><th class=\"n\">before</th><th class=\"n\">after</th>");
        out.append("<th class=\"n\">change</th><th class=\"n\">95 % interval</th><th class=\"n\">rose / fell</th>");
        out.append("<th class=\"n\">p</th></tr></thead>\n<tbody>\n");
        for (Row row : rows) {
            Change c = row.change();
            out.append("<tr><td>").append(HtmlText.escape(row.group())).append("</td><td>");
            out.append(HtmlText.escape(row.name())).append("</td>");
            cell(out, OutcomeBar.print(row.measure(), c.before().value()));
            cell(out, OutcomeBar.print(row.measure(), c.after().value()));
            cell(out, "<b>" + signed(row, c.difference().value()) + "</b>");
            cell(
                    out,
                    signed(row, c.difference().low()) + " to "
                            + signed(row, c.difference().high()));
            cell(out, HtmlText.count(c.up()) + " / " + HtmlText.count(c.down()) + " of " + HtmlText.count(c.n()));
            cell(out, HtmlText.escape(c.pWords()));
            out.append("</tr>\n");
        }
        return out.append("</tbody></table></div>\n").toString();
    }

    private static void cell(StringBuilder out, String html) {
        out.append("<td class=\"n\">").append(html).append("</td>");
    }

    private static String signed(Row row, double value) {
        boolean share = row.measure() == OutcomeBar.Measure.SHARE;
        return HtmlText.signed(share ? 100 * value : value, share ? 1 : 3) + (share ? " %" : "");
    }
}
