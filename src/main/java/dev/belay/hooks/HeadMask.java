package dev.belay.hooks;

import dev.belay.BelayException;
import java.util.Arrays;

/** The factors γ on head outputs that one row of a batch is run with, 1 = as it is, and the positions at which they act. */
public final class HeadMask {
    private final float[][] gamma;
    private final int layers;
    private final int heads;
    private final PositionScope scope;
    private final boolean renormalize;
    private int size;

    /**
     * A mask that changes nothing yet.
     *
     * @param layers number of layers of the model
     * @param heads query heads of each layer
     * @param renormalize per token, rescale the concatenated head outputs to the norm they had
     */
    public HeadMask(int layers, int heads, PositionScope scope, boolean renormalize) {
        this.layers = layers;
        this.heads = heads;
        this.scope = scope;
        this.renormalize = renormalize;
        gamma = new float[layers][];
    }

    /** A copy that further heads can be added to. */
    public HeadMask copy() {
        HeadMask copy = new HeadMask(layers, heads, scope, renormalize);
        for (int l = 0; l < layers; l++) {
            copy.gamma[l] = gamma[l] == null ? null : gamma[l].clone();
        }
        copy.size = size;
        return copy;
    }

    /**
     * Scales one head by {@code factor}; 0 ablates it.
     *
     * @throws BelayException if the model has no such head
     */
    public HeadMask scale(int layer, int head, float factor) {
        if (layer < 0 || layer >= layers || head < 0 || head >= heads) {
            throw new BelayException("there is no head (" + layer + ", " + head + "): the model has layers 0.."
                    + (layers - 1) + " with heads 0.." + (heads - 1));
        }
        if (gamma[layer] == null) {
            gamma[layer] = new float[heads];
            Arrays.fill(gamma[layer], 1f);
        }
        size += (factor == 1f ? 0 : 1) - (gamma[layer][head] == 1f ? 0 : 1);
        gamma[layer][head] = factor;
        return this;
    }

    /** Ablates one head: scales it by 0. */
    public HeadMask ablate(int layer, int head) {
        return scale(layer, head, 0f);
    }

    /** Whether the mask names a head of a layer. */
    public boolean touches(int layer) {
        return gamma[layer] != null;
    }

    /** γ of a head. */
    public float factor(int layer, int head) {
        return gamma[layer] == null ? 1f : gamma[layer][head];
    }

    /** Number of heads with a factor other than 1. */
    public int size() {
        return size;
    }

    /** Heads per layer. */
    public int heads() {
        return heads;
    }

    /** Where it acts. */
    public PositionScope scope() {
        return scope;
    }

    /** Whether the norm of the concatenated heads is kept. */
    public boolean renormalize() {
        return renormalize;
    }

    /** All that results depend on: where and how the mask acts, the layers it touches, and its heads with a factor other than 1. */
    @Override
    public String toString() {
        StringBuilder text = new StringBuilder(scope.toString()).append(renormalize ? ", renormalized" : "");
        for (int l = 0; l < layers; l++) {
            text.append(touches(l) ? ", layer " + l + ":" : "");
            for (int h = 0; h < heads; h++) {
                if (factor(l, h) != 1f) {
                    text.append(' ').append(h).append(" x ").append(factor(l, h));
                }
            }
        }
        return text.toString();
    }
}
