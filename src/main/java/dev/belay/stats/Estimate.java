package dev.belay.stats;

/**
 * A number with a 95 % interval; NaN where it cannot be told.
 *
 * @param value the estimate
 * @param low lower end
 * @param high upper end
 */
public record Estimate(double value, double low, double high) {
    private static final double Z = 1.959964;

    /** Nothing is known. */
    public static final Estimate NONE = new Estimate(Double.NaN, Double.NaN, Double.NaN);

    /** A share that was seen in n examples, with Wilson's interval; NaN of no examples. */
    public static Estimate share(double share, int n) {
        double z2 = Z * Z;
        double center = share + z2 / (2 * n);
        double half = Z * Math.sqrt(share * (1 - share) / n + z2 / (4.0 * n * n));
        return new Estimate(share, end((center - half) / (1 + z2 / n)), end((center + half) / (1 + z2 / n)));
    }

    private static double end(double value) {
        return Double.isNaN(value) ? value : Math.clamp(value, 0, 1);
    }
}
