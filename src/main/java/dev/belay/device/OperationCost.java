package dev.belay.device;

import java.util.HashMap;
import java.util.Map;

/**
 * What an operation has to do at least, whatever the device: arithmetic, and memory with every input read once and every output
 * written once. Activations count as the buffers hold them; a function such as exp counts as one operation.
 *
 * @param flops additions, multiplications, quotients and functions
 * @param bytes read and written
 */
public record OperationCost(double flops, double bytes) {
    private static final int F32 = Float.BYTES;

    /** This and then {@code other}. */
    OperationCost plus(OperationCost other) {
        return new OperationCost(flops + other.flops, bytes + other.bytes);
    }

    static OperationCost embed(int tokens, int width, long rowBytes) {
        return new OperationCost(0, (double) tokens * (rowBytes + (long) width * F32));
    }

    /** Squares and their sum, and two products a number. */
    static OperationCost rmsNorm(int tokens, int width, DeviceBuffer out) {
        double numbers = (double) tokens * width;
        return new OperationCost(4 * numbers, (numbers + width) * F32 + numbers * out.elementBytes());
    }

    /** A product and a sum for each weight and token. */
    static OperationCost product(
            DeviceBuffer a, int tokens, int rows, int columns, long weightBytes, boolean accumulate) {
        double outputs = (double) tokens * rows * (accumulate ? 2 : 1);
        double inputs = (double) tokens * columns;
        return new OperationCost(
                2.0 * tokens * rows * columns, weightBytes + inputs * a.elementBytes() + outputs * F32);
    }

    /**
     * Four products and two sums a pair of rotated dimensions, a sum a number with a bias, and with norms what {@link #rmsNorm} does
     * without memory of its own; {@code width} numbers a token are read, and {@code written} bytes a token written.
     */
    static OperationCost rotation(int tokens, int heads, int width, int rotarySize, HeadTerms terms, long written) {
        double numbers = (double) width + rotarySize;
        double each = 3.0 * heads * rotarySize + (terms.bias() == null ? 0 : width);
        each += terms.queryNorm() == null ? 0 : 4.0 * width;
        return new OperationCost(tokens * each, tokens * (numbers * F32 + written));
    }

    /** A bias that a product adds to what it writes anyway. */
    static OperationCost productBias(int tokens, int rows) {
        return new OperationCost((double) tokens * rows, (double) rows * F32);
    }

    static OperationCost addBias(int tokens, int width) {
        double numbers = (double) tokens * width;
        return new OperationCost(numbers, (2 * numbers + width) * F32);
    }

    /**
     * Two products and two sums for each number of a query and each key that it sees. Keys and values of a row are read once, those of
     * a prefix once for all its rows.
     */
    static OperationCost attention(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues keyValues,
            int window,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        double pairs = 0;
        double ownKeys = 0;
        Map<Integer, Integer> prefixKeys = new HashMap<>();
        for (int r = 0; r < layout.rows(); r++) {
            int start = layout.rowStart(r);
            int end = layout.rowEnd(r);
            if (start == end) {
                continue;
            }
            for (int t = start; t < end; t++) {
                int keys = layout.position(t) + 1;
                pairs += window == 0 ? keys : Math.min(keys, window);
            }
            int first = window == 0 ? 0 : Math.max(0, layout.position(start) + 1 - window);
            int prefix = layout.prefixLength(r);
            ownKeys += layout.position(end - 1) + 1 - Math.max(first, prefix);
            if (first < prefix) {
                prefixKeys.merge(layout.prefixStart(r), prefix - first, Math::max);
            }
        }
        double keys = ownKeys + prefixKeys.values().stream().mapToInt(i -> i).sum();
        double numbers = (double) layout.tokens() * shape.queryWidth();
        double bytes = keys
                * shape.kvWidth()
                * (keyValues.keys().elementBytes() + keyValues.values().elementBytes());
        bytes += numbers * (q.elementBytes() + z.elementBytes() + (unscaled == null ? 0 : unscaled.elementBytes()));
        return new OperationCost(4 * pairs * shape.queryWidth(), bytes);
    }

    /** The logits are read once; what the choice computes from them is left out. */
    static OperationCost sample(int rows, int vocabulary) {
        return new OperationCost((double) rows * vocabulary, (double) rows * vocabulary * F32);
    }

    /** The logits are read once; a comparison, a difference, an exponential and a sum each. */
    static OperationCost logitScores(int rows, int vocabulary) {
        return new OperationCost(4.0 * rows * vocabulary, (double) rows * vocabulary * F32);
    }

    /** A product a number, and where the norm is kept two sums of squares and another product. */
    static OperationCost scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int width) {
        double flops = 0;
        int scaled = 0;
        for (int t = 0; t < tokens; t++) {
            int set = table.setOf(t);
            if (set != HeadScaleTable.NONE) {
                scaled++;
                flops += (table.renormalize(set) ? 6.0 : 1.0) * width;
            }
        }
        return new OperationCost(flops, 2.0 * scaled * width * z.elementBytes());
    }

    /** gate / (1 + exp(-gate)) · up. */
    static OperationCost swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out) {
        double numbers = (double) tokens * width;
        return new OperationCost(5 * numbers, numbers * (2 * gateUp.elementBytes() + out.elementBytes()));
    }

    /**
     * The softmax and what the chosen experts do: products, swiglu, and a product and a sum for each number that a token gets. Which
     * experts are chosen is not known before: of E, each as likely as the other, T tokens with k each reach E·(1 − (1 − k/E)ᵀ), whose
     * weights are read once.
     *
     * @param expertBytes of the weights of one expert
     */
    static OperationCost mixture(
            DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, long expertBytes) {
        int experts = mixture.experts();
        int hidden = mixture.hidden();
        int inner = mixture.inner();
        int pairs = tokens * mixture.top();
        double reached = experts * (1 - Math.pow(1 - (double) mixture.top() / experts, tokens));
        OperationCost routing =
                new OperationCost(2.0 * tokens * experts, ((double) tokens * experts + 2 * pairs) * F32);
        OperationCost weights = new OperationCost(0, Math.rint(reached * expertBytes));
        OperationCost combination = new OperationCost(2.0 * pairs * hidden, (pairs + 2.0 * tokens) * hidden * F32);
        return routing.plus(weights)
                .plus(product(normed, pairs, 2 * inner, hidden, 0, false))
                .plus(swiglu(space.gateUp(), pairs, inner, space.activated()))
                .plus(product(space.activated(), pairs, hidden, inner, 0, false))
                .plus(combination);
    }

    static OperationCost gather(DeviceBuffer in, int count, int width) {
        return new OperationCost(0, 2.0 * count * width * in.elementBytes());
    }

    /** Two sums of squares, of which the second needs a sum for each head and chosen head, and a quotient. */
    static OperationCost ablationNorms(DeviceBuffer z, int tokens, int heads, int headSize, int chosen) {
        double numbers = (double) tokens * heads * headSize;
        double results = (double) tokens * chosen;
        return new OperationCost(2 * numbers + results * heads, numbers * z.elementBytes() + results * F32);
    }

    static OperationCost ablationStart(int groups, int tokens, int width) {
        double numbers = (double) tokens * width;
        return new OperationCost(3 * groups * numbers, (2 * numbers + 2 * groups * numbers) * F32);
    }

    static OperationCost dot(DeviceBuffer x, int tokens, int width, int count) {
        double numbers = (double) tokens * width;
        return new OperationCost(
                2 * numbers * count, numbers * x.elementBytes() + ((double) width + tokens) * count * F32);
    }
}
