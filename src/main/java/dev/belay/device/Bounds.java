package dev.belay.device;

import java.util.List;

/** Checks that what an operation reads and writes is there, before a device touches it. */
public final class Bounds {
    private Bounds() {}

    /** Every token id is a row of the table. */
    public static void ids(DeviceMatrix table, TokenLayout layout) {
        for (int t = 0; t < layout.tokens(); t++) {
            if (layout.id(t) < 0 || layout.id(t) >= table.rows()) {
                throw new DeviceException("embed of token id " + layout.id(t) + " is outside matrix " + table);
            }
        }
    }

    /** Rows of the matrix that {@code parts} make on top of each other: all have the same number of columns. */
    public static int stackedRows(List<HostMatrix> parts) {
        HostMatrix first = parts.getFirst();
        int rows = 0;
        for (HostMatrix part : parts) {
            if (part.columns() != first.columns()) {
                throw new DeviceException("cannot stack " + part.name() + " with " + part.columns() + " columns on "
                        + first.name() + " with " + first.columns());
            }
            rows += part.rows();
        }
        return rows;
    }

    /** Input and output of {@link Device#matmul}, for at least one token. */
    public static void product(
            DeviceBuffer a,
            int stride,
            int column,
            int tokens,
            DeviceMatrix weights,
            DeviceBuffer out,
            long outOffset) {
        columns(a, stride, column, weights);
        a.check("matmul input of ", weights, 0, (long) (tokens - 1) * stride + column + weights.columns());
        out.check("matmul output of ", weights, outOffset, (long) tokens * weights.rows());
    }

    /** The columns that a product reads are inside one row of its inputs. */
    private static void columns(DeviceBuffer a, int stride, int column, DeviceMatrix weights) {
        if (column < 0 || column > stride - weights.columns()) {
            throw new DeviceException("matmul of " + weights + " reads columns " + column + ".."
                    + (column + weights.columns()) + " of rows of " + stride + " in buffer '" + a.name() + "'");
        }
    }

    /** Input and tokens of {@link Device#logitScores}. */
    public static void logitScores(DeviceBuffer logits, int rows, int vocabulary, int[] first, int[] tokens) {
        logits.check("logitScores", 0, (long) rows * vocabulary);
        for (int r = 0; r < rows; r++) {
            if (first[r] > first[r + 1]) {
                throw new DeviceException("logitScores: the tokens of row " + r + " end before they begin");
            }
        }
        for (int n = first[0]; n < first[rows]; n++) {
            if (tokens[n] < 0 || tokens[n] >= vocabulary) {
                throw new DeviceException(
                        "logitScores of token " + tokens[n] + ": the vocabulary has " + vocabulary + " tokens");
            }
        }
    }

    /** Input, output and weights of {@link Device#feedForward}. */
    public static void feedForward(
            DeviceBuffer x, DeviceBuffer norm, int tokens, DeviceMatrix gateUp, DeviceMatrix down) {
        int width = gateUp.columns();
        x.check("feedForward", 0, (long) tokens * width);
        norm.check("feedForward norm", 0, width);
        if (gateUp.rows() != 2 * down.columns() || down.rows() != width) {
            throw new DeviceException("feedForward of " + gateUp + " and " + down + ": they do not fit together");
        }
    }

    /** Inputs, outputs and the room between of {@link Device#mixture}, with {@code rows} rows of experts. */
    public static void mixture(
            DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, int rows, DeviceBuffer x) {
        normed.check("mixture", 0, (long) tokens * mixture.hidden());
        x.check("mixture residual", 0, (long) tokens * mixture.hidden());
        space.logits().check("mixture logits", 0, (long) tokens * mixture.experts());
        space.gateUp().check("mixture gate and up", 0, 2L * rows * mixture.inner());
        space.activated().check("mixture activated", 0, (long) rows * mixture.inner());
        space.outputs().check("mixture outputs", 0, (long) rows * mixture.hidden());
    }

    /** Input, weights and outputs of {@link Device#project}. */
    public static void project(
            DeviceBuffer x,
            DeviceBuffer norm,
            DeviceMatrix qkv,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            DeviceBuffer q,
            KeyValues cache) {
        x.check("project", 0, (long) layout.tokens() * qkv.columns());
        norm.check("project norm", 0, qkv.columns());
        if (qkv.rows() != QkvPart.ALL.width(shape)) {
            throw new DeviceException(
                    "project with " + qkv + ": queries, keys and values need " + QkvPart.ALL.width(shape) + " rows");
        }
        terms(terms, shape);
        angles(rope, layout, shape);
        q.check("project queries", 0, (long) layout.tokens() * shape.queryWidth());
        slots(cache, layout, shape);
    }

    /** The input, the angles, the queries' place and the slots of {@link Device#rotate}. */
    public static void rotate(
            QkvPart part,
            DeviceBuffer in,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            DeviceBuffer q,
            KeyValues cache) {
        in.check("rotate", 0, (long) layout.tokens() * part.width(shape));
        terms(terms, shape);
        angles(rope, layout, shape);
        if (part.queries()) {
            q.check("rotate queries", 0, (long) layout.tokens() * shape.queryWidth());
        }
        if (part.keyValues()) {
            slots(cache, layout, shape);
        }
    }

    /** Queries, keys, values and output of {@link Device#attention}. */
    public static void attention(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        q.check("attention queries", 0, (long) layout.tokens() * shape.queryWidth());
        long numbers = (long) layout.tokens() * shape.queryWidth();
        z.check("attention output", 0, numbers);
        if (unscaled != null) {
            unscaled.check("unscaled attention output", 0, numbers);
        }
        keys(prefix, own, layout, shape);
    }

    private static void terms(HeadTerms terms, AttentionShape shape) {
        if (terms.bias() != null) {
            terms.bias().check("rotate bias", 0, QkvPart.ALL.width(shape));
        }
        if (terms.queryNorm() != null) {
            terms.queryNorm().check("rotate norm of queries", 0, shape.headSize());
        }
        if (terms.keyNorm() != null) {
            terms.keyNorm().check("rotate norm of keys", 0, shape.headSize());
        }
    }

    /** There are angles for every token. */
    private static void angles(DeviceBuffer rope, TokenLayout layout, AttentionShape shape) {
        if (shape.rotarySize() == 0) {
            return;
        }
        int last = -1;
        for (int t = 0; t < layout.tokens(); t++) {
            last = Math.max(last, layout.angles(t));
        }
        rope.check("rotate angles", 0, (last + 1L) * shape.rotarySize());
    }

    /** Every token's slot is in the cache. */
    private static void slots(KeyValues cache, TokenLayout layout, AttentionShape shape) {
        for (int t = 0; t < layout.tokens(); t++) {
            long slot = layout.slot(t);
            cache.values().check("rotate slot", slot * shape.kvWidth(), shape.kvWidth());
            cache.keys().check("rotate slot", slot * shape.kvWidth(), shape.kvWidth());
        }
    }

    /** The prefix and the own keys and values of every row are in their caches. */
    private static void keys(KeyValues prefix, KeyValues own, TokenLayout layout, AttentionShape shape) {
        long width = shape.kvWidth();
        for (int r = 0; r < layout.rows(); r++) {
            if (layout.rowStart(r) == layout.rowEnd(r)) {
                continue;
            }
            long shared = layout.prefixLength(r) * width;
            prefix.values().check("attention prefix values", layout.prefixStart(r) * width, shared);
            prefix.keys().check("attention prefix keys", layout.prefixStart(r) * width, shared);
            int last = layout.position(layout.rowEnd(r) - 1);
            long mine = (last + 1 - layout.prefixLength(r)) * width;
            own.values().check("attention values", layout.ownStart(r) * width, mine);
            own.keys().check("attention keys", layout.ownStart(r) * width, mine);
        }
    }
}
