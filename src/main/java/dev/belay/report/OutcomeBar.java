package dev.belay.report;

import dev.belay.stats.Change;
import dev.belay.stats.Estimate;
import java.util.ArrayList;
import java.util.List;

/**
 * One thing that was measured, as bars: of all examples, or before and after an ablation or another training, and maybe with random
 * heads ablated instead.
 *
 * @param group what is measured, e.g. "attacks refused", "benign answered"
 * @param bars the values, 0..1, in seconds of any size
 * @param n examples behind each value; 0 where there are none
 */
public record OutcomeBar(String group, Measure measure, List<Bar> bars, int n) {
    private static final String BEFORE = "before";
    private static final String AFTER = "after";
    private static final String RANDOM = "random heads";

    /** What a value is: it decides how the numbers are printed. */
    public enum Measure {
        /** A share of n examples, printed as per cent. */
        SHARE,
        /** A mean score, printed as a number. */
        MEAN_SCORE,
        /** A speed as a share of the most that the machine can do, printed as per cent. */
        OF_PEAK,
        /** A difference as a share of what is accepted, printed as per cent; beyond 1 the bar ends. */
        OF_TOLERANCE,
        /** A time; the longest bar fills the plot. */
        SECONDS
    }

    /**
     * One bar.
     *
     * @param label short: it stands left of the bar
     * @param estimate its length, with the ends of its whisker; NaN = none
     */
    public record Bar(String label, Estimate estimate) {
        double value() {
            return estimate.value();
        }

        /** The CSS class. */
        String shade() {
            return switch (label) {
                case BEFORE -> "bar-before";
                case RANDOM -> "bar-random";
                default -> "bar-after";
            };
        }
    }

    public OutcomeBar {
        bars = List.copyOf(bars);
    }

    /** A share with Wilson's interval. */
    public static OutcomeBar share(String group, double before, double after, double randomControl, int n) {
        Estimate random = bare(randomControl);
        return of(group, Measure.SHARE, Estimate.share(before, n), Estimate.share(after, n), random, n);
    }

    /** A mean without an interval. */
    public static OutcomeBar meanScore(String group, double before, double after, double randomControl, int n) {
        return of(group, Measure.MEAN_SCORE, bare(before), bare(after), bare(randomControl), n);
    }

    /** A change with its own intervals. */
    public static OutcomeBar change(String group, Measure measure, Change change) {
        return of(group, measure, change.before(), change.after(), Estimate.NONE, change.n());
    }

    /** One bar with a whisker. */
    public static OutcomeBar single(String group, Measure measure, String label, Estimate estimate, int n) {
        return new OutcomeBar(group, measure, List.of(new Bar(label, estimate)), n);
    }

    /** A length without a whisker. */
    public static Estimate bare(double value) {
        return new Estimate(value, Double.NaN, Double.NaN);
    }

    private static OutcomeBar of(
            String group, Measure measure, Estimate before, Estimate after, Estimate random, int n) {
        List<Bar> bars = new ArrayList<>(List.of(new Bar(BEFORE, before), new Bar(AFTER, after)));
        if (Double.isFinite(random.value())) {
            bars.add(new Bar(RANDOM, random));
        }
        return new OutcomeBar(group, measure, bars, n);
    }

    /** Whether it tells what something changed. */
    boolean isChange() {
        return bars.stream().anyMatch(bar -> bar.label().equals(AFTER));
    }

    boolean hasControl() {
        return bars.stream().anyMatch(bar -> bar.label().equals(RANDOM));
    }

    boolean hasWhisker() {
        return bars.stream().anyMatch(bar -> Double.isFinite(bar.estimate().low()));
    }

    /** A value in words. */
    static String print(Measure measure, double value) {
        return switch (measure) {
            case SHARE, OF_PEAK, OF_TOLERANCE -> HtmlText.percent(value);
            case MEAN_SCORE -> HtmlText.score(value);
            case SECONDS -> HtmlText.fixed(value, value < 10 ? 2 : 1) + " s";
        };
    }
}
