package dev.belay.report;

import dev.belay.report.OutcomeBar.Bar;
import dev.belay.report.OutcomeBar.Measure;
import dev.belay.report.SvgPlot.Anchor;
import dev.belay.stats.Estimate;
import java.util.stream.Collectors;

/** Bars for one outcome, with the intervals it has. */
final class BarPlot {
    private static final double WIDTH = 360;
    private static final double LEFT = 106;
    private static final double RIGHT = 56;
    private static final double ROW = 30;
    private static final double BAR = 18;

    private final OutcomeBar outcome;
    /** The value at the right end. */
    private final double most;

    private BarPlot(OutcomeBar outcome) {
        this.outcome = outcome;
        double longest = outcome.bars().stream().mapToDouble(Bar::value).max().orElse(0);
        this.most = outcome.measure() != Measure.SECONDS ? 1 : longest > 0 ? longest : 1;
    }

    static String render(OutcomeBar outcome) {
        return new BarPlot(outcome).draw();
    }

    private String draw() {
        double bottom = outcome.bars().size() * ROW;
        SvgPlot svg = new SvgPlot(WIDTH, bottom + 22, "bars", outcome.group(), describe());
        for (double part : new double[] {0, 0.5, 1}) {
            svg.line("gridline", x(part * most), 0, x(part * most), bottom);
            svg.text("tick", Anchor.MIDDLE, x(part * most), bottom + 16, tick(part * most));
        }
        for (int row = 0; row < outcome.bars().size(); row++) {
            row(svg, row, outcome.bars().get(row));
        }
        return svg.finish();
    }

    private String tick(double value) {
        return outcome.measure() == Measure.MEAN_SCORE ? HtmlText.fixed(value, 1) : print(value);
    }

    private String print(double value) {
        return OutcomeBar.print(outcome.measure(), value);
    }

    private String describe() {
        String text = outcome.bars().stream()
                .map(bar -> bar.label() + " " + print(bar.value()))
                .collect(Collectors.joining(", "));
        return outcome.n() == 0 || outcome.measure() == Measure.SECONDS
                ? text
                : text + ", of " + HtmlText.counted(outcome.n(), "example");
    }

    private void row(SvgPlot svg, int row, Bar bar) {
        Estimate estimate = bar.estimate();
        double y = row * ROW + (ROW - BAR) / 2;
        double middle = row * ROW + ROW / 2;
        svg.text("bar-label", Anchor.END, LEFT - 8, middle + 4.5, bar.label());
        if (Double.isFinite(bar.value())) {
            double length = Math.max(1.5, x(bar.value()) - LEFT);
            svg.rect(bar.shade(), LEFT, y, length, BAR, bar.label() + ": " + print(bar.value()));
            if (Double.isFinite(estimate.low()) && Double.isFinite(estimate.high())) {
                whisker(svg, x(estimate.low()), x(estimate.high()), middle);
            }
        }
        svg.text("bar-value", Anchor.END, WIDTH - 2, middle + 5, print(bar.value()));
    }

    /** A whisker over a halo, so that it can be seen on the bar and beside it. */
    private static void whisker(SvgPlot svg, double low, double high, double y) {
        String ends = "M" + SvgPlot.number(low) + " " + SvgPlot.number(y - 3) + "v6M" + SvgPlot.number(high) + " "
                + SvgPlot.number(y - 3) + "v6";
        String data = "M" + SvgPlot.number(low) + " " + SvgPlot.number(y) + "H" + SvgPlot.number(high) + ends;
        svg.path("whisker halo", data).path("whisker", data);
    }

    private double x(double value) {
        return LEFT + Math.clamp(value / most, 0, 1) * (WIDTH - LEFT - RIGHT);
    }
}
