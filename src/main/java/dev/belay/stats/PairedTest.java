package dev.belay.stats;

import java.util.Arrays;
import java.util.Random;

/** Two-sided tests of whether numbers of the same examples changed. */
public final class PairedTest {
    /** Most differences of which every choice of signs is tried. */
    static final int EXACT = 16;

    /** Choices of signs drawn where there are too many. */
    static final int DRAWN = 10_000;

    /** Means that differ by less, relative to the observed one, are the same: they differ by rounding only. */
    private static final double SAME = 1e-9;

    private PairedTest() {}

    /**
     * Sign-flip permutation test of the mean difference: how often it is at least as far from 0 when each difference has a random sign.
     * Differences of 0 tell nothing. Exact for up to {@value #EXACT} others; of more, {@value #DRAWN} choices of signs are drawn, and the
     * observed one counts among them.
     *
     * @param differences finite numbers
     * @param seed of the choices drawn
     * @return p; 1 if nothing differs
     */
    public static double signFlip(double[] differences, long seed) {
        double[] d = Arrays.stream(differences).filter(x -> x != 0).toArray();
        double observed = Math.abs(Arrays.stream(d).sum()) * (1 - SAME);
        if (d.length <= EXACT) {
            int extreme = 0;
            for (int signs = 0; signs < 1 << d.length; signs++) {
                extreme += Math.abs(sum(d, signs)) >= observed ? 1 : 0;
            }
            return (double) extreme / (1 << d.length);
        }
        Random random = new Random(seed);
        int extreme = 1;
        for (int r = 0; r < DRAWN; r++) {
            double sum = 0;
            for (double x : d) {
                sum += random.nextBoolean() ? x : -x;
            }
            extreme += Math.abs(sum) >= observed ? 1 : 0;
        }
        return (double) extreme / (DRAWN + 1);
    }

    private static double sum(double[] d, int signs) {
        double sum = 0;
        for (int i = 0; i < d.length; i++) {
            sum += (signs >> i & 1) == 0 ? d[i] : -d[i];
        }
        return sum;
    }

    /**
     * McNemar's exact test: whether of the examples that changed, as many would change either way, by the binomial distribution.
     *
     * @param gained examples that had it only after
     * @param lost examples that had it only before
     * @return p; 1 if nothing changed
     */
    public static double mcNemar(int gained, int lost) {
        int n = gained + lost;
        int fewer = Math.min(gained, lost);
        double log = -n * Math.log(2);
        double tail = 0;
        for (int k = 0; k <= fewer; k++) {
            tail += Math.exp(log);
            log += Math.log(n - k) - Math.log(k + 1);
        }
        return Math.min(1, 2 * tail);
    }
}
