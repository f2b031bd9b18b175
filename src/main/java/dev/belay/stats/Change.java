package dev.belay.stats;

import java.util.Locale;
import java.util.stream.IntStream;

/**
 * What became of one number of the same examples.
 *
 * @param n examples that have the number before and after
 * @param before its mean before, with a bootstrap interval over the examples
 * @param after its mean after, from the same resamples
 * @param difference after − before, from the same resamples
 * @param up examples whose number rose
 * @param down examples whose number fell
 * @param p two-sided: by {@link PairedTest#signFlip} for scores, {@link PairedTest#mcNemar} for truths
 */
public record Change(int n, Estimate before, Estimate after, Estimate difference, int up, int down, double p) {
    /**
     * The change of a score; examples where it is not a number before or after are left out.
     *
     * @param seed of the resamples and of the signs
     */
    public static Change ofScores(double[] before, double[] after, long seed) {
        int[] known = IntStream.range(0, before.length)
                .filter(i -> Double.isFinite(before[i]) && Double.isFinite(after[i]))
                .toArray();
        double[] one = IntStream.of(known).mapToDouble(i -> before[i]).toArray();
        double[] other = IntStream.of(known).mapToDouble(i -> after[i]).toArray();
        double[] difference = difference(one, other);
        return of(one, other, difference, PairedTest.signFlip(difference, seed), seed);
    }

    /**
     * The change of a share: 1 for an example of which something is true, else 0.
     *
     * @param seed of the resamples
     */
    public static Change ofTruths(boolean[] before, boolean[] after, long seed) {
        double[] one = numbers(before);
        double[] other = numbers(after);
        double[] difference = difference(one, other);
        return of(one, other, difference, PairedTest.mcNemar(count(difference, 1), count(difference, -1)), seed);
    }

    /** p in words: three digits, or that it is smaller. */
    public String pWords() {
        return p < 0.0005 ? "< 0.001" : String.format(Locale.ROOT, "%.3f", p);
    }

    private static Change of(double[] before, double[] after, double[] difference, double p, long seed) {
        Estimate[] means = Bootstrap.means(seed, before, after, difference);
        return new Change(before.length, means[0], means[1], means[2], count(difference, 1), count(difference, -1), p);
    }

    private static double[] difference(double[] before, double[] after) {
        return IntStream.range(0, before.length)
                .mapToDouble(i -> after[i] - before[i])
                .toArray();
    }

    private static int count(double[] difference, double sign) {
        int count = 0;
        for (double d : difference) {
            count += Math.signum(d) == sign ? 1 : 0;
        }
        return count;
    }

    private static double[] numbers(boolean[] truths) {
        return IntStream.range(0, truths.length)
                .mapToDouble(i -> truths[i] ? 1 : 0)
                .toArray();
    }
}
