package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The kernels of a mixture of experts: router, expert_groups, and the products expert_matmul and expert_matvec. What the sizes hit:
 *
 * <pre>
 *   router   experts 1, 5, 31, 32, 33, 128, 300   less than a warp, whole warps, and a last one that is partly idle
 *            top 1, all experts, and between
 *            tokens 1, 4, 5, 9                    blocks of four tokens, the last one partly idle
 *   groups   pairs 1, 31, 32, 64, 4100, 8200      one warp, several, 32 of them with one round of 32 pairs and with more
 *            experts 1, 5, 128, 300               more than have pairs
 *   products tokens 1, 2 / 3, 4 / 5, 8            expert_matvec with 16, 32 and 64 rows a block
 *            tokens 9, 40, 70, 300                tiles, several of an expert, partly filled; experts without any
 *            columns 8, 32, 96, 100, 257          as in CudaMatmulTest
 * </pre>
 */
@Tag("kernel")
class CudaExpertsTest {
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

    private record Routing(int[] experts, float[] shares) {}

    private static Routing route(float[] logits, int tokens, int top, boolean normalized) {
        int count = logits.length / tokens;
        try (TestArray in = kernels.floats("logits", logits);
                CudaMemory experts = kernels.ints("experts", new int[tokens * top]);
                TestArray shares = kernels.output(Kind.F32, tokens * top, 0)) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.ROUTER_F32);
            kernel.pointer(in.address())
                    .i32(tokens)
                    .i32(count)
                    .i32(top)
                    .i32(normalized ? 1 : 0)
                    .pointer(experts)
                    .pointer(shares.address());
            kernels.run(kernel, KernelCatalog.routerShape(tokens));
            return new Routing(kernels.ints(experts, tokens * top), shares.values());
        }
    }

    /** Of equal logits the first, as a stable sort leaves them. */
    private static int[] chosen(float[] logits, int top) {
        return IntStream.range(0, logits.length)
                .boxed()
                .sorted((a, b) -> logits[a] == logits[b] ? 0 : logits[a] > logits[b] ? -1 : 1)
                .limit(top)
                .mapToInt(e -> e)
                .sorted()
                .toArray();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1",
        "4, 5, 2",
        "5, 6, 6",
        "9, 31, 4",
        "4, 32, 8",
        "5, 33, 33",
        "9, 128, 8",
        "2, 300, 1",
        "3, 300, 40"
    })
    void choosesTheLargest(int tokens, int count, int top) {
        float[] logits = OpData.normal(1, tokens * count);
        for (int i = 0; i < logits.length; i++) {
            // Wide, and with equal ones.
            logits[i] = Math.round(8 * logits[i]) / 2f;
        }
        for (boolean normalized : new boolean[] {false, true}) {
            Routing actual = route(logits, tokens, top, normalized);
            double[] shares = new double[tokens * top];
            for (int t = 0; t < tokens; t++) {
                float[] row = Arrays.copyOfRange(logits, t * count, (t + 1) * count);
                int[] experts = chosen(row, top);
                assertArrayEquals(
                        experts, Arrays.copyOfRange(actual.experts(), t * top, (t + 1) * top), "experts of token " + t);
                double largest =
                        IntStream.range(0, count).mapToDouble(e -> row[e]).max().orElseThrow();
                IntStream of = normalized ? Arrays.stream(experts) : IntStream.range(0, count);
                double sum = of.mapToDouble(e -> Math.exp(row[e] - largest)).sum();
                for (int k = 0; k < top; k++) {
                    shares[t * top + k] = Math.exp(row[experts[k]] - largest) / sum;
                }
            }
            // expf is off by 1 ulp, which is 2 units, in the dividend and in each term of the sum; a lane adds a term
            // of every 32
            // experts, five more sums add the lanes, and the quotient rounds. Differences of halves are exact.
            double tolerance = (2 + 2 + Math.ceilDiv(count, 32) + 5 + 1) * UNIT;
            Closeness.assertClose(Expected.of(shares), actual.shares(), 0, tolerance, top, "shares, " + normalized);
        }
    }

    @Test
    void zeroIsNotLargerThanMinusZeroAndEqualLogitsGoByNumber() {
        Routing zeros = route(new float[] {-1, -0f, 0, -0f, 0, -2}, 1, 3, true);
        assertArrayEquals(new int[] {1, 2, 3}, zeros.experts());
        for (float share : zeros.shares()) {
            assertEquals(1 / 3f, share, UNIT);
        }
        int[] first = {0, 1, 2, 3, 4, 5, 6, 7};
        assertArrayEquals(first, route(new float[128], 1, 8, false).experts());
        float[] far = new float[70];
        far[3] = Float.NEGATIVE_INFINITY;
        far[69] = 5;
        assertArrayEquals(new int[] {0, 1, 69}, route(far, 1, 3, false).experts());
    }

    /** Whatever the logits are, there are k different experts, so that nothing is read elsewhere; the shares are no numbers then. */
    @Test
    void logitsThatAreNoNumbers() {
        float[] logits = {1, Float.NaN, 2, Float.NaN, Float.NEGATIVE_INFINITY, Float.NaN};
        Routing some = route(logits, 1, 3, false);
        assertArrayEquals(new int[] {0, 2, 4}, some.experts());
        float[] none = new float[6];
        Arrays.fill(none, Float.NaN);
        assertArrayEquals(new int[] {0, 1, 2}, route(none, 1, 3, true).experts());
        for (float share : some.shares()) {
            assertTrue(Float.isNaN(share));
        }
    }

    private static ExpertGroups group(int[] expertOf, int experts) {
        int pairs = expertOf.length;
        try (CudaMemory in = kernels.ints("experts", expertOf);
                CudaMemory offsets = kernels.ints("offsets", new int[experts + 1]);
                CudaMemory order = kernels.ints("pairs", new int[pairs]);
                CudaMemory places = kernels.ints("places", new int[pairs])) {
            CudaKernel kernel = kernels.kernel(KernelCatalog.EXPERT_GROUPS);
            kernel.pointer(in).i32(pairs).pointer(offsets).pointer(order).pointer(places);
            kernels.run(kernel, KernelCatalog.expertGroupsShape(experts, pairs));
            return new ExpertGroups(
                    kernels.ints(offsets, experts + 1), kernels.ints(order, pairs), kernels.ints(places, pairs));
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 5", "31, 5", "32, 5", "64, 128", "4100, 5", "8200, 8", "128, 300"})
    void groupsPairsByExpert(int pairs, int experts) {
        Random random = new Random(pairs);
        // Some experts have many, and some none.
        int[] expertOf = random.ints(pairs, 0, experts)
                .map(e -> e % 3 == 1 ? experts - 1 : e)
                .toArray();
        ExpertGroups expected = ExpertGroups.of(expertOf, experts);
        ExpertGroups actual = group(expertOf, experts);
        assertArrayEquals(expected.offsets(), actual.offsets());
        assertArrayEquals(expected.pairs(), actual.pairs());
        assertArrayEquals(expected.places(), actual.places());
    }

    /** A product of all experts, from rows of tokens or from rows of pairs. */
    private record Case(int tokens, int experts, int top, int rows, int columns, boolean byToken, DType dtype) {
        int pairs() {
            return tokens * top;
        }

        /** Distinct experts for each token; the first half of the experts has three quarters of them. */
        int[] expertOf() {
            Random random = new Random(tokens);
            int[] expertOf = new int[pairs()];
            for (int t = 0; t < tokens; t++) {
                int[] own = random.ints(0, experts)
                        .map(e -> random.nextBoolean() ? e / 2 : e)
                        .distinct()
                        .limit(top)
                        .sorted()
                        .toArray();
                System.arraycopy(own, 0, expertOf, t * top, top);
            }
            return expertOf;
        }

        float[] a() {
            return values(21, (byToken ? tokens : pairs()) * columns);
        }

        float[] weights() {
            return values(22, experts * rows * columns);
        }

        private float[] values(int seed, int count) {
            float[] values = OpData.normal(seed, count);
            return dtype == DType.BF16 ? OpData.rounded(values) : values;
        }

        Kind kind() {
            return dtype == DType.BF16 ? Kind.BF16 : Kind.F32;
        }

        /** Row of a of the pair at a place. */
        int source(ExpertGroups groups, int place) {
            return byToken ? groups.pairs()[place] / top : place;
        }

        Expected expected(int[] expertOf, ExpertGroups groups) {
            float[] a = a();
            float[] w = weights();
            double[] values = new double[pairs() * rows];
            double[] scale = new double[values.length];
            for (int p = 0; p < pairs(); p++) {
                int expert = expertOf[groups.pairs()[p]];
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < columns; c++) {
                        double term =
                                (double) a[source(groups, p) * columns + c] * w[(expert * rows + r) * columns + c];
                        values[p * rows + r] += term;
                        scale[p * rows + r] += Math.abs(term);
                    }
                }
            }
            return new Expected(values, scale);
        }
    }

    private static List<KernelSignature> products(DType dtype, int tokens) {
        boolean half = dtype == DType.BF16;
        KernelSignature large = half ? KernelCatalog.EXPERT_MATMUL_BF16_F32 : KernelCatalog.EXPERT_MATMUL_F32;
        KernelSignature small =
                half ? KernelCatalog.EXPERT_MATMUL_SMALL_BF16_F32 : KernelCatalog.EXPERT_MATMUL_SMALL_F32;
        KernelSignature vector = half ? KernelCatalog.EXPERT_MATVEC_BF16_F32 : KernelCatalog.EXPERT_MATVEC_F32;
        return tokens <= KernelCatalog.MATVEC_TOKENS ? List.of(vector, small, large) : List.of(small, large);
    }

    /** The kernel of one expert that sums in the same order. */
    private static KernelSignature alone(KernelSignature kernel) {
        return KernelCatalog.all().stream()
                .filter(k -> k.name().equals(kernel.name().replace("expert_", "")))
                .findFirst()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 4, 1, 40, 96",
        "1, 6, 3, 17, 257",
        "2, 40, 5, 33, 100",
        "3, 6, 6, 70, 32",
        "4, 5, 2, 64, 2048",
        "8, 6, 2, 130, 264",
        "8, 3, 3, 66, 8",
        "9, 5, 2, 64, 96",
        "40, 6, 2, 129, 100",
        "70, 40, 3, 15, 257",
        "300, 3, 1, 66, 40"
    })
    void multipliesEachExpert(int tokens, int experts, int top, int rows, int columns) {
        for (DType dtype : DType.values()) {
            for (boolean byToken : new boolean[] {true, false}) {
                Case product = new Case(tokens, experts, top, rows, columns, byToken, dtype);
                int[] expertOf = product.expertOf();
                ExpertGroups groups = ExpertGroups.of(expertOf, experts);
                Expected expected = product.expected(expertOf, groups);
                for (KernelSignature kernel : products(dtype, tokens)) {
                    float[] actual = run(product, expertOf, groups, kernel);
                    // As in CudaMatmulTest.
                    double tolerance = (2.0 * columns + 3) * UNIT;
                    Closeness.assertClose(expected, actual, 0, tolerance, rows, kernel.name() + " of " + product);
                    for (int e = 0; e < experts; e++) {
                        assertBitsOfTheExpertAlone(product, groups, e, kernel, actual);
                    }
                }
            }
        }
    }

    private static float[] run(Case product, int[] expertOf, ExpertGroups groups, KernelSignature signature) {
        int pairs = product.pairs();
        try (TestArray a = kernels.array("a", product.kind(), product.a(), 0);
                TestArray weights = kernels.array("weights", product.kind(), product.weights(), 0);
                CudaMemory experts = kernels.ints("experts", expertOf);
                CudaMemory offsets = kernels.ints("offsets", groups.offsets());
                CudaMemory order = kernels.ints("pairs", groups.pairs());
                TestArray out = kernels.output(Kind.F32, pairs * product.rows(), 0)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(a.address())
                    .i32(product.columns())
                    .pointer(weights.address())
                    .pointer(experts)
                    .pointer(offsets)
                    .pointer(order)
                    .i32(product.byToken() ? product.top() : 0)
                    .pointer(out.address())
                    .i32(product.tokens())
                    .i32(product.rows())
                    .i32(product.columns())
                    .i32(product.experts());
            kernels.run(
                    kernel,
                    KernelCatalog.expertProductShape(
                            signature, product.tokens(), pairs, product.experts(), product.rows()));
            return out.values();
        }
    }

    /** The same rows, gathered by the host, times the weights of one expert. */
    private static void assertBitsOfTheExpertAlone(
            Case product, ExpertGroups groups, int expert, KernelSignature kernel, float[] actual) {
        int begin = groups.offsets()[expert];
        int count = groups.offsets()[expert + 1] - begin;
        if (count == 0) {
            return;
        }
        int columns = product.columns();
        int rows = product.rows();
        float[] all = product.a();
        float[] rowsOfA = new float[count * columns];
        for (int i = 0; i < count; i++) {
            System.arraycopy(all, product.source(groups, begin + i) * columns, rowsOfA, i * columns, columns);
        }
        float[] weights = Arrays.copyOfRange(product.weights(), expert * rows * columns, (expert + 1) * rows * columns);
        KernelSignature alone = alone(kernel);
        LaunchShape shape = alone.sharedBytes() > 0
                ? KernelCatalog.matmulShape(alone, count, rows)
                : KernelCatalog.matvecShape(count, rows);
        try (TestArray a = kernels.array("a", product.kind(), rowsOfA, 0);
                TestArray w = kernels.array("weights", product.kind(), weights, 0);
                TestArray out = kernels.output(Kind.F32, count * rows, 0)) {
            CudaKernel launch = kernels.kernel(alone);
            launch.pointer(a.address())
                    .i32(columns)
                    .pointer(w.address())
                    .i32(columns)
                    .pointer(0)
                    .pointer(out.address())
                    .i32(rows)
                    .i32(count)
                    .i32(rows)
                    .i32(columns)
                    .i32(0);
            kernels.run(launch, shape);
            assertArrayEquals(
                    out.values(),
                    Arrays.copyOfRange(actual, begin * rows, (begin + count) * rows),
                    kernel.name() + ": expert " + expert + " of " + product);
        }
    }

    @Test
    void thereAreTilesForAnyChoice() {
        for (int[] sizes : new int[][] {{9, 5, 2}, {300, 3, 1}, {64, 128, 8}, {1000, 4, 3}}) {
            int pairs = sizes[0] * sizes[2];
            for (KernelSignature kernel : products(DType.BF16, sizes[0])) {
                int tile = kernel == KernelCatalog.EXPERT_MATMUL_BF16_F32 ? 128 : 64;
                // The most tiles: one pair for each expert but one, which has the others, or some full tiles and one
                // pair more.
                int reached = Math.min(sizes[1], pairs);
                int most = reached + (pairs - reached) / tile;
                LaunchShape shape = KernelCatalog.expertProductShape(kernel, sizes[0], pairs, sizes[1], 1);
                assertEquals(most, shape.gridX(), Arrays.toString(sizes));
            }
        }
    }
}
