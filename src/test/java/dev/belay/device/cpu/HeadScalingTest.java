package dev.belay.device.cpu;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.HeadScaleTable;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeadScalingTest {
    private final CpuDevice device = CpuDevice.open(DType.F32, 2, false);

    @AfterEach
    void close() {
        device.close();
    }

    /** Tokens use no set, a set that scales, or one that also renormalizes, in turn. */
    @ParameterizedTest
    @CsvSource({"1, 1, 16", "17, 2, 20", "33, 4, 32", "129, 8, 80", "600, 3, 96"})
    void scalesEachTokenByItsOwnSet(int tokens, int heads, int headSize) {
        HeadScaleTable table = new HeadScaleTable();
        table.reset(tokens, heads);
        int plain = table.addSet(false);
        int kept = table.addSet(true);
        for (int h = 0; h < heads; h++) {
            table.factor(plain, h, h % 2 == 0 ? 0.25f : 1f);
            table.factor(kept, h, h % 2 == 0 ? 0.5f : -2f);
        }
        for (int t = 0; t < tokens; t++) {
            table.assign(t, t % 3 == 0 ? kept : t % 3 == 1 ? plain : HeadScaleTable.NONE);
        }
        float[] z = OpData.outliers(1, tokens, heads * headSize);
        Expected expected = expected(z, table, tokens, heads, headSize);
        try (CpuBuffer buffer = OpData.output(device, z.length)) {
            buffer.write(0, z, 0, z.length);
            device.scaleHeads(buffer, table, tokens, heads, headSize);
            float[] actual = OpData.download(buffer, z.length);
            // The norms are summed in float64; the common factor, its product with γ and that with z round.
            Closeness.assertClose(expected, actual, 0, 4 * UNIT, heads * headSize, "scaled");
            for (int t = 2; t < tokens; t += 3) {
                int row = t * heads * headSize;
                assertArrayEquals(
                        Arrays.copyOfRange(z, row, row + heads * headSize),
                        Arrays.copyOfRange(actual, row, row + heads * headSize),
                        "token " + t + " uses no set");
            }
        }
    }

    private static Expected expected(float[] z, HeadScaleTable table, int tokens, int heads, int headSize) {
        double[] values = new double[z.length];
        int width = heads * headSize;
        for (int t = 0; t < tokens; t++) {
            int set = table.setOf(t);
            double before = 0;
            double after = 0;
            for (int i = 0; i < width; i++) {
                double gamma = set == HeadScaleTable.NONE ? 1 : table.factor(set, i / headSize);
                double v = z[t * width + i];
                values[t * width + i] = gamma * v;
                before += v * v;
                after += gamma * v * (gamma * v);
            }
            if (set != HeadScaleTable.NONE && table.renormalize(set)) {
                for (int i = 0; i < width; i++) {
                    values[t * width + i] *= Math.sqrt(before / after);
                }
            }
        }
        return Expected.of(values);
    }

    @Test
    void renormalizingKeepsTheNormOfEachToken() {
        HeadScaleTable table = new HeadScaleTable();
        table.reset(40, 4);
        int set = table.addSet(true);
        table.factor(set, 2, 0);
        for (int t = 0; t < 40; t++) {
            table.assign(t, set);
        }
        float[] z = OpData.outliers(2, 40, 64);
        try (CpuBuffer buffer = OpData.upload(device, "z", z)) {
            device.scaleHeads(buffer, table, 40, 4, 16);
            float[] actual = OpData.read(buffer, 0, z.length);
            for (int t = 0; t < 40; t++) {
                double before = norm(z, t);
                // Every element is off by at most 4 roundings, and so is the norm.
                assertEquals(before, norm(actual, t), 4 * UNIT * before, "norm of token " + t);
                assertEquals(0, actual[t * 64 + 32], "the ablated head is zero");
            }
        }
    }

    private static double norm(float[] z, int token) {
        double sum = 0;
        for (int i = 0; i < 64; i++) {
            sum += (double) z[token * 64 + i] * z[token * 64 + i];
        }
        return Math.sqrt(sum);
    }

    /** γ = 0 is exactly zero, for infinities and NaN too, and when all heads go there is no norm to keep. */
    @Test
    void ablationIsExactlyZero() {
        for (boolean renormalize : new boolean[] {false, true}) {
            HeadScaleTable table = new HeadScaleTable();
            table.reset(1, 2);
            int set = table.addSet(renormalize);
            table.factor(set, 0, 0);
            table.factor(set, 1, 0);
            table.assign(0, set);
            float[] z = renormalize
                    ? new float[] {1, -2, 3, 4}
                    : new float[] {Float.POSITIVE_INFINITY, Float.NaN, -1, 3e38f};
            try (CpuBuffer buffer = OpData.upload(device, "z", z)) {
                device.scaleHeads(buffer, table, 1, 2, 2);
                assertArrayEquals(new float[4], OpData.read(buffer, 0, 4), "renormalize " + renormalize);
            }
        }
    }

    @Test
    void theTableGrowsAndForgets() {
        HeadScaleTable table = new HeadScaleTable();
        table.reset(3, 5);
        for (int s = 0; s < 20; s++) {
            assertEquals(s, table.addSet(s % 2 == 1));
            table.factor(s, 4, s);
        }
        table.assign(2, 19);
        for (int s = 0; s < 20; s++) {
            assertEquals(s, table.factor(s, 4));
            assertEquals(1f, table.factor(s, 3));
            assertEquals(s % 2 == 1, table.renormalize(s));
        }
        table.reset(100, 3);
        assertEquals(0, table.sets());
        assertEquals(HeadScaleTable.NONE, table.setOf(2));
        assertEquals(0, table.addSet(false));
        assertTrue(table.factor(0, 2) == 1f && !table.renormalize(0), "a set starts empty");
    }
}
