package dev.belay.stats;

import java.util.Arrays;
import java.util.Random;

/** Percentile bootstrap of means over examples. */
public final class Bootstrap {
    /** Resamples drawn. */
    public static final int RESAMPLES = 10_000;

    private static final double TAIL = 0.025;

    private Bootstrap() {}

    /**
     * The means of several numbers of the same examples with 95 % intervals. A resample draws as many examples as there are, with
     * replacement, and takes all numbers of those it draws: paired numbers stay paired.
     *
     * @param seed of the resamples
     * @param columns finite numbers, [C][N]
     * @return one estimate for each column; {@link Estimate#NONE} without examples
     */
    public static Estimate[] means(long seed, double[]... columns) {
        int n = columns[0].length;
        Estimate[] estimates = new Estimate[columns.length];
        if (n == 0) {
            Arrays.fill(estimates, Estimate.NONE);
            return estimates;
        }
        Random random = new Random(seed);
        double[][] means = new double[columns.length][RESAMPLES];
        for (int r = 0; r < RESAMPLES; r++) {
            for (int k = 0; k < n; k++) {
                int example = random.nextInt(n);
                for (int c = 0; c < columns.length; c++) {
                    means[c][r] += columns[c][example];
                }
            }
            for (int c = 0; c < columns.length; c++) {
                means[c][r] /= n;
            }
        }
        for (int c = 0; c < columns.length; c++) {
            Arrays.sort(means[c]);
            double mean = Arrays.stream(columns[c]).average().orElseThrow();
            estimates[c] = new Estimate(mean, quantile(means[c], TAIL), quantile(means[c], 1 - TAIL));
        }
        return estimates;
    }

    /** A quantile of sorted numbers, between two of them by their distance. */
    static double quantile(double[] sorted, double share) {
        double place = share * (sorted.length - 1);
        int below = (int) place;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
    }
}
