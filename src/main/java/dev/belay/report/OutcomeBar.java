package dev.belay.report;

/**
 * One thing that an ablation may have changed, measured before, after, and with as many random heads ablated instead.
 *
 * @param group what is measured, e.g. "attacks refused", "benign answered"
 * @param before value without ablation, 0..1
 * @param after value with the chosen heads ablated, 0..1
 * @param randomControl value with random heads ablated; NaN if it was not measured
 * @param n examples behind each value
 */
public record OutcomeBar(String group, Measure measure, double before, double after, double randomControl, int n) {

    /** What a value is: it decides how the numbers are printed and whether they get a confidence interval. */
    public enum Measure {
        /** A share of n examples, printed as per cent with a 95 % interval. */
        SHARE,
        /** A mean score, printed as a number. */
        MEAN_SCORE
    }

    public static OutcomeBar share(String group, double before, double after, double randomControl, int n) {
        return new OutcomeBar(group, Measure.SHARE, before, after, randomControl, n);
    }

    public static OutcomeBar meanScore(String group, double before, double after, double randomControl, int n) {
        return new OutcomeBar(group, Measure.MEAN_SCORE, before, after, randomControl, n);
    }
}
