package dev.belay.device.cpu;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.TokenLayout;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The operations that treat tokens one by one. Widths hit the vector loop and its tail: 1 and 15 only the tail, 16, 48, 64 and 576
 * only vectors (16 lanes), 17 and 100 both; 600 tokens are shared by the threads in several items.
 */
class RowOpsTest {
    private static final int[] TOKENS = {1, 15, 16, 17, 31, 33, 127, 128, 129, 600};

    private final CpuDevice device = CpuDevice.open(DType.F32, 3, false);

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 48, 64, 100, 576})
    void rmsNorm(int width) {
        for (int tokens : TOKENS) {
            float[] x = OpData.outliers(1, tokens, width);
            float[] weight = OpData.normal(2, width);
            double[] expected = new double[x.length];
            for (int t = 0; t < tokens; t++) {
                double squares = 0;
                for (int i = 0; i < width; i++) {
                    squares += (double) x[t * width + i] * x[t * width + i];
                }
                for (int i = 0; i < width; i++) {
                    expected[t * width + i] = x[t * width + i] / Math.sqrt(squares / width + 1e-5f) * weight[i];
                }
            }
            try (CpuBuffer in = OpData.upload(device, "x", x);
                    CpuBuffer w = OpData.upload(device, "weight", weight);
                    CpuBuffer out = OpData.output(device, x.length)) {
                device.rmsNorm(in, w, 1e-5f, tokens, width, out);
                // The sum of W positive squares is off by at most W roundings, its root by half of them; 4 for the
                // rest.
                check(Expected.of(expected), out, (4 + width / 2.0) * UNIT, width, "rmsNorm of " + tokens);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 48, 64, 100, 576})
    void swiglu(int width) {
        for (int tokens : TOKENS) {
            float[] gateUp = OpData.outliers(3, tokens, 2 * width);
            gateUp[0] = -120; // exp(120) is beyond float32
            gateUp[2 * width * (tokens - 1) + width - 1] = 95;
            double[] expected = new double[tokens * width];
            double[] scale = new double[expected.length];
            for (int i = 0; i < expected.length; i++) {
                int start = i / width * 2 * width + i % width;
                double g = gateUp[start];
                expected[i] = g / (1 + Math.exp(-g)) * gateUp[start + width];
                scale[i] = Math.abs(expected[i]);
            }
            try (CpuBuffer in = OpData.upload(device, "gateUp", gateUp);
                    CpuBuffer out = OpData.output(device, expected.length)) {
                device.swiglu(in, tokens, width, out);
                float[] actual = OpData.download(out, expected.length);
                // exp is good to 1 unit in the last place (2 roundings), then a sum, a quotient and a product round;
                // where
                // exp(-g) is beyond float32 the result is 0, short of at most 120·e⁻⁸⁸·|up|.
                Closeness.assertClose(
                        new Expected(expected, scale), actual, 1e-33, 6 * UNIT, width, "swiglu of " + tokens);
            }
        }
    }

    /** Only the rows from the offset on change, and one sum of two numbers is rounded in one way. */
    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 48, 64, 100, 576})
    void addBiasIsExact(int width) {
        for (int tokens : TOKENS) {
            float[] x = OpData.normal(1, (tokens + 2) * width);
            float[] bias = OpData.normal(2, width);
            float[] expected = x.clone();
            for (int i = 0; i < tokens * width; i++) {
                expected[width + i] += bias[i % width];
            }
            try (CpuBuffer in = OpData.upload(device, "x", x);
                    CpuBuffer b = OpData.upload(device, "bias", bias)) {
                device.addBias(in, width, tokens, width, b);
                assertArrayEquals(expected, OpData.read(in, 0, x.length), "bias of " + tokens + " rows");
            }
        }
    }

    /** Rows in any order, those not named untouched; product and sum are rounded once. */
    @ParameterizedTest
    @ValueSource(ints = {1, 15, 16, 17, 48, 64, 100, 576})
    void scatterAddsWeightedRowsExactly(int width) {
        try (ThreadTeam team = new ThreadTeam(3)) {
            for (int count : TOKENS) {
                float[] x = OpData.normal(1, count * width);
                float[] sums = OpData.normal(2, 2 * count * width);
                float[] weights = OpData.normal(3, count);
                int[] rows = IntStream.range(0, count)
                        .map(i -> 2 * (count - 1 - i) + i % 2)
                        .toArray();
                float[] expected = sums.clone();
                for (int i = 0; i < x.length; i++) {
                    int at = rows[i / width] * width + i % width;
                    expected[at] = Math.fma(x[i], weights[i / width], sums[at]);
                }
                try (CpuBuffer in = OpData.upload(device, "x", x);
                        CpuBuffer out = OpData.upload(device, "out", sums)) {
                    new RowScatter().run(team, in, rows, weights, count, width, out);
                    assertArrayEquals(expected, OpData.read(out, 0, sums.length), "scatter of " + count + " rows");
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16, 17, 100})
    void embedAndGatherCopyExactly(int width) {
        int rows = 70;
        float[] table = OpData.normal(4, rows * width);
        for (int tokens : TOKENS) {
            TokenLayout layout = new TokenLayout();
            layout.addRow(0, 0, 0);
            int[] ids = new int[tokens];
            float[] expected = new float[tokens * width];
            for (int t = 0; t < tokens; t++) {
                ids[t] = t == 0 ? rows - 1 : t * 31 % rows;
                layout.addToken(ids[t], t);
                System.arraycopy(table, ids[t] * width, expected, t * width, width);
            }
            try (CpuMatrix matrix = OpData.matrix(device, "table", table, rows, width);
                    CpuBuffer in = OpData.upload(device, "rows", table);
                    CpuBuffer embedded = OpData.output(device, expected.length);
                    CpuBuffer gathered = OpData.output(device, expected.length)) {
                device.embed(matrix, layout, embedded);
                device.gather(in, ids, tokens, width, gathered);
                Closeness.assertSame(expected, OpData.download(embedded, expected.length), 0, width, "embed");
                Closeness.assertSame(expected, OpData.download(gathered, expected.length), 0, width, "gather");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 17", "3, 16", "2, 100", "5, 33"})
    void ablationStart(int groups, int width) {
        for (int tokens : new int[] {1, 16, 33}) {
            for (boolean withNorms : new boolean[] {false, true}) {
                ablationStart(groups, tokens, width, withNorms);
            }
        }
    }

    private void ablationStart(int groups, int tokens, int width, boolean withNorms) {
        float[] x = OpData.outliers(5, tokens, width);
        float[] whole = OpData.outliers(6, tokens, width);
        float[] away = OpData.normal(7, groups * tokens * width);
        float[] norms = OpData.normal(8, groups * tokens);
        double[] expected = new double[away.length];
        double[] scale = new double[away.length];
        for (int i = 0; i < away.length; i++) {
            int token = i % (tokens * width);
            double s = withNorms ? norms[token / width * groups + i / (tokens * width)] : 1;
            expected[i] = x[token] + s * ((double) whole[token] - away[i]);
            scale[i] = Math.abs(x[token]) + Math.abs(s) * (Math.abs(whole[token]) + Math.abs(away[i]));
        }
        try (CpuBuffer stream = OpData.upload(device, "x", x);
                CpuBuffer attention = OpData.upload(device, "attention", whole);
                CpuBuffer factors = OpData.upload(device, "norms", norms);
                CpuBuffer out = OpData.output(device, 5 + away.length)) {
            out.write(5, away, 0, away.length);
            device.ablationStart(stream, attention, withNorms ? factors : null, groups, tokens, width, out, 5);
            OpData.download(out, 5 + away.length);
            assertTrue(Float.isNaN(OpData.read(out, 4, 1)[0]), "the element before the output was written");
            // A difference, a product and a sum: three roundings.
            float[] actual = OpData.read(out, 5, away.length);
            String what = groups + " groups of " + tokens + " × " + width;
            Closeness.assertClose(new Expected(expected, scale), actual, 0, 3 * UNIT, width, what);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 17, 2", "9, 64, 9"})
    void ablationNorms(int heads, int headSize, int groups) {
        int[] chosen = IntStream.range(0, groups).map(g -> (heads - 1 - g)).toArray();
        for (int tokens : TOKENS) {
            NormReference reference = new NormReference(tokens, heads, headSize, chosen);
            try (CpuBuffer z = OpData.upload(device, "z", reference.z());
                    CpuBuffer out = OpData.output(device, tokens * groups)) {
                device.ablationNorms(z, reference.factors(), chosen, tokens, heads, headSize, out);
                // Sums of at most 2⁹ squares in float64; only the result rounds to float32.
                check(reference.norms(), out, 1.001 * UNIT, groups, "ablationNorms of " + tokens);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16, 17, 576})
    void dotIsExactUpToTheLastRounding(int width) {
        for (int tokens : TOKENS) {
            float[] x = OpData.outliers(9, tokens, width);
            for (int count : new int[] {1, 3}) {
                float[] vectors = OpData.normal(10, count * width);
                Expected expected =
                        new MatrixReference(x, width, 0, vectors, width, 0, 0).times(tokens, count, width, null);
                float[] actual = new float[tokens * count];
                try (CpuBuffer in = OpData.upload(device, "x", x);
                        CpuBuffer v = OpData.upload(device, "vectors", vectors)) {
                    device.dot(in, v, tokens, width, count, actual).await();
                }
                String what = "dot of " + tokens + " with " + count;
                Closeness.assertClose(Expected.of(expected.values()), actual, 0, UNIT, count, what);
            }
        }
    }

    private static void check(Expected expected, CpuBuffer out, double relative, int width, String what) {
        float[] actual = OpData.download(out, expected.values().length);
        Closeness.assertClose(expected, actual, 0, relative, width, what + " × " + width);
    }
}
