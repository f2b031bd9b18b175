package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.Sampler;
import dev.belay.device.Sampling;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The greedy and sample kernels, token for token the CPU's {@link Sampler}: no draw of these fixed seeds falls within rounding of a
 * bound. What each vocabulary hits:
 *
 * <pre>
 *   1, 2, 31, 33       one warp with logits or two; single numbers an access, but for none
 *   160, 1024          16-byte accesses, one digit of ids, and two with no logit to spare
 *   1027, 4099, 9000   single numbers an access, more logits than threads; several rounds of 4 a thread; 16-byte accesses
 *   32000, 151936      vocabularies of Llama-2 and Qwen2: two and three digits of ids
 * </pre>
 */
@Tag("kernel")
class CudaSampleTest {
    private static final int GUARD = -77;

    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 31, 33, 160, 1024, 1027, 4099, 9000, 32000, 151936})
    void greedyTakesTheLargest(int vocabulary) {
        int rows = vocabulary > 30_000 ? 2 : 9;
        float[] noise = noise(1, rows, vocabulary, 4);
        float[] ties = rounded(noise(2, rows, vocabulary, 1));
        for (int skip : new int[] {0, 1}) {
            assertGreedy(noise, rows, vocabulary, skip);
            assertGreedy(ties, rows, vocabulary, skip);
        }
    }

    /** The largest at every token of a row, alone and as the first of two, for every lane and several rounds of a block. */
    @Test
    void greedyFindsEveryPlace() {
        int vocabulary = 68;
        float[] logits = new float[2 * vocabulary * vocabulary];
        for (int r = 0; r < 2 * vocabulary; r++) {
            Arrays.fill(logits, r * vocabulary, (r + 1) * vocabulary, -3);
            logits[r * vocabulary + r % vocabulary] = -1;
            logits[(r + 1) * vocabulary - 1] = r < vocabulary ? logits[(r + 1) * vocabulary - 1] : -1;
        }
        assertGreedy(logits, 2 * vocabulary, vocabulary, 0);
        assertGreedy(logits, 2 * vocabulary, vocabulary, 3);
    }

    /** Zeros are equal, whatever their sign. */
    @ParameterizedTest
    @ValueSource(ints = {2, 40, 5000})
    void greedyTakesTheFirstZero(int vocabulary) {
        float[] logits = new float[4 * vocabulary];
        Arrays.fill(logits, -1);
        for (int r = 0; r < 4; r++) {
            logits[r * vocabulary] = r % 2 == 0 ? -0.0f : 0;
            logits[(r + 1) * vocabulary - 1] = r < 2 ? 0 : -0.0f;
        }
        assertArrayEquals(new int[4], greedy(logits, 4, vocabulary, 0));
        assertGreedy(logits, 4, vocabulary, 0);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 0, 1, 20",
        "1, 1, 1, 0.5, 20",
        "2, 1, 0, 1, 120",
        "2, 0.7, 1, 1, 50",
        "2, 3, 2, 0.9, 120",
        "31, 1, 0, 1, 120",
        "31, 2, 5, 1, 120",
        "31, 2, 0, 0.6, 120",
        "31, 2, 30, 0.95, 120",
        "33, 10, 0, 0.999, 120",
        "160, 1, 0, 1, 120",
        "160, 1.5, 40, 1, 120",
        "160, 1.5, 0, 0.9, 120",
        "160, 1.5, 40, 0.9, 120",
        "160, 1.5, 160, 0.9, 100",
        "160, 1.5, 500, 1, 100",
        "160, 100, 159, 0.99, 120",
        "1024, 4, 0, 1, 100",
        "1024, 4, 50, 0.95, 100",
        "1024, 4, 1000, 1, 100",
        "1027, 5, 300, 0.8, 100",
        "4099, 5, 0, 1, 50",
        "4099, 5, 4098, 0.99, 50",
        "9000, 5, 0, 0.95, 30",
        "32000, 4, 0, 1, 12",
        "32000, 4, 0, 0.9, 12",
        "32000, 4, 500, 0.9, 12",
        "151936, 4, 0, 1, 3",
        "151936, 4, 20000, 0.95, 3"
    })
    void drawsTheTokensOfTheCpu(int vocabulary, float temperature, int topK, float topP, int rows) {
        float[] logits = noise(vocabulary + topK, rows, vocabulary, 4);
        long[] seeds = rows > 100 ? new long[] {0, -1, 1234567890123456789L} : new long[] {42};
        for (long seed : seeds) {
            int[] drawn = assertDrawn(new Sampling(temperature, topK, topP, seed), logits, rows, vocabulary, 0);
            long kinds = Arrays.stream(drawn).distinct().count();
            assertTrue(kinds > rows / 4 || vocabulary < 160, "of " + rows + " rows, " + kinds + " tokens");
        }
    }

    /** One row of logits, many draws: every token that may come comes, and those between bounds of top-k and top-p only. */
    @ParameterizedTest
    @CsvSource({"0, 1", "7, 1", "0, 0.7", "12, 0.7", "20, 0.5"})
    void drawsTheTokensOfTheCpuManyTimes(int topK, float topP) {
        int vocabulary = 40;
        int rows = 800;
        float[] row = noise(5, 1, vocabulary, 2);
        int[] drawn = assertDrawn(new Sampling(4, topK, topP, 3), repeated(row, rows), rows, vocabulary, 0);
        assertTrue(Arrays.stream(drawn).distinct().count() >= 6, "draws differ");
    }

    /** Equal logits share the place at a bound of top-k, of top-p, of both, and of the draw. */
    @ParameterizedTest
    @CsvSource({
        "31, 0, 1",
        "31, 10, 1",
        "31, 0, 0.5",
        "31, 10, 0.5",
        "300, 0, 1",
        "300, 100, 1",
        "300, 0, 0.9",
        "300, 77, 0.3",
        "2050, 0, 1",
        "2050, 1025, 1",
        "2050, 0, 0.99",
        "2050, 1500, 0.5"
    })
    void drawsAmongEqualLogits(int vocabulary, int topK, float topP) {
        int rows = 60;
        Sampling sampling = new Sampling(2, topK, topP, 11);
        assertDrawn(sampling, rounded(noise(6, rows, vocabulary, 2)), rows, vocabulary, 0);
        float[] equal = new float[rows * vocabulary];
        Arrays.fill(equal, -2.5f);
        int[] drawn = assertDrawn(sampling, equal, rows, vocabulary, 0);
        assertTrue(Arrays.stream(drawn).distinct().count() > 4, "equal logits, many tokens");
        for (int i = 0; i < equal.length; i++) {
            equal[i] = i % 3 == 0 ? -0.0f : 0;
        }
        assertDrawn(sampling, equal, rows, vocabulary, 0);
    }

    /** Masked tokens, logits near the ends of float32, subnormal ones, and temperatures at which one token or all are alike. */
    @ParameterizedTest
    @CsvSource({
        "1, 0, 1",
        "1, 5, 1",
        "1, 0, 0.9",
        "1, 90, 0.9",
        "1e-6, 0, 1",
        "1e-6, 20, 0.9",
        "1e-44, 0, 1",
        "1e-44, 20, 0.9",
        "1e30, 0, 1",
        "1e30, 20, 0.9",
        "3e38, 0, 1",
        "3e38, 60, 0.9"
    })
    void drawsFromExtremeLogits(float temperature, int topK, float topP) {
        int vocabulary = 100;
        int rows = 60;
        float[] logits = noise(7, rows, vocabulary, 3);
        Random random = new Random(8);
        for (int i = 0; i < logits.length; i++) {
            int row = i / vocabulary;
            logits[i] = switch (row % 6) {
                case 0 -> random.nextInt(4) > 0 ? Float.NEGATIVE_INFINITY : logits[i];
                case 1 -> random.nextBoolean() ? -Float.MAX_VALUE : logits[i] * 1e37f;
                case 2 -> logits[i] * Float.MIN_VALUE;
                case 3 -> i % vocabulary == row % vocabulary ? 5 : Float.NEGATIVE_INFINITY;
                case 4 -> random.nextBoolean() ? Float.MAX_VALUE : -Float.MAX_VALUE;
                default -> logits[i] * 10;
            };
        }
        assertDrawn(new Sampling(temperature, topK, topP, 5), logits, rows, vocabulary, 0);
    }

    /**
     * One token of weight 1 and thousands of small ones, on both sides of where they are computed in float32. The draws are those of
     * the last 0.9 of what the small ones have together, so that the place among these decides.
     */
    @ParameterizedTest
    @ValueSource(ints = {14, 18, 20, 22})
    void drawsAmongSmallWeights(int below) {
        int vocabulary = 20_000;
        int rows = 12;
        float[] logits = noise(9, 1, vocabulary, 1);
        double small = 0;
        for (int i = 1; i < vocabulary; i++) {
            logits[i] -= below;
            small += Math.exp(logits[i]);
        }
        logits[0] = 0;
        double least = 1 - 0.9 * small / (1 + small);
        int[] positions = IntStream.iterate(0, p -> p + 1)
                .filter(p -> uniform(5, 0, p) > least)
                .limit(rows)
                .toArray();
        for (Sampling sampling : new Sampling[] {
            new Sampling(1, 0, 1, 5), new Sampling(1, 19_000, 1, 5), new Sampling(1, 0, 0.9999999f, 5)
        }) {
            int[] expected = cpu(sampling, repeated(logits, rows), vocabulary, new int[rows], positions);
            int[] actual = sample(
                    sampling, repeated(logits, rows), vocabulary, 0, new int[rows], positions, shape(rows, 1024));
            assertArrayEquals(expected, actual, "" + sampling);
            assertTrue(
                    sampling.topP() < 1 || Arrays.stream(actual).distinct().count() > rows / 2,
                    "small weights are drawn: " + Arrays.toString(actual));
        }
    }

    /**
     * Two tokens whose bound is as close to the draw as a float32 logit can make it, and one step of the logit on either side: 1e-8 is
     * the order of the distances, so that an error of the weights of float32's size shows in many rows.
     */
    @Test
    void drawsAsTheCpuNextToTheBound() {
        int rows = 450;
        float[] logits = new float[2 * rows];
        int[] texts = new int[rows];
        int[] positions = new int[rows];
        for (int r = 0; r < rows; r++) {
            texts[r] = 1;
            positions[r] = r / 3;
            double draw = uniform(77, 1, r / 3);
            boolean first = draw < 0.5;
            float bound = (float) (first ? Math.log(draw / (1 - draw)) : Math.log((1 - draw) / draw));
            logits[2 * r + (first ? 0 : 1)] =
                    r % 3 == 0 ? bound : r % 3 == 1 ? Math.nextUp(bound) : Math.nextDown(bound);
        }
        Sampling byId = new Sampling(1, 0, 1, 77);
        int[] expected = cpu(byId, logits, 2, texts, positions);
        assertArrayEquals(expected, sample(byId, logits, 2, 0, texts, positions, shape(rows, 1024)));
        assertTrue(
                Arrays.stream(expected).sum() > 150 && Arrays.stream(expected).sum() < 300, "on either side");
        Sampling byLogit = new Sampling(1, 0, 0.9999f, 77);
        expected = cpu(byLogit, logits, 2, texts, positions);
        assertArrayEquals(expected, sample(byLogit, logits, 2, 0, texts, positions, shape(rows, 1024)));
    }

    /** Likewise the bound of top-p: the second token is the last that counts, or does not count, and the draw would take it. */
    @Test
    void endsTheNucleusAsTheCpu() {
        int rows = 300;
        float topP = 0.9f;
        int[] positions = IntStream.iterate(0, p -> p + 1)
                .filter(p -> uniform(78, 0, p) > 0.95)
                .limit(rows)
                .toArray();
        float bound = (float) Math.log(1 / (double) topP - 1);
        float[] logits = new float[2 * rows];
        for (int r = 0; r < rows; r++) {
            logits[2 * r + 1] = bound + (r - rows / 2) * Math.ulp(bound) / 8;
        }
        Sampling sampling = new Sampling(1, 0, topP, 78);
        int[] expected = cpu(sampling, logits, 2, new int[rows], positions);
        assertArrayEquals(expected, sample(sampling, logits, 2, 0, new int[rows], positions, shape(rows, 1024)));
        assertTrue(Arrays.stream(expected).distinct().count() == 2, "on either side");
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "3, 1", "0, 0.5"})
    void saysWhereALogitIsNotANumber(int topK, float topP) {
        for (int vocabulary : new int[] {1, 2, 33, 2048, 5001}) {
            int rows = 6;
            float[] logits = noise(10, rows, vocabulary, 1);
            logits[0] = Float.NaN;
            logits[vocabulary + vocabulary / 2] = Float.intBitsToFloat(0xffc00001);
            logits[3 * vocabulary - 1] = Float.NaN;
            logits[3 * vocabulary] = Float.NEGATIVE_INFINITY;
            int[] greedy = greedy(logits, rows, vocabulary, 0);
            int[] drawn = sample(new Sampling(1, topK, topP, 1), logits, rows, vocabulary, 0, shape(rows, 1024));
            for (int r = 0; r < rows; r++) {
                assertEquals(r < 3, greedy[r] == -1, "greedy, row " + r + " of " + vocabulary);
                assertEquals(
                        r < 3 || r == 3 && vocabulary == 1, drawn[r] == -1, "drawn, row " + r + " of " + vocabulary);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "5, 1", "0, 0.9", "5, 0.9"})
    void drawsNothingWhereTheLargestIsInfinite(int topK, float topP) {
        int vocabulary = 70;
        float[] logits = noise(11, 2, vocabulary, 1);
        logits[50] = Float.POSITIVE_INFINITY;
        Arrays.fill(logits, vocabulary, 2 * vocabulary, Float.NEGATIVE_INFINITY);
        assertArrayEquals(new int[] {50, 0}, greedy(logits, 2, vocabulary, 0));
        Sampling sampling = new Sampling(1, topK, topP, 1);
        assertArrayEquals(new int[] {-1, -1}, sample(sampling, logits, 2, vocabulary, 0, shape(2, 1024)));
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 1", "0, 5, 0.5"})
    void temperatureZeroIsGreedy(float temperature, int topK, float topP) {
        float[] logits = noise(12, 30, 500, 1);
        assertDrawn(new Sampling(temperature, topK, topP, 1), logits, 30, 500, 0);
    }

    /** Any number of whole warps from 256 threads on gives the same, and so does any start. */
    @ParameterizedTest
    @CsvSource({"256, 0", "288, 1", "512, 2", "1024, 3"})
    void takesAnyBlockAndStart(int threads, int skip) {
        int rows = 20;
        int vocabulary = 3000;
        float[] logits = noise(13, rows, vocabulary, 2);
        for (Sampling sampling : new Sampling[] {new Sampling(2, 0, 1, 6), new Sampling(2, 400, 0.8f, 6)}) {
            int[] expected = cpu(sampling, logits, rows, vocabulary);
            assertArrayEquals(
                    expected, sample(sampling, logits, rows, vocabulary, skip, shape(rows, threads)), "" + sampling);
        }
    }

    private static void assertGreedy(float[] logits, int rows, int vocabulary, int skip) {
        int[] expected = cpu(Sampling.GREEDY, logits, rows, vocabulary);
        assertArrayEquals(expected, greedy(logits, rows, vocabulary, skip), rows + " rows of " + vocabulary);
    }

    private static int[] assertDrawn(Sampling sampling, float[] logits, int rows, int vocabulary, int skip) {
        int[] expected = cpu(sampling, logits, rows, vocabulary);
        int[] actual = sample(sampling, logits, rows, vocabulary, skip, KernelCatalog.sampleShape(rows));
        assertArrayEquals(expected, actual, rows + " rows of " + vocabulary + ", " + sampling);
        return actual;
    }

    private static int[] cpu(Sampling sampling, float[] logits, int rows, int vocabulary) {
        return cpu(sampling, logits, vocabulary, texts(rows), positions(rows));
    }

    private static int[] cpu(Sampling sampling, float[] logits, int vocabulary, int[] texts, int[] positions) {
        Sampler sampler = new Sampler(sampling);
        return IntStream.range(0, texts.length)
                .map(r -> sampler.next(logits, r * vocabulary, vocabulary, texts[r], positions[r]))
                .toArray();
    }

    private static int[] greedy(float[] logits, int rows, int vocabulary, int skip) {
        try (TestArray in = kernels.floats("logits", logits, skip);
                CudaMemory tokens = tokens(rows)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.GREEDY_F32);
            kernel.pointer(in.address()).i32(vocabulary).pointer(tokens);
            kernels.run(kernel, KernelCatalog.sampleShape(rows));
            return read(tokens, rows);
        }
    }

    private static int[] sample(
            Sampling sampling, float[] logits, int rows, int vocabulary, int skip, LaunchShape shape) {
        return sample(sampling, logits, vocabulary, skip, texts(rows), positions(rows), shape);
    }

    private static int[] sample(
            Sampling sampling,
            float[] logits,
            int vocabulary,
            int skip,
            int[] textOfRow,
            int[] positionOfRow,
            LaunchShape shape) {
        int rows = textOfRow.length;
        try (TestArray in = kernels.floats("logits", logits, skip);
                CudaMemory texts = kernels.ints("texts", textOfRow);
                CudaMemory positions = kernels.ints("positions", positionOfRow);
                CudaMemory tokens = tokens(rows)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.SAMPLE_F32);
            kernel.pointer(in.address())
                    .i32(vocabulary)
                    .f32(sampling.temperature())
                    .i32(sampling.topK())
                    .f32(sampling.topP())
                    .i64(sampling.seed())
                    .pointer(texts)
                    .pointer(positions)
                    .pointer(tokens);
            kernels.run(kernel, shape);
            return read(tokens, rows);
        }
    }

    private static LaunchShape shape(int rows, int threads) {
        return new LaunchShape(rows, 1, threads);
    }

    private static int[] texts(int rows) {
        return IntStream.range(0, rows).map(r -> 3 * r % 101).toArray();
    }

    private static int[] positions(int rows) {
        return IntStream.range(0, rows).map(r -> 7 + r).toArray();
    }

    /** The draw of a seed, text and position, from 0 to 1: SplitMix64's finalizer over each in turn. */
    private static double uniform(long seed, int text, int position) {
        long mixed = 0;
        for (long counter : new long[] {seed, text, position}) {
            mixed = (mixed ^ counter) + 0x9e3779b97f4a7c15L;
            mixed = (mixed ^ (mixed >>> 30)) * 0xbf58476d1ce4e5b9L;
            mixed = (mixed ^ (mixed >>> 27)) * 0x94d049bb133111ebL;
            mixed ^= mixed >>> 31;
        }
        return (mixed >>> 11) * 0x1p-53;
    }

    private static CudaMemory tokens(int rows) {
        int[] guarded = new int[rows + 8];
        Arrays.fill(guarded, GUARD);
        return kernels.ints("tokens", guarded);
    }

    private static int[] read(CudaMemory tokens, int rows) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(tokens.bytes());
            tokens.read(0, data);
            int[] all = data.toArray(ValueLayout.JAVA_INT);
            for (int i = rows; i < all.length; i++) {
                assertEquals(GUARD, all[i], "behind the tokens");
            }
            return Arrays.copyOf(all, rows);
        }
    }

    private static float[] noise(int seed, int rows, int vocabulary, double deviation) {
        Random random = new Random(seed);
        float[] logits = new float[rows * vocabulary];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (deviation * random.nextGaussian());
        }
        return logits;
    }

    /** Whole numbers: many ties. */
    private static float[] rounded(float[] logits) {
        float[] rounded = new float[logits.length];
        for (int i = 0; i < logits.length; i++) {
            rounded[i] = Math.round(logits[i]);
        }
        return rounded;
    }

    private static float[] repeated(float[] row, int rows) {
        float[] all = new float[rows * row.length];
        for (int i = 0; i < all.length; i++) {
            all[i] = row[i % row.length];
        }
        return all;
    }
}
