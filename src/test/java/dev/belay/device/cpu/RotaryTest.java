package dev.belay.device.cpu;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.HeadTerms;
import dev.belay.device.KeyValues;
import dev.belay.device.QkvPart;
import dev.belay.device.TokenLayout;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Rotary embedding of queries in place and of keys into the cache. Half of the rotary size is what the vector loop runs over: 8 and 10
 * only its tail, 16 and 48 only vectors, 40 both; the last two leave part of each head as it is.
 */
class RotaryTest {
    private static final int POSITIONS = 700;

    private final CpuDevice device = CpuDevice.open(DType.BF16, 3, true);

    @AfterEach
    void close() {
        device.close();
    }

    @ParameterizedTest
    @CsvSource({
        "4, 4, 16, 16",
        "4, 2, 20, 20",
        "8, 2, 32, 32",
        "2, 1, 80, 80",
        "3, 3, 96, 96",
        "4, 2, 32, 20",
        "4, 1, 96, 32"
    })
    void queriesAndKeys(int heads, int kvHeads, int headSize, int rotarySize) {
        AttentionShape shape = new AttentionShape(heads, kvHeads, headSize, rotarySize, 1);
        float[] table = OpData.normal(1, POSITIONS * rotarySize);
        try (CpuBuffer rope = OpData.upload(device, "rope", table)) {
            for (int tokens : new int[] {1, 15, 16, 17, 33, 129, 600}) {
                TokenLayout layout = layout(tokens);
                queries(shape, layout, table, rope);
                keyValues(shape, layout, table, rope);
                all(shape, layout, rope);
            }
        }
    }

    /** Two rows: one with a prefix of 5, one that goes on at position 40; slots in another order than tokens. */
    private static TokenLayout layout(int tokens) {
        TokenLayout layout = new TokenLayout();
        layout.addRow(9, 5, 60);
        int first = (tokens + 1) / 2;
        for (int i = 0; i < first; i++) {
            layout.addToken(0, 5 + i);
        }
        layout.addRow(0, 0, 340);
        for (int i = first; i < tokens; i++) {
            layout.addToken(0, 40 + i - first);
        }
        return layout;
    }

    private void queries(AttentionShape shape, TokenLayout layout, float[] table, CpuBuffer rope) {
        int width = shape.queryWidth();
        float[] q = OpData.outliers(2, layout.tokens(), width);
        double[] values = new double[q.length];
        double[] scale = new double[q.length];
        for (int t = 0; t < layout.tokens(); t++) {
            rotate(q, t * width, shape.heads(), shape, table, layout.position(t), values, scale, t * width);
        }
        try (CpuBuffer in = OpData.upload(device, "q", q);
                CpuBuffer out = OpData.output(device, q.length)) {
            device.rotate(QkvPart.QUERIES, in, layout, shape, HeadTerms.NONE, rope, out, null);
            check(values, scale, OpData.download(out, q.length), width, "queries of " + layout.tokens());
        }
    }

    private void keyValues(AttentionShape shape, TokenLayout layout, float[] table, CpuBuffer rope) {
        int width = shape.kvWidth();
        int slots = POSITIONS;
        float[] kv = OpData.outliers(3, layout.tokens(), 2 * width);
        double[] keys = new double[slots * width];
        double[] scale = new double[slots * width];
        float[] values = new float[slots * width];
        float[] untouched = new float[slots * width];
        Arrays.fill(untouched, 77);
        Arrays.fill(keys, 77);
        Arrays.fill(values, 77);
        for (int t = 0; t < layout.tokens(); t++) {
            int target = layout.slot(t) * width;
            rotate(kv, 2 * t * width, shape.kvHeads(), shape, table, layout.position(t), keys, scale, target);
            System.arraycopy(kv, (2 * t + 1) * width, values, target, width);
        }
        try (CpuBuffer in = OpData.upload(device, "kv", kv);
                KeyValues cache = OpData.keyValues(device, untouched, untouched, shape, false)) {
            device.rotate(QkvPart.KEYS_VALUES, in, layout, shape, HeadTerms.NONE, rope, null, cache);
            check(keys, scale, OpData.keys(cache, slots, shape), width, "keys of " + layout.tokens());
            float[] stored = OpData.values(cache, slots, shape);
            Closeness.assertSame(values, stored, 0, width, "values of " + layout.tokens());
            try (KeyValues rounded = OpData.keyValues(device, untouched, untouched, shape, true)) {
                device.rotate(QkvPart.KEYS_VALUES, in, layout, shape, HeadTerms.NONE, rope, null, rounded);
                assertArrayEquals(OpData.rounded(OpData.keys(cache, slots, shape)), OpData.keys(rounded, slots, shape));
                assertArrayEquals(OpData.rounded(stored), OpData.values(rounded, slots, shape));
            }
        }
    }

    /** Queries, keys and values side by side give the same as each part alone. */
    private void all(AttentionShape shape, TokenLayout layout, CpuBuffer rope) {
        int tokens = layout.tokens();
        int q = shape.queryWidth();
        int kv = 2 * shape.kvWidth();
        float[] both = OpData.outliers(5, tokens, q + kv);
        float[] queries = new float[tokens * q];
        float[] keyValues = new float[tokens * kv];
        for (int t = 0; t < tokens; t++) {
            System.arraycopy(both, t * (q + kv), queries, t * q, q);
            System.arraycopy(both, t * (q + kv) + q, keyValues, t * kv, kv);
        }
        try (CpuBuffer in = OpData.upload(device, "qkv", both);
                CpuBuffer inQueries = OpData.upload(device, "q", queries);
                CpuBuffer inKeyValues = OpData.upload(device, "kv", keyValues);
                CpuBuffer out = OpData.output(device, tokens * q);
                CpuBuffer expected = OpData.output(device, tokens * q);
                KeyValues cache = cache(shape);
                KeyValues expectedCache = cache(shape)) {
            device.rotate(QkvPart.ALL, in, layout, shape, HeadTerms.NONE, rope, out, cache);
            device.rotate(QkvPart.QUERIES, inQueries, layout, shape, HeadTerms.NONE, rope, expected, null);
            device.rotate(QkvPart.KEYS_VALUES, inKeyValues, layout, shape, HeadTerms.NONE, rope, null, expectedCache);
            assertArrayEquals(OpData.download(expected, tokens * q), OpData.download(out, tokens * q));
            assertArrayEquals(OpData.keys(expectedCache, POSITIONS, shape), OpData.keys(cache, POSITIONS, shape));
            assertArrayEquals(OpData.values(expectedCache, POSITIONS, shape), OpData.values(cache, POSITIONS, shape));
        }
    }

    private KeyValues cache(AttentionShape shape) {
        float[] empty = new float[POSITIONS * shape.kvWidth()];
        return OpData.keyValues(device, empty, empty, shape, false);
    }

    /** (x₁, x₂) → (x₁c − x₂s, x₂c + x₁s) for the halves of the first R dimensions of each head. */
    private static void rotate(
            float[] in,
            int from,
            int heads,
            AttentionShape shape,
            float[] table,
            int position,
            double[] out,
            double[] scale,
            int to) {
        int half = shape.rotarySize() / 2;
        for (int i = 0; i < heads * shape.headSize(); i++) {
            int d = i % shape.headSize();
            if (d >= 2 * half) {
                out[to + i] = in[from + i];
                continue;
            }
            double c = table[position * 2 * half + d % half];
            double s = table[position * 2 * half + half + d % half];
            double other = d < half ? -in[from + i + half] : in[from + i - half];
            out[to + i] = in[from + i] * c + other * s;
            scale[to + i] = Math.abs(in[from + i] * c) + Math.abs(other * s);
        }
    }

    /** Two products and a sum: two roundings of each term. What is not rotated is copied exactly: its scale is 0. */
    private static void check(double[] values, double[] scale, float[] actual, int width, String what) {
        Closeness.assertClose(new Expected(values, scale), actual, 0, 2 * UNIT, width, what);
    }
}
