package dev.belay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

/** Compares numbers element by element; a failure names the worst element, and a NaN is always a failure. */
public final class Closeness {
    /** Unit roundoff of float32: the largest relative error of one rounding. */
    public static final double UNIT = 0x1p-24;

    private Closeness() {}

    /**
     * What a result should be.
     *
     * @param values the exact numbers, as far as float64 gives them
     * @param scale what the rounding error of each element is relative to, at least |value|: for a sum, the sum of |terms|
     */
    public record Expected(double[] values, double[] scale) {
        /** Elements without cancellation: the error is relative to the value itself. */
        public static Expected of(double[] values) {
            double[] scale = new double[values.length];
            for (int i = 0; i < values.length; i++) {
                scale[i] = Math.abs(values[i]);
            }
            return new Expected(values, scale);
        }

        /** Allows for a rounding of relative error {@code unit} behind all others; for scales that are bounds of the error. */
        public void rounds(double unit) {
            for (int i = 0; i < values.length; i++) {
                scale[i] += unit * (Math.abs(values[i]) + scale[i]);
            }
        }
    }

    /** Fails where |actual − expected| > {@code absolute} + {@code relative} · scale, with the largest excess and its place. */
    public static void assertClose(
            Expected expected, float[] actual, double absolute, double relative, int width, String what) {
        assertEquals(expected.values().length, actual.length, what + ": number of elements");
        int worst = -1;
        double excess = 0;
        for (int i = 0; i < actual.length; i++) {
            double difference = Math.abs(expected.values()[i] - actual[i]);
            double over = difference - absolute - relative * expected.scale()[i];
            if (Double.isNaN(over)) {
                over = Double.POSITIVE_INFINITY;
            }
            if (over > excess) {
                excess = over;
                worst = i;
            }
        }
        if (worst >= 0) {
            double value = expected.values()[worst];
            double allowed = absolute + relative * expected.scale()[worst];
            fail(what + ": worst at [" + worst / width + ", " + worst % width + "]: expected " + value + ", got "
                    + actual[worst] + ", difference " + Math.abs(value - actual[worst]) + ", allowed " + allowed);
        }
    }

    /** Fails where two runs differ by more than {@code tolerance}, with the largest difference and its place. */
    public static void assertSame(float[] expected, float[] actual, double tolerance, int width, String what) {
        double[] values = new double[expected.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = expected[i];
        }
        assertClose(Expected.of(values), actual, tolerance, 0, width, what);
    }

    /** The largest |a − b|, to prove that two results which should differ do. */
    public static double largestDifference(float[] a, float[] b) {
        double largest = 0;
        for (int i = 0; i < a.length; i++) {
            largest = Math.max(largest, Math.abs((double) a[i] - b[i]));
        }
        return largest;
    }
}
