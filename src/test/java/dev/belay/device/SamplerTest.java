package dev.belay.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SamplerTest {
    private static final int DRAWS = 20_000;
    private static final float[] LOGITS = {1.5f, -0.5f, 0, 2.5f, -3, 2, 1, -1};

    private static int[] draw(Sampling sampling, float[] logits, int count) {
        Sampler sampler = new Sampler(sampling);
        return IntStream.range(0, count)
                .map(i -> sampler.next(logits, 0, logits.length, i / 100, i % 100))
                .toArray();
    }

    private static int argmax(float[] logits) {
        return IntStream.range(0, logits.length)
                .reduce((a, b) -> logits[b] > logits[a] ? b : a)
                .orElseThrow();
    }

    private static float[] noise(int size) {
        Random random = new Random(3);
        float[] logits = new float[size];
        for (int i = 0; i < size; i++) {
            logits[i] = (float) (4 * random.nextGaussian());
        }
        return logits;
    }

    /** Greedy, one candidate, a nucleus that the first token fills, and hardly any temperature. */
    @ParameterizedTest
    @CsvSource({
        "0, 0, 1",
        "0, 5, 0.5",
        "1, 1, 1",
        "3, 1, 0.9",
        "1, 0, 1e-6",
        "2, 7, 1e-6",
        "1e-6, 0, 1",
        "1e-6, 9, 0.99"
    })
    void takesTheMostLikelyToken(float temperature, int topK, float topP) {
        float[] logits = noise(151);
        int[] drawn = draw(new Sampling(temperature, topK, topP, 4), logits, 500);
        for (int token : drawn) {
            assertEquals(argmax(logits), token);
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 1", "1, 1, 1", "1, 0, 1e-6"})
    void tiesGoToTheSmallerToken(float temperature, int topK, float topP) {
        Sampler sampler = new Sampler(new Sampling(temperature, topK, topP, 0));
        assertEquals(1, sampler.next(new float[] {-5, 3, 3, 3}, 0, 4, 0, 0));
        assertEquals(0, sampler.next(new float[] {-5, -5, -6}, 0, 3, 0, 0));
    }

    @Test
    void aLogitThatIsNotANumberChoosesNoToken() {
        assertEquals(-1, new Sampler(Sampling.GREEDY).next(new float[] {1, Float.NaN, 2}, 0, 3, 0, 0));
        assertEquals(-1, new Sampler(new Sampling(1, 2, 1, 0)).next(new float[] {1, 2, Float.NaN}, 0, 3, 0, 0));
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "2, 1", "0, 0.5", "2, 0.5"})
    void aLargestLogitThatIsInfiniteIsTakenGreedilyButNotDrawn(int topK, float topP) {
        float[] positive = {1, 2, Float.POSITIVE_INFINITY, 0};
        float[] negative = new float[4];
        Arrays.fill(negative, Float.NEGATIVE_INFINITY);
        Sampler drawn = new Sampler(new Sampling(1, topK, topP, 0));
        assertEquals(-1, drawn.next(positive, 0, 4, 0, 0));
        assertEquals(-1, drawn.next(negative, 0, 4, 0, 0));
        Sampler greedy = new Sampler(new Sampling(0, topK, topP, 0));
        assertEquals(2, greedy.next(positive, 0, 4, 0, 0));
        assertEquals(0, greedy.next(negative, 0, 4, 0, 0));
        // One that is not the largest has no weight.
        assertTrue(drawn.next(new float[] {Float.NEGATIVE_INFINITY, 5, Float.NEGATIVE_INFINITY, 5}, 0, 4, 0, 0) % 2
                == 1);
    }

    @Test
    void readsOnlyItsPartOfTheLogits() {
        float[] logits = {100, 1, 5, 2, 100};
        assertEquals(1, new Sampler(Sampling.GREEDY).next(logits, 1, 3, 0, 0));
        Sampler sampler = new Sampler(new Sampling(1, 2, 1, 0));
        for (int i = 0; i < 200; i++) {
            assertTrue(Set.of(1, 2).contains(sampler.next(logits, 1, 3, 0, i)));
        }
    }

    /**
     * Counts against softmax(logits / temperature): Pearson's χ² with 7 degrees of freedom is above 24.3 once in 1,000; the seed is
     * fixed. At temperature 1 instead of 0.7 or 1.6 it would be in the hundreds, which the test checks too. The rarest class is
     * expected 4 times or more.
     */
    @ParameterizedTest
    @CsvSource({"0.7, 0", "1, 0", "1.6, 0", "1.6, 8"})
    void drawsFromTheSoftmaxAtItsTemperature(float temperature, int topK) {
        int[] drawn = draw(new Sampling(temperature, topK, 1, 17), LOGITS, DRAWS);
        double fit = chiSquare(drawn, softmax(LOGITS, temperature));
        assertTrue(fit < 24.3, "χ² is " + fit);
        double wrong = chiSquare(drawn, softmax(LOGITS, temperature == 1 ? 1.2 : 1));
        assertTrue(wrong > 100, "χ² against another temperature is only " + wrong);
    }

    private static double[] softmax(float[] logits, double temperature) {
        double[] p = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            p[i] = Math.exp(logits[i] / temperature);
            sum += p[i];
        }
        for (int i = 0; i < p.length; i++) {
            p[i] /= sum;
        }
        return p;
    }

    private static double chiSquare(int[] drawn, double[] p) {
        int[] counts = new int[p.length];
        for (int token : drawn) {
            counts[token]++;
        }
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            double expected = drawn.length * p[i];
            sum += (counts[i] - expected) * (counts[i] - expected) / Math.max(expected, 1e-9);
        }
        return sum;
    }

    /** All of the k most likely, or of the fewest that reach p among them, and no other. */
    @ParameterizedTest
    @CsvSource({"3, 1", "0, 0.6", "0, 0.9", "5, 0.8", "8, 0.999", "100, 1"})
    void choosesFromTheWholeSetAndNothingElse(int topK, float topP) {
        double[] p = softmax(LOGITS, 1.3);
        Integer[] order = IntStream.range(0, p.length).boxed().toArray(Integer[]::new);
        Arrays.sort(order, (a, b) -> Double.compare(p[b], p[a]));
        int kept = topK == 0 ? p.length : Math.min(topK, p.length);
        double total = Arrays.stream(order).limit(kept).mapToDouble(i -> p[i]).sum();
        Set<Integer> allowed = new HashSet<>();
        double mass = 0;
        for (int i = 0; i < kept && mass < topP * total; i++) {
            allowed.add(order[i]);
            mass += p[order[i]];
        }
        int[] drawn = draw(new Sampling(1.3f, topK, topP, 8), LOGITS, DRAWS);
        Set<Integer> seen = new HashSet<>();
        Arrays.stream(drawn).forEach(seen::add);
        assertEquals(allowed, seen);
        double[] renormalized = new double[p.length];
        for (int i : allowed) {
            renormalized[i] = p[i] / mass;
        }
        double fit = chiSquare(drawn, renormalized);
        assertTrue(fit < 24.3, "χ² within the set is " + fit);
    }

    @Test
    void aSeedMakesARunRepeatable() {
        Sampling sampling = new Sampling(1.5f, 6, 0.95f, 123);
        int[] first = draw(sampling, LOGITS, 1000);
        assertArrayEquals(first, draw(sampling, LOGITS, 1000));
        int[] other = draw(new Sampling(1.5f, 6, 0.95f, 124), LOGITS, 1000);
        assertFalse(Arrays.equals(first, other), "another seed draws otherwise");
    }

    /** A draw is a function of seed, text and position, whatever was drawn before. */
    @Test
    void drawsDoNotDependOnTheirOrder() {
        float[] logits = noise(50);
        Sampler forward = new Sampler(new Sampling(2, 0, 1, 9));
        Sampler backward = new Sampler(new Sampling(2, 0, 1, 9));
        int[][] drawn = new int[10][30];
        for (int text = 0; text < 10; text++) {
            for (int position = 0; position < 30; position++) {
                drawn[text][position] = forward.next(logits, 0, 50, text, position);
            }
        }
        for (int position = 29; position >= 0; position--) {
            for (int text = 9; text >= 0; text--) {
                assertEquals(drawn[text][position], backward.next(logits, 0, 50, text, position));
            }
        }
        assertFalse(Arrays.equals(drawn[0], drawn[1]), "texts have their own draws");
    }

    /** 100 × 100 counters: mean 1/2, and neighbours in text, position and seed are not correlated (5 standard errors). */
    @Test
    void uniformNumbersAreUniformAndUnrelated() {
        int n = 10_000;
        double mean = 0;
        double[] products = new double[3];
        int[] buckets = new int[10];
        for (int i = 0; i < n; i++) {
            double u = Sampler.uniform(1, i / 100, i % 100);
            mean += u / n;
            buckets[(int) (10 * u)]++;
            products[0] += (u - 0.5) * (Sampler.uniform(1, i / 100 + 1, i % 100) - 0.5);
            products[1] += (u - 0.5) * (Sampler.uniform(1, i / 100, i % 100 + 1) - 0.5);
            products[2] += (u - 0.5) * (Sampler.uniform(2, i / 100, i % 100) - 0.5);
        }
        assertEquals(0.5, mean, 5 / Math.sqrt(12.0 * n));
        for (double product : products) {
            assertEquals(0, product / n, 5 / (12 * Math.sqrt(n)));
        }
        for (int bucket : buckets) {
            assertEquals(n / 10.0, bucket, 5 * Math.sqrt(n * 0.09));
        }
    }

    /** Seed, text and position may not stand in for each other: run 1's text 0 is not run 0's text 1. */
    @Test
    void countersThatAreExchangedDrawOtherwise() {
        Set<Double> seen = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            seen.add(Sampler.uniform(i / 100, i / 10 % 10, i % 10));
        }
        assertEquals(1000, seen.size());
    }

    @ParameterizedTest
    @CsvSource({
        "-0.1, 0, 1, temperature is -0.1: use a number from 0 (0 = greedy)",
        "NaN, 0, 1, temperature is NaN: use a number from 0 (0 = greedy)",
        "Infinity, 0, 1, temperature is Infinity: use a number from 0 (0 = greedy)",
        "1, -1, 1, top-k is -1: use a number from 0 (0 = all tokens)",
        "1, 0, 0, top-p is 0.0: use a number above 0 and up to 1",
        "1, 0, 1.5, top-p is 1.5: use a number above 0 and up to 1",
        "1, 0, NaN, top-p is NaN: use a number above 0 and up to 1"
    })
    void refusesSettingsThatMeanNothing(float temperature, int topK, float topP, String message) {
        assertEquals(
                message,
                assertThrows(BelayException.class, () -> new Sampling(temperature, topK, topP, 0))
                        .getMessage());
    }
}
