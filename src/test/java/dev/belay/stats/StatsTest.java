package dev.belay.stats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against numbers worked out by hand, or by scipy 1.17.1 where it is named. */
class StatsTest {
    /** Numbers that look like differences of scores: round(0.3 sin(1.7 i) + 0.08, 3). */
    private static final double[] SINES = rounded(i -> 0.3 * Math.sin(1.7 * i) + 0.08);

    /** round(0.2 cos(0.9 i) + 0.5, 3). */
    private static final double[] COSINES = rounded(i -> 0.2 * Math.cos(0.9 * i) + 0.5);

    private static double[] rounded(IntToDoubleFunction f) {
        return IntStream.range(0, 40)
                .mapToDouble(i -> Math.rint(1000 * f.applyAsDouble(i)) / 1000)
                .toArray();
    }

    /** scipy.stats.binomtest(k, n).proportion_ci(method='wilson'). */
    @ParameterizedTest
    @CsvSource({
        "50, 100, 0.4038315303659956, 0.5961684696340044",
        "100, 100, 0.9630065017930143, 1",
        "0, 100, 0, 0.03699349820698568",
        "3, 7, 0.1582198552514697, 0.7495416354723428"
    })
    void wilson(int successes, int n, double low, double high) {
        Estimate share = Estimate.share((double) successes / n, n);
        assertEquals((double) successes / n, share.value());
        assertEquals(low, share.low(), 1e-7);
        assertEquals(high, share.high(), 1e-7);
    }

    @Test
    void ofNothingNothingIsKnown() {
        assertEquals(Estimate.NONE, Estimate.share(Double.NaN, 0));
        assertEquals(Estimate.NONE, Bootstrap.means(0, new double[0])[0]);
        Change change = Change.ofScores(new double[] {Double.NaN, 1}, new double[] {1, Double.NaN}, 0);
        assertEquals(new Change(0, Estimate.NONE, Estimate.NONE, Estimate.NONE, 0, 0, 1), change);
    }

    /** numpy.percentile of 1, 2, 4, 8, 16. */
    @Test
    void quantiles() {
        double[] sorted = {1, 2, 4, 8, 16};
        assertEquals(1.1, Bootstrap.quantile(sorted, 0.025), 1e-12);
        assertEquals(2.4, Bootstrap.quantile(sorted, 0.3), 1e-12);
        assertEquals(4, Bootstrap.quantile(sorted, 0.5));
        assertEquals(15.2, Bootstrap.quantile(sorted, 0.975), 1e-12);
    }

    /**
     * scipy.stats.bootstrap(method='percentile', n_resamples=400000); of 10,000 resamples the ends of an interval spread by about a
     * fiftieth of its width.
     */
    @Test
    void bootstrapOfMeans() {
        double[] difference =
                IntStream.range(0, 40).mapToDouble(i -> COSINES[i] - SINES[i]).toArray();
        Estimate[] means = Bootstrap.means(3, SINES, COSINES, difference);
        assertClose(new Estimate(0.085225, 0.020175, 0.150175), means[0], 0.004);
        assertClose(new Estimate(0.49775, 0.45345, 0.5424), means[1], 0.003);
        assertClose(new Estimate(0.412525, 0.334975, 0.4916), means[2], 0.005);
        assertArrayEquals(means, Bootstrap.means(3, SINES, COSINES, difference));
    }

    private static void assertClose(Estimate expected, Estimate actual, double tolerance) {
        assertEquals(expected.value(), actual.value(), 1e-9);
        assertEquals(expected.low(), actual.low(), tolerance);
        assertEquals(expected.high(), actual.high(), tolerance);
    }

    @Test
    void ofExamplesThatAreAlikeTheIntervalIsTheValue() {
        boolean[] all = new boolean[49];
        Arrays.fill(all, true);
        assertEquals(new Estimate(1, 1, 1), Change.ofTruths(all, all, 0).before());
    }

    /** Where after = before + 1 for every example, every resample has the difference 1: pairs are drawn together. */
    @Test
    void resamplesKeepPairs() {
        double[] after = IntStream.range(0, 40).mapToDouble(i -> SINES[i] + 1).toArray();
        Change change = Change.ofScores(SINES, after, 0);
        assertEquals(1, change.difference().low(), 1e-9);
        assertEquals(1, change.difference().high(), 1e-9);
        assertTrue(change.after().high() - change.after().low() > 0.1);
        assertEquals(40, change.up());
    }

    /** scipy.stats.permutation_test(permutation_type='samples', n_resamples=inf). */
    @Test
    void signFlipOfFewIsExact() {
        double[] differences = {0.31, -0.05, 0, 0.12, 0.4, 0.07, -0.2, 0.33, 0.09, 0, 0.15, -0.01};
        assertEquals(0.076171875, PairedTest.signFlip(differences, 0));
        assertEquals(2 / 8.0, PairedTest.signFlip(new double[] {0.1, 0.2, 0.3}, 0));
        assertEquals(1, PairedTest.signFlip(new double[] {0, 0}, 0));
    }

    /** 0.015885 of 2,000,000 choices of signs drawn by numpy; the tolerance is four standard errors of 10,000. */
    @Test
    void signFlipOfManyIsDrawn() {
        double p = PairedTest.signFlip(SINES, 1);
        assertEquals(0.015885, p, 4 * Math.sqrt(0.0159 * 0.984 / 10_000));
        assertEquals(p, PairedTest.signFlip(SINES, 1));
        double[] same = IntStream.range(0, 100).mapToDouble(i -> 1).toArray();
        assertEquals(1.0 / 10_001, PairedTest.signFlip(same, 1));
    }

    /** scipy.stats.binomtest(gained, gained + lost, 0.5).pvalue. */
    @ParameterizedTest
    @CsvSource({
        "1, 9, 0.021484375",
        "0, 6, 0.03125",
        "5, 5, 1",
        "3, 12, 0.03515625",
        "2, 3, 1",
        "0, 0, 1",
        "400, 470, 0.019267052848609047",
        "470, 400, 0.019267052848609047",
        "1, 1500, 0"
    })
    void mcNemar(int gained, int lost, double p) {
        assertEquals(p, PairedTest.mcNemar(gained, lost), 1e-12);
    }

    @Test
    void changesAreCountedOnceEach() {
        boolean[] before = {true, false, false, false, false, false, true, false};
        boolean[] after = {true, true, true, true, true, true, false, false};
        Change change = Change.ofTruths(before, after, 0);
        assertEquals(8, change.n());
        assertEquals(0.25, change.before().value());
        assertEquals(0.75, change.after().value());
        assertEquals(0.5, change.difference().value());
        assertEquals(5, change.up());
        assertEquals(1, change.down());
        // 2 · (1 + 6) / 2⁶
        assertEquals(0.21875, change.p(), 1e-15);
        double nan = Double.NaN;
        Change scores = Change.ofScores(new double[] {1, nan, 3, 2}, new double[] {2, 5, 1, nan}, 0);
        assertEquals(2, scores.n());
        assertEquals(2, scores.before().value());
        assertEquals(1.5, scores.after().value());
        assertEquals(1, scores.up());
        assertEquals(1, scores.down());
        assertEquals(1, scores.p());
    }
}
