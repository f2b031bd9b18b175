package dev.belay.report;

import java.util.Locale;

/**
 * Writes one SVG drawing for use inside the page: coordinates in a view box, looks by CSS class. It has the role of an
 * image, with a title and a description for those who cannot see it.
 */
final class SvgPlot {
    /** Where a text stands relative to its x. */
    enum Anchor {
        START,
        MIDDLE,
        END
    }

    private final StringBuilder out = new StringBuilder();

    SvgPlot(double width, double height, String cssClass, String title, String description) {
        out.append("<svg class=\"").append(cssClass).append("\" viewBox=\"0 0 ");
        out.append(number(width)).append(' ').append(number(height)).append("\" role=\"img\">");
        out.append("<title>").append(HtmlText.escape(title)).append("</title>");
        out.append("<desc>").append(HtmlText.escape(description)).append("</desc>\n");
    }

    SvgPlot rect(String cssClass, double x, double y, double width, double height) {
        return rect(cssClass, x, y, width, height, null);
    }

    /** A rectangle that shows a text when pointed at, unless it is null. */
    SvgPlot rect(String cssClass, double x, double y, double width, double height, String tooltip) {
        open("rect", cssClass)
                .at("x", x)
                .at("y", y)
                .at("width", Math.max(0, width))
                .at("height", Math.max(0, height));
        return close("rect", tooltip);
    }

    SvgPlot line(String cssClass, double x1, double y1, double x2, double y2) {
        open("line", cssClass).at("x1", x1).at("y1", y1).at("x2", x2).at("y2", y2);
        return close("line", null);
    }

    SvgPlot circle(String cssClass, double x, double y, double radius, String tooltip) {
        open("circle", cssClass).at("cx", x).at("cy", y).at("r", radius);
        return close("circle", tooltip);
    }

    /** A path through its data; an empty one draws nothing. */
    SvgPlot path(String cssClass, String data) {
        if (!data.isEmpty()) {
            open("path", cssClass);
            out.append(" d=\"").append(data).append('"');
            close("path", null);
        }
        return this;
    }

    SvgPlot text(String cssClass, Anchor anchor, double x, double y, String text) {
        open("text", cssClass).at("x", x).at("y", y);
        if (anchor != Anchor.START) {
            out.append(" text-anchor=\"")
                    .append(anchor.name().toLowerCase(Locale.ROOT))
                    .append('"');
        }
        out.append('>').append(HtmlText.escape(text)).append("</text>\n");
        return this;
    }

    String finish() {
        return out + "</svg>\n";
    }

    /** A coordinate: at most two digits after the point, no trailing zeros. */
    static String number(double value) {
        if (!Double.isFinite(value)) {
            throw new IllegalArgumentException("no place in a plot for " + value);
        }
        long hundredths = Math.round(value * 100);
        if (hundredths % 100 == 0) {
            return Long.toString(hundredths / 100);
        }
        String text = String.format(Locale.ROOT, "%.2f", hundredths / 100.0);
        return text.endsWith("0") ? text.substring(0, text.length() - 1) : text;
    }

    private SvgPlot open(String tag, String cssClass) {
        out.append('<').append(tag).append(" class=\"").append(cssClass).append('"');
        return this;
    }

    private SvgPlot at(String name, double value) {
        out.append(' ').append(name).append("=\"").append(number(value)).append('"');
        return this;
    }

    private SvgPlot close(String tag, String tooltip) {
        if (tooltip == null) {
            out.append("/>\n");
        } else {
            out.append("><title>").append(HtmlText.escape(tooltip)).append("</title></");
            out.append(tag).append(">\n");
        }
        return this;
    }
}
