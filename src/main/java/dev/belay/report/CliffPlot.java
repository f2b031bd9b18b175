package dev.belay.report;

import dev.belay.report.CliffCurve.Point;
import dev.belay.report.SvgPlot.Anchor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The refusal score by position: thin lines for transcripts, a thick one for their mean, and a dimension arrow from the
 * plateau down to the final score; or two means, of an earlier model and of this one. The closing tokens get a wider scale than the tokens
 * before them, so that they can be told apart and named.
 */
final class CliffPlot {
    private static final int MAX_LINES = 60;

    /** Proportions for a wide page and for a phone. */
    enum Layout {
        WIDE("plot wide", 960, 390, 44, 132, 0.24, MAX_LINES, 90, 7.9),
        NARROW("plot narrow", 380, 330, 32, 82, 0.46, 24, 60, 6.7);

        private final String cssClass;
        private final double width;
        private final double height;
        private final double left;
        private final double right;
        private final double closingShare;
        private final int lines;
        private final double tickGap;
        private final double tokenWidth;

        Layout(
                String cssClass,
                double width,
                double height,
                double left,
                double right,
                double closingShare,
                int lines,
                double tickGap,
                double tokenWidth) {
            this.cssClass = cssClass;
            this.width = width;
            this.height = height;
            this.left = left;
            this.right = right;
            this.closingShare = closingShare;
            this.lines = lines;
            this.tickGap = tickGap;
            this.tokenWidth = tokenWidth;
        }
    }

    /** Room that the word "prompt" needs. */
    private static final double PROMPT_LABEL = 72;

    private static final double TOP = 46;
    private static final double BOTTOM = 46;

    private final List<TraceSeries> traces;
    /** The same transcripts in another model; empty if there is none. */
    private final List<TraceSeries> earlier;

    private final CliffCurve curve;
    private final Layout layout;
    private final double x0;
    private final double x1;
    /** Where the closing tokens begin. */
    private final double edge;

    private final double plateau;
    private final double finalScore;

    private CliffPlot(List<TraceSeries> traces, List<TraceSeries> earlier, Layout layout) {
        this.traces = traces;
        this.earlier = earlier;
        this.curve =
                new CliffCurve(Stream.concat(traces.stream(), earlier.stream()).toList());
        this.layout = layout;
        this.x0 = layout.left;
        this.x1 = layout.width - layout.right;
        double natural = curve.closing() / (double) Math.max(1, curve.closing() - curve.first());
        double share = curve.closing() == 0 ? 0 : Math.max(natural, layout.closingShare);
        this.edge = x1 - share * (x1 - x0);
        TraceMeans means = TraceMeans.of(traces);
        this.plateau = means.plateau();
        this.finalScore = means.finalScore();
    }

    /** Draws at least one transcript. */
    static String render(List<TraceSeries> traces, Layout layout) {
        return render(traces, List.of(), layout);
    }

    /** Draws at least one transcript; with {@code earlier}, what it was in another model. */
    static String render(List<TraceSeries> traces, List<TraceSeries> earlier, Layout layout) {
        return new CliffPlot(traces, earlier, layout).draw();
    }

    private String draw() {
        SvgPlot svg = new SvgPlot(
                layout.width, layout.height, layout.cssClass, "Refusal score by token position", description());
        regions(svg);
        scoreAxis(svg);
        positionAxis(svg);
        if (earlier.isEmpty()) {
            for (TraceSeries trace : sample()) {
                svg.path("one", data(curve.of(trace)));
            }
        } else {
            List<Point> mean = curve.mean(earlier);
            svg.path("mean earlier", data(mean));
            hits(svg, mean, "before, ");
        }
        meanLine(svg);
        levels(svg);
        return svg.finish();
    }

    private String description() {
        return "Mean over " + HtmlText.counted(traces.size(), "transcript") + ": the score stands at "
                + HtmlText.score(plateau) + " while thinking and at " + HtmlText.score(finalScore)
                + " at the last closing token, a cliff of " + HtmlText.score(plateau - finalScore) + "."
                + (earlier.isEmpty() ? "" : describeEarlier());
    }

    private String describeEarlier() {
        double high = TraceMeans.of(earlier).plateau();
        double low = TraceMeans.of(earlier).finalScore();
        return " Before, it stood at " + HtmlText.score(high) + " and at " + HtmlText.score(low) + ", a cliff of "
                + HtmlText.score(high - low) + ".";
    }

    private void regions(SvgPlot svg) {
        double bottom = y(0);
        double thinkingStart = x(-curve.thinking() - 0.5);
        if (curve.thinking() > 0) {
            svg.rect("thinking", thinkingStart, 22, edge - thinkingStart, bottom - 22);
            svg.text("region", Anchor.START, thinkingStart + 8, 37, "thinking");
        }
        if (curve.closing() > 0) {
            svg.rect("closing", edge, 22, x1 - edge, bottom - 22);
            svg.text("region", Anchor.START, edge + 8, 37, "closing tokens");
        }
        if (thinkingStart - x0 > PROMPT_LABEL) {
            svg.text("region", Anchor.START, x0 + 8, 37, "prompt");
        }
    }

    private void scoreAxis(SvgPlot svg) {
        svg.text("axis", Anchor.START, 0, 13, "refusal score");
        for (int quarter = 0; quarter <= 4; quarter++) {
            double score = quarter / 4.0;
            svg.line(quarter == 0 ? "axis-line" : "gridline", x0, y(score), x1, y(score));
            if (quarter % 2 == 0) {
                svg.text("tick", Anchor.END, x0 - 7, y(score) + 4, HtmlText.fixed(score, 1));
            }
        }
    }

    private void positionAxis(SvgPlot svg) {
        double base = y(0);
        int room = (int) Math.max(1, (edge - x0) / layout.tickGap);
        int step = niceStep(-curve.first() / (double) room);
        for (int position = -step; position >= curve.first(); position -= step) {
            svg.line("axis-line", x(position), base, x(position), base + 4);
            svg.text("tick", Anchor.MIDDLE, x(position), base + 18, HtmlText.fixed(position, 0));
        }
        if (curve.first() < 0) {
            svg.text("axis", Anchor.MIDDLE, (x0 + edge) / 2, base + 38, "tokens before the closing");
        }
        double free = edge - 8;
        List<String> tokens = curve.closingTokens();
        for (int position = 0; position < tokens.size(); position++) {
            String label = HtmlText.shorten(tokens.get(position), 12);
            double half = label.length() * layout.tokenWidth / 2;
            svg.line("axis-line", x(position), base, x(position), base + 4);
            if (x(position) - half >= free) {
                svg.text("token", Anchor.MIDDLE, x(position), base + 18, label);
                free = x(position) + half + 2;
            }
        }
    }

    private void meanLine(SvgPlot svg) {
        List<Point> mean = curve.mean(traces);
        int split = mean.size() - curve.closing();
        svg.path("mean", data(mean.subList(0, split)));
        svg.path("mean fall", data(mean.subList(Math.max(0, split - 1), mean.size())));
        hits(svg, mean, "");
        if (!mean.isEmpty() && Double.isFinite(mean.getLast().score())) {
            Point last = mean.getLast();
            svg.circle("dot", x(last.position()), y(last.score()), 5, null);
        }
    }

    /** Invisible places to point at, with the score in words. */
    private void hits(SvgPlot svg, List<Point> points, String which) {
        for (Point point : points) {
            if (Double.isFinite(point.score())) {
                String place = point.position() < 0
                        ? HtmlText.fixed(-point.position(), 0) + " before the closing"
                        : "closing token " + HtmlText.fixed(point.position() + 1, 0);
                String words = which + place + ": " + HtmlText.score(point.score());
                svg.circle("hit", x(point.position()), y(point.score()), 6, words);
            }
        }
    }

    /** The two levels, the arrow between them, and their labels to the right of the plot. */
    private void levels(SvgPlot svg) {
        if (!Double.isFinite(plateau) || !Double.isFinite(finalScore)) {
            return;
        }
        double arrow = x1 + 14;
        double high = y(plateau);
        double low = y(finalScore);
        svg.line("level", x(-curve.thinking() - 0.5), high, arrow + 6, high);
        svg.line("level", x(curve.closing() - 1), low, arrow + 6, low);
        if (Math.abs(high - low) > 24) {
            double sign = Math.signum(low - high);
            svg.line("dimension", arrow, high + 2 * sign, arrow, low - 2 * sign);
            svg.path("tip", tip(arrow, high, sign) + tip(arrow, low, -sign));
        }
        double gap = layout == Layout.WIDE ? 19 : 38;
        double spread = Math.max(gap, Math.abs(high - low) / 2) * (low >= high ? 1 : -1);
        double middle = Math.clamp((high + low) / 2, y(1) + Math.abs(spread), y(0) - Math.abs(spread));
        label(svg, "level-label", middle - spread, "plateau", plateau);
        label(svg, "cliff-label", middle, "cliff", plateau - finalScore);
        label(svg, "level-label fall", middle + spread, "final", finalScore);
    }

    /** A name and a number beside the arrow; on a phone, one above the other. */
    private void label(SvgPlot svg, String cssClass, double y, String name, double value) {
        double x = x1 + 26;
        if (layout == Layout.WIDE) {
            svg.text(cssClass, Anchor.START, x, y + 5, name + " " + HtmlText.score(value));
        } else {
            svg.text(cssClass, Anchor.START, x, y - 3, name);
            svg.text(cssClass, Anchor.START, x, y + 14, HtmlText.score(value));
        }
    }

    private static String tip(double x, double y, double sign) {
        return "M" + SvgPlot.number(x) + " " + SvgPlot.number(y + sign) + "l-4 " + SvgPlot.number(9 * sign) + "h8z";
    }

    private List<TraceSeries> sample() {
        int shown = Math.min(traces.size(), layout.lines);
        List<TraceSeries> sample = new ArrayList<>();
        for (int i = 0; i < shown; i++) {
            sample.add(traces.get((int) ((long) i * traces.size() / shown)));
        }
        return sample;
    }

    private String data(List<Point> points) {
        StringBuilder data = new StringBuilder();
        boolean drawing = false;
        for (Point point : points) {
            if (Double.isFinite(point.score())) {
                data.append(drawing ? 'L' : 'M').append(SvgPlot.number(x(point.position())));
                data.append(' ').append(SvgPlot.number(y(point.score())));
                drawing = true;
            } else {
                drawing = false;
            }
        }
        return data.toString();
    }

    private double x(double position) {
        double border = -0.5;
        if (position <= border) {
            double start = curve.first() - 0.5;
            double span = Math.max(1, border - start);
            return x0 + Math.max(0, position - start) / span * (edge - x0);
        }
        return edge + (position - border) / Math.max(1, curve.closing()) * (x1 - edge);
    }

    private double y(double score) {
        double bottom = layout.height - BOTTOM;
        return bottom - Math.clamp(score, 0, 1) * (bottom - TOP);
    }

    /** The smallest of 1, 2, 5, 10, 20, 50 ... that is at least {@code wanted}. */
    static int niceStep(double wanted) {
        int step = 1;
        while (true) {
            for (int factor : new int[] {1, 2, 5}) {
                if (step * factor >= wanted) {
                    return step * factor;
                }
            }
            step *= 10;
        }
    }
}
