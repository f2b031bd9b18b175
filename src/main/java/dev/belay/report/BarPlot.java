package dev.belay.report;

import dev.belay.report.OutcomeBar.Measure;
import dev.belay.report.SvgPlot.Anchor;
import dev.belay.stats.Estimate;

/** Bars for one outcome: before, after, and with random heads, with the intervals it has. */
final class BarPlot {
    private static final double WIDTH = 360;
    private static final double LEFT = 106;
    private static final double RIGHT = 56;
    private static final double ROW = 30;
    private static final double BAR = 18;

    private BarPlot() {}

    static String render(OutcomeBar outcome) {
        boolean control = Double.isFinite(outcome.randomControl());
        int rows = control ? 3 : 2;
        SvgPlot svg =
                new SvgPlot(WIDTH, rows * ROW + 22, "bars", outcome.group() + " before and after", describe(outcome));
        for (double share : new double[] {0, 0.5, 1}) {
            svg.line("gridline", x(share), 0, x(share), rows * ROW);
            String label = outcome.measure() == Measure.SHARE ? HtmlText.percent(share) : HtmlText.fixed(share, 1);
            svg.text("tick", Anchor.MIDDLE, x(share), rows * ROW + 16, label);
        }
        row(svg, 0, "before", outcome.before(), outcome);
        row(svg, 1, "after", outcome.after(), outcome);
        if (control) {
            row(svg, 2, "random heads", new Estimate(outcome.randomControl(), Double.NaN, Double.NaN), outcome);
        }
        return svg.finish();
    }

    private static String describe(OutcomeBar outcome) {
        String text =
                "before " + OutcomeBar.print(outcome.measure(), outcome.before().value()) + ", after "
                        + OutcomeBar.print(outcome.measure(), outcome.after().value());
        if (Double.isFinite(outcome.randomControl())) {
            text += ", with random heads " + OutcomeBar.print(outcome.measure(), outcome.randomControl());
        }
        return text + ", of " + HtmlText.counted(outcome.n(), "example");
    }

    private static void row(SvgPlot svg, int row, String label, Estimate estimate, OutcomeBar outcome) {
        double value = estimate.value();
        double y = row * ROW + (ROW - BAR) / 2;
        double middle = row * ROW + ROW / 2;
        String shade = "bar-" + label.split(" ", 2)[0];
        svg.text("bar-label", Anchor.END, LEFT - 8, middle + 4.5, label);
        if (Double.isFinite(value)) {
            double length = Math.max(1.5, x(value) - LEFT);
            svg.rect(shade, LEFT, y, length, BAR, label + ": " + OutcomeBar.print(outcome.measure(), value));
            if (Double.isFinite(estimate.low()) && Double.isFinite(estimate.high())) {
                whisker(svg, x(estimate.low()), x(estimate.high()), middle);
            }
        }
        svg.text("bar-value", Anchor.END, WIDTH - 2, middle + 5, OutcomeBar.print(outcome.measure(), value));
    }

    /** A whisker over a halo, so that it can be seen on the bar and beside it. */
    private static void whisker(SvgPlot svg, double low, double high, double y) {
        String ends = "M" + SvgPlot.number(low) + " " + SvgPlot.number(y - 3) + "v6M" + SvgPlot.number(high) + " "
                + SvgPlot.number(y - 3) + "v6";
        String data = "M" + SvgPlot.number(low) + " " + SvgPlot.number(y) + "H" + SvgPlot.number(high) + ends;
        svg.path("whisker halo", data).path("whisker", data);
    }

    private static double x(double value) {
        return LEFT + Math.clamp(value, 0, 1) * (WIDTH - LEFT - RIGHT);
    }
}
