package dev.belay.report;

import dev.belay.stats.Change;
import dev.belay.stats.Estimate;

/**
 * One thing that an ablation or another training may have changed, measured before, after, and maybe with random heads ablated instead.
 *
 * @param group what is measured, e.g. "attacks refused", "benign answered"
 * @param before value before, 0..1, with the ends of its whisker; NaN = none
 * @param after value after, 0..1, with the ends of its whisker; NaN = none
 * @param randomControl value with random heads ablated; NaN if it was not measured
 * @param n examples behind each value
 */
public record OutcomeBar(String group, Measure measure, Estimate before, Estimate after, double randomControl, int n) {

    /** What a value is: it decides how the numbers are printed. */
    public enum Measure {
        /** A share of n examples, printed as per cent. */
        SHARE,
        /** A mean score, printed as a number. */
        MEAN_SCORE
    }

    /** A share with Wilson's interval. */
    public static OutcomeBar share(String group, double before, double after, double randomControl, int n) {
        return new OutcomeBar(
                group, Measure.SHARE, Estimate.share(before, n), Estimate.share(after, n), randomControl, n);
    }

    /** A mean without an interval. */
    public static OutcomeBar meanScore(String group, double before, double after, double randomControl, int n) {
        return new OutcomeBar(group, Measure.MEAN_SCORE, bare(before), bare(after), randomControl, n);
    }

    /** A value in words. */
    static String print(Measure measure, double value) {
        return measure == Measure.SHARE ? HtmlText.percent(value) : HtmlText.score(value);
    }

    private static Estimate bare(double value) {
        return new Estimate(value, Double.NaN, Double.NaN);
    }

    /** A change with its own intervals. */
    public static OutcomeBar change(String group, Measure measure, Change change) {
        return new OutcomeBar(group, measure, change.before(), change.after(), Double.NaN, change.n());
    }
}
