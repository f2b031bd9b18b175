package dev.belay.device.cpu;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.KeyValues;
import dev.belay.device.TokenLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Attention against a float64 reference. Slots that no row owns hold NaN: a key too many shows. Head sizes 16, 32, 80, 96, 64 and 128
 * run in vectors of dimensions, one by one and (with 16 lanes, from 64 on) four together, 20 in vectors and a tail; up to 48 keys are
 * scored block by block, more in fours of blocks. Keys and values are bfloat16 numbers, in a cache of float32 and in one of bfloat16.
 */
class AttentionTest {
    private static final int SLOTS = 700;

    private final CpuDevice device = CpuDevice.open(DType.BF16, 3, true);

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @CsvSource({"4, 4, 16", "4, 2, 20", "8, 2, 32", "2, 1, 80", "3, 3, 96", "3, 1, 64", "5, 1, 128"})
    void wholeTexts(int heads, int kvHeads, int headSize) {
        for (int tokens : new int[] {1, 15, 16, 17, 31, 33, 127, 128, 129}) {
            TokenLayout layout = new TokenLayout();
            addRow(layout, 0, 0, 3, 0, tokens);
            check(layout, shape(heads, kvHeads, headSize), 0, tokens + " tokens");
        }
    }

    @Test
    void aLongText() {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 50, 0, 600);
        check(layout, shape(2, 1, 20), 0, "600 tokens");
        check(layout, shape(2, 1, 20), 100, "600 tokens in a window of 100");
    }

    /** Windows that end inside the own keys, at the border to the prefix, inside the prefix, and before it. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 16, 17, 18, 33, 40, 1000})
    void prefixesAndWindows(int window) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 100, 16, 0, 16, 20);
        addRow(layout, 0, 0, 40, 0, 33);
        addRow(layout, 100, 17, 80, 17, 1);
        addRow(layout, 0, 0, 120, 47, 1);
        layout.addRow(0, 0, 0);
        addRow(layout, 300, 1, 200, 1, 40);
        check(layout, shape(4, 2, 20), window, "window " + window);
    }

    /** A token that attends to one key returns that key's value exactly. */
    @Test
    void aWindowOfOneReturnsTheTokensOwnValue() {
        AttentionShape shape = shape(2, 2, 20);
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 0, 9);
        float[] values = OpData.outliers(3, 9, 40);
        try (CpuBuffer q = OpData.upload(device, "q", OpData.normal(1, 9 * 40));
                KeyValues own = OpData.keyValues(device, OpData.normal(2, 9 * 40), values, shape, false);
                CpuBuffer z = OpData.output(device, 9 * 40)) {
            device.attention(q, layout, shape, own, own, 1, null, null, z);
            Closeness.assertSame(values, OpData.download(z, 9 * 40), 0, 40, "own values");
        }
    }

    private static AttentionShape shape(int heads, int kvHeads, int headSize) {
        return new AttentionShape(heads, kvHeads, headSize, headSize, (float) (1 / Math.sqrt(headSize)));
    }

    private static void addRow(TokenLayout layout, int prefixStart, int prefix, int ownStart, int from, int tokens) {
        layout.addRow(prefixStart, prefix, ownStart);
        for (int p = from; p < from + tokens; p++) {
            layout.addToken(0, p);
        }
    }

    private void check(TokenLayout layout, AttentionShape shape, int window, String what) {
        int width = shape.kvWidth();
        float[] q = OpData.outliers(4, layout.tokens(), shape.queryWidth());
        float[][] prefix = {unowned(width), unowned(width)};
        float[][] own = {unowned(width), unowned(width)};
        for (int r = 0; r < layout.rows(); r++) {
            if (layout.rowStart(r) == layout.rowEnd(r)) {
                continue;
            }
            int length = layout.position(layout.rowEnd(r) - 1) + 1 - layout.prefixLength(r);
            fill(prefix, layout.prefixStart(r), layout.prefixLength(r), width);
            fill(own, layout.ownStart(r), length, width);
        }
        Expected expected = reference(q, layout, shape, prefix, own, window);
        for (boolean rounded : new boolean[] {false, true}) {
            try (CpuBuffer queries = OpData.upload(device, "q", q);
                    KeyValues shared = OpData.keyValues(device, prefix[0], prefix[1], shape, rounded);
                    KeyValues mine = OpData.keyValues(device, own[0], own[1], shape, rounded);
                    CpuBuffer z = OpData.output(device, q.length)) {
                assertEquals(rounded ? Short.BYTES : Float.BYTES, mine.keys().elementBytes());
                device.attention(queries, layout, shape, shared, mine, window, null, null, z);
                float[] actual = OpData.download(z, q.length);
                String which = what + ", " + shape + (rounded ? ", bfloat16" : "");
                Closeness.assertClose(expected, actual, 0, UNIT, shape.queryWidth(), which);
            }
        }
    }

    private static float[] unowned(int width) {
        float[] values = new float[SLOTS * width];
        Arrays.fill(values, Float.NaN);
        return values;
    }

    private static void fill(float[][] keysAndValues, int slot, int slots, int width) {
        for (int i = 0; i < 2; i++) {
            float[] data = OpData.rounded(OpData.normal(31L * slot + i, slots * width));
            System.arraycopy(data, 0, keysAndValues[i], slot * width, data.length);
        }
    }

    /** Scale is the largest error in units of roundoff, see {@link #head}. */
    private static Expected reference(
            float[] q, TokenLayout layout, AttentionShape shape, float[][] prefix, float[][] own, int window) {
        Expected result = new Expected(new double[q.length], new double[q.length]);
        for (int t = 0; t < layout.tokens(); t++) {
            int row = layout.row(t);
            int end = layout.position(t) + 1;
            int first = window == 0 ? 0 : Math.max(0, end - window);
            float[][][] source = new float[end][][];
            int[] slot = new int[end];
            for (int j = first; j < end; j++) {
                boolean shared = j < layout.prefixLength(row);
                source[j] = shared ? prefix : own;
                slot[j] = shared ? layout.prefixStart(row) + j : layout.ownStart(row) + j - layout.prefixLength(row);
            }
            for (int h = 0; h < shape.heads(); h++) {
                head(q, t, h, shape, source, slot, first, result);
            }
        }
        return result;
    }

    /**
     * One head of one token. A score of HD terms is off by HD + 1 roundings of m = Σ |terms|, so a weight by (HD + 1)·m roundings,
     * both in itself and through the sum that divides it; exp, the sum over K keys, the quotient and the weighted sum add 2·K + 8.
     */
    private static void head(
            float[] q, int t, int h, AttentionShape shape, float[][][] source, int[] slot, int first, Expected result) {
        int size = shape.headSize();
        int query = t * shape.queryWidth() + h * size;
        int kvHead = h / (shape.heads() / shape.kvHeads()) * size;
        int end = slot.length;
        double[] scores = new double[end];
        double magnitude = 0;
        double max = Double.NEGATIVE_INFINITY;
        for (int j = first; j < end; j++) {
            double terms = 0;
            for (int i = 0; i < size; i++) {
                double term =
                        (double) q[query + i] * source[j][0][slot[j] * shape.kvWidth() + kvHead + i] * shape.scale();
                scores[j] += term;
                terms += Math.abs(term);
            }
            magnitude = Math.max(magnitude, terms);
            max = Math.max(max, scores[j]);
        }
        double sum = 0;
        for (int j = first; j < end; j++) {
            scores[j] = Math.exp(scores[j] - max);
            sum += scores[j];
        }
        double units = 2 * (size + 2) * magnitude + 2.0 * (end - first) + 8;
        for (int j = first; j < end; j++) {
            for (int i = 0; i < size; i++) {
                double term = scores[j] / sum * source[j][1][slot[j] * shape.kvWidth() + kvHead + i];
                result.values()[query + i] += term;
                result.scale()[query + i] += units * Math.abs(term);
            }
        }
    }
}
