package dev.belay.report;

import dev.belay.report.HeadMap.HeadRef;
import java.util.List;

/** The maps of attention heads side by side, with the strongest heads of each in words. */
final class HeadSection {
    private static final int MAX_HEADS_LISTED = 6;

    private HeadSection() {}

    /** @param maps at least one, each with heads */
    static String render(List<HeadMap> maps) {
        StringBuilder out = new StringBuilder();
        boolean wide = maps.stream().anyMatch(map -> map.heads() > 12);
        out.append("<div class=\"grid maps ").append(wide ? "halves" : "thirds").append("\">\n");
        for (HeadMap map : maps) {
            out.append("<figure class=\"card\"><h3>").append(HtmlText.escape(map.name()));
            out.append(" <span class=\"unit\">").append(HtmlText.escape(map.unit()));
            out.append("</span></h3>\n<p class=\"lead\">").append(HtmlText.escape(map.explanation()));
            out.append("</p>\n<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"map, ");
            out.append(HtmlText.escape(map.name())).append("\">");
            out.append(HeatMapPlot.render(map)).append("</div>\n");
            list(out, map);
            out.append("</figure>\n");
        }
        return out.append("</div>\n").toString();
    }

    private static void list(StringBuilder out, HeadMap map) {
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
            out.append("<p class=\"more\">and ").append(HtmlText.count(more)).append(" more</p>\n");
        }
    }
}
