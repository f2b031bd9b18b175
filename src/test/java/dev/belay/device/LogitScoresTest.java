package dev.belay.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The log-likelihoods of given tokens, on every device. What the vocabularies hit on a GPU:
 *
 * <pre>
 *   1, 31, 33, 1027, 5001   single numbers an access; fewer than threads, and more
 *   160, 4096               16-byte accesses, idle threads and none
 *   20000, 151936           several rounds of 2 accesses a thread, as Qwen2 has
 * </pre>
 */
@Tag("kernel")
class LogitScoresTest {
    private static Device device;

    @BeforeAll
    static void open() {
        device = TestDevices.open(DType.F32);
    }

    @AfterAll
    static void close() {
        device.close();
    }

    /** Rows without tokens, with one, and with several, the same one twice among them. */
    @ParameterizedTest
    @CsvSource({"1, 3", "31, 7", "33, 7", "1027, 5", "5001, 4", "160, 6", "4096, 5", "20000, 3", "151936, 2"})
    void areThoseOfFloat64(int vocabulary, int rows) {
        Random random = new Random(vocabulary);
        int[] first = new int[rows + 1];
        for (int r = 0; r < rows; r++) {
            first[r + 1] = first[r] + r % 4;
        }
        int[] tokens = random.ints(first[rows], 0, vocabulary).toArray();
        if (rows > 3) {
            tokens[first[3]] = tokens[first[3] + 1];
        }
        float[] logits = OpData.normal(vocabulary, rows * vocabulary);
        for (int i = 0; i < logits.length; i++) {
            logits[i] *= 1 << i / vocabulary;
        }
        check(logits, rows, vocabulary, first, tokens);
    }

    /** Any place may hold the largest logit, here far above the rest: the first of a thread, one of later rounds, the last. */
    @ParameterizedTest
    @CsvSource({"97", "8200"})
    void theLargestMayBeAnywhere(int vocabulary) {
        int[] places = {0, 1, 3, 4, 31, 32, vocabulary / 2, vocabulary - 2, vocabulary - 1};
        float[] logits = OpData.normal(2, places.length * vocabulary);
        int[] first = new int[places.length + 1];
        int[] tokens = new int[2 * places.length];
        for (int r = 0; r < places.length; r++) {
            logits[r * vocabulary + places[r]] = 90;
            tokens[2 * r] = places[r];
            tokens[2 * r + 1] = 5;
            first[r + 1] = 2 * r + 2;
        }
        check(logits, places.length, vocabulary, first, tokens);
    }

    /** Masked tokens, logits at the ends of float32, and ones so far apart that all but the largest count for nothing. */
    @Test
    void extremeLogits() {
        int vocabulary = 5000;
        float[] logits = OpData.normal(3, 3 * vocabulary);
        for (int i = 0; i < vocabulary; i++) {
            if (i % 3 > 0) {
                logits[i] = Float.NEGATIVE_INFINITY;
            }
            logits[vocabulary + i] = -Float.MAX_VALUE;
            logits[2 * vocabulary + i] *= 1e36f;
        }
        logits[vocabulary + 77] = 3;
        check(logits, 3, vocabulary, new int[] {0, 1, 2, 3}, new int[] {3, 77, 123});
        float[] masked = scores(logits, 1, vocabulary, new int[] {0, 2}, new int[] {3, 4});
        assertTrue(Float.isFinite(masked[0]));
        assertEquals(Float.NEGATIVE_INFINITY, masked[1]);
    }

    @Test
    void whereLogitsOverflowThereIsNoScore() {
        for (int vocabulary : new int[] {3, 70, 4096}) {
            float[] logits = OpData.normal(4, 4 * vocabulary);
            logits[vocabulary - 1] = Float.NaN;
            logits[vocabulary + 1] = Float.POSITIVE_INFINITY;
            Arrays.fill(logits, 2 * vocabulary, 3 * vocabulary, Float.NEGATIVE_INFINITY);
            float[] scores = scores(logits, 4, vocabulary, new int[] {0, 1, 2, 3, 4}, new int[] {0, 0, 0, 0});
            for (int r = 0; r < 4; r++) {
                assertEquals(r < 3, Float.isNaN(scores[r]), "row " + r + " of " + vocabulary);
            }
        }
    }

    @Test
    void tokensOutsideTheVocabularyAreRefused() {
        for (int token : new int[] {-1, 8}) {
            DeviceException e = assertThrows(
                    DeviceException.class, () -> scores(new float[8], 1, 8, new int[] {0, 1}, new int[] {token}));
            assertEquals("logitScores of token " + token + ": the vocabulary has 8 tokens", e.getMessage());
        }
    }

    private static void check(float[] logits, int rows, int vocabulary, int[] first, int[] tokens) {
        double[] expected = new double[first[rows]];
        double[] scale = new double[expected.length];
        for (int r = 0; r < rows; r++) {
            float[] row = Arrays.copyOfRange(logits, r * vocabulary, (r + 1) * vocabulary);
            double largest = Double.NEGATIVE_INFINITY;
            for (float logit : row) {
                largest = Math.max(largest, logit);
            }
            double sum = 0;
            for (float logit : row) {
                sum += Math.exp(logit - largest);
            }
            for (int n = first[r]; n < first[r + 1]; n++) {
                expected[n] = row[tokens[n]] - largest - Math.log(sum);
                scale[n] = Math.abs(expected[n]);
            }
        }
        // A weight is good to 3 units in the last place of float32, which their sum is then too, and so its logarithm
        // absolutely; with
        // sums of 4 that is 8 roundings. The score rounds once.
        Closeness.assertClose(
                new Expected(expected, scale),
                scores(logits, rows, vocabulary, first, tokens),
                8 * Closeness.UNIT,
                Closeness.UNIT,
                1,
                rows + " rows of " + vocabulary);
    }

    private static float[] scores(float[] logits, int rows, int vocabulary, int[] first, int[] tokens) {
        try (DeviceBuffer in = device.allocate("logits", logits.length)) {
            in.write(0, logits, 0, logits.length);
            float[] out = new float[first[rows]];
            device.logitScores(in, rows, vocabulary, first, tokens, out).await();
            return out;
        }
    }
}
