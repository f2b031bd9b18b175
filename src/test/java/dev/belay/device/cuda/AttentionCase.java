package dev.belay.device.cuda;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.AttentionShape;
import dev.belay.device.TokenLayout;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;

/**
 * A batch for attention, and what attention makes of it in float64. Slots that no row owns hold NaN: a key too many shows. Rows may
 * share a prefix.
 */
final class AttentionCase {
    /** Slots of either cache, at least. */
    static final int SLOTS = 700;

    /** How the numbers of a kernel round. */
    @FunctionalInterface
    interface Arithmetic {
        /**
         * The tensor core. It sums 16 products at a time, with the sum so far, and may cut instead of round: each step is off by at most
         * 2⁻²² of m = Σ |terms|, so that a score is off by (HD/16 + 2) · 2⁻²² · m, its rounding in base 2 included. That is a relative
         * error of the weight, once in itself and once in the sum that divides it; ex2 adds 2⁻²² to both. A weight rounds to bf16, 2⁻⁸,
         * where it multiplies a value, and not in the sum. Adding up K keys 16 at a time, and shrinking what was added tile by tile, is
         * off by at most (K/16 + K/32 + 4) · 2⁻²²; the sum of the weights by K/4 · 2⁻²⁴ + 2⁻²².
         */
        Arithmetic TENSOR = (headSize, magnitude, keys) -> {
            double steps = 2 * (headSize / 16.0 + 2) * magnitude + 2 + keys / 16 + keys / 32 + 4 + keys / 16 + 1;
            return TestArray.BF16_UNIT + steps * 0x1p-22;
        };

        /**
         * Float32, in units of 2⁻²⁴. A score of HD terms is off by HD + 3 of m = Σ |terms|, its rounding in base 2 included: a relative
         * error of the weight, once in itself and once in the sum that divides it. exp2f adds 4 (2 ulp) to both, and shrinking a sum, by
         * exp2f of a rounded difference, 6 for each of the up to K/32 + 2 tiles, to both. Adding up 32 values and then the tiles is off
         * by 32 + K/32 + 2, the weights likewise; quotient and product add 3. Decoding adds up to 64 values of a piece of 256 keys one
         * by one, then 8 warps and groups of lanes, then the pieces: at most 40 more than that, and no more shrinking.
         */
        Arithmetic FLOAT = (headSize, magnitude, keys) -> {
            double tiles = keys / 32 + 2;
            return Closeness.UNIT * (2 * ((headSize + 3) * magnitude + 4 + 6 * tiles + 32 + 40 + tiles) + 3);
        };

        /**
         * Bound of the error of a number of z, relative to Σ weight · |value|.
         *
         * @param headSize HD
         * @param magnitude largest Σ |terms| of a score
         * @param keys that the token sees
         */
        double relative(int headSize, double magnitude, double keys);
    }

    final TokenLayout layout;
    final AttentionShape shape;
    final int window;
    final float[] q;
    /** {keys, values} [SLOTS, KV · HD] of the shared prefixes, and of the rows' own. */
    final float[][] prefix;

    final float[][] own;

    private final Kind kind;

    /** All numbers are bfloat16. */
    AttentionCase(TokenLayout layout, AttentionShape shape, int window) {
        this(layout, shape, window, Kind.BF16);
    }

    /** All numbers are of a kind. */
    AttentionCase(TokenLayout layout, AttentionShape shape, int window, Kind kind) {
        this.layout = layout;
        this.shape = shape;
        this.window = window;
        this.kind = kind;
        q = rounded(OpData.outliers(4, layout.tokens(), shape.queryWidth()));
        int width = shape.kvWidth();
        int slots = SLOTS;
        for (int t = 0; t < layout.tokens(); t++) {
            slots = Math.max(slots, layout.slot(t) + 1);
        }
        prefix = new float[][] {unowned(slots, width), unowned(slots, width)};
        own = new float[][] {unowned(slots, width), unowned(slots, width)};
        for (int r = 0; r < layout.rows(); r++) {
            if (layout.rowStart(r) < layout.rowEnd(r)) {
                int length = layout.position(layout.rowEnd(r) - 1) + 1 - layout.prefixLength(r);
                fill(prefix, layout.prefixStart(r), layout.prefixLength(r), width);
                fill(own, layout.ownStart(r), length, width);
            }
        }
    }

    /** Scores scaled by 1/√HD. */
    static AttentionShape shape(int heads, int kvHeads, int headSize) {
        return new AttentionShape(heads, kvHeads, headSize, headSize, (float) (1 / Math.sqrt(headSize)));
    }

    /** Opens a row and appends its tokens at positions {@code from} .. {@code from + tokens - 1}. */
    static void addRow(TokenLayout layout, int prefixStart, int prefix, int ownStart, int from, int tokens) {
        layout.addRow(prefixStart, prefix, ownStart);
        for (int p = from; p < from + tokens; p++) {
            layout.addToken(0, p);
        }
    }

    /** Three texts in eight tiles of queries, the last of 58 tokens, 2 and 5. */
    static TokenLayout eightTiles() {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 0, 4 * KernelCatalog.ATTENTION_QUERIES - 6);
        addRow(layout, 0, 0, 300, 0, 2 * KernelCatalog.ATTENTION_QUERIES + 2);
        addRow(layout, 0, 0, 500, 0, 5);
        return layout;
    }

    private float[] rounded(float[] values) {
        return kind == Kind.BF16 ? OpData.rounded(values) : values;
    }

    private static float[] unowned(int slots, int width) {
        float[] values = new float[slots * width];
        Arrays.fill(values, Float.NaN);
        return values;
    }

    private void fill(float[][] keysAndValues, int slot, int slots, int width) {
        for (int i = 0; i < 2; i++) {
            float[] data = rounded(OpData.normal(31L * slot + i, slots * width));
            System.arraycopy(data, 0, keysAndValues[i], slot * width, data.length);
        }
    }

    /** z[T, H · HD]; the scale of each number is the bound of its error. */
    Expected expected(Arithmetic arithmetic) {
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
                head(t, h, source, slot, first, arithmetic, result);
            }
        }
        return result;
    }

    /** One head of one token. */
    private void head(int t, int h, float[][][] source, int[] slot, int first, Arithmetic arithmetic, Expected result) {
        int size = shape.headSize();
        int query = t * shape.queryWidth() + h * size;
        int kvHead = h / (shape.heads() / shape.kvHeads()) * size;
        int end = slot.length;
        double[] scores = new double[end];
        double magnitude = 0;
        double max = Double.NEGATIVE_INFINITY;
        for (int j = first; j < end; j++) {
            double terms = 0;
            int key = slot[j] * shape.kvWidth() + kvHead;
            for (int i = 0; i < size; i++) {
                double term = (double) q[query + i] * source[j][0][key + i] * shape.scale();
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
        double relative = arithmetic.relative(size, magnitude, end - first);
        for (int j = first; j < end; j++) {
            int value = slot[j] * shape.kvWidth() + kvHead;
            for (int i = 0; i < size; i++) {
                double term = scores[j] / sum * source[j][1][value + i];
                result.values()[query + i] += term;
                result.scale()[query + i] += relative * Math.abs(term);
            }
        }
    }
}
