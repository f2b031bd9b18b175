package dev.belay.probe;

import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A refusal probe: score = σ(w·h + b), where h is the hidden state {@code H[layer]} at one position; {@link ProbeFile} is its file. */
public final class LinearProbe {
    /** The layer of a probe that reads the state after the final norm, H[L], however many layers the model has. */
    public static final int LAST = -1;

    static final String LAYER = "layer";

    private final float[] weight;
    private final float bias;
    private final int layer;
    private final Map<String, String> metadata;

    /**
     * A probe from its parts.
     *
     * @param weight w, [hidden]
     * @param bias b
     * @param layer the index i of the state H[i] that it reads, 0 = embeddings, or {@link #LAST}
     * @param metadata anything worth keeping with the file; an entry {@code layer} gives way to {@code layer}
     */
    public LinearProbe(float[] weight, float bias, int layer, Map<String, String> metadata) {
        if (weight.length == 0 || layer < LAST) {
            throw new IllegalArgumentException("a probe of width " + weight.length + " on layer " + layer);
        }
        this.weight = weight.clone();
        this.bias = bias;
        this.layer = layer;
        TreeMap<String, String> entries = new TreeMap<>(metadata);
        entries.remove(LAYER);
        if (layer != LAST) {
            entries.put(LAYER, Integer.toString(layer));
        }
        this.metadata = Collections.unmodifiableMap(entries);
    }

    /**
     * Reads a probe; of one with several directions the first.
     *
     * @throws BelayException if the file cannot be read or is not that of a probe, see {@link ProbeFile#read}
     */
    public static LinearProbe load(Path path) {
        return ProbeFile.read(path).getFirst();
    }

    /**
     * Writes the probe in F32.
     *
     * @throws BelayException if the file cannot be written
     */
    public void save(Path path) {
        ProbeFile.write(path, List.of(this));
    }

    /** A copy of w, [hidden]. */
    public float[] weight() {
        return weight.clone();
    }

    /** b. */
    public float bias() {
        return bias;
    }

    /** The index i of the state H[i] that it reads, or {@link #LAST}. */
    public int layer() {
        return layer;
    }

    /** What the file says besides the numbers; {@code layer} is among it unless it is {@link #LAST}. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** The width of the states that it reads. */
    public int width() {
        return weight.length;
    }

    /** ‖w‖. */
    public double norm() {
        double sum = 0;
        for (float w : weight) {
            sum += (double) w * w;
        }
        return Math.sqrt(sum);
    }

    /** w·h + b, accumulated in double, for the state that begins at {@code h[offset]}. */
    public double logit(float[] h, int offset) {
        double sum = bias;
        for (int i = 0; i < weight.length; i++) {
            sum += (double) weight[i] * h[offset + i];
        }
        return sum;
    }

    /** σ(w·h + b), the refusal score, for the state that begins at {@code h[offset]}. */
    public double score(float[] h, int offset) {
        return sigmoid(logit(h, offset));
    }

    /** σ(x) = 1 / (1 + e^-x), without overflow. */
    public static double sigmoid(double x) {
        double e = Math.exp(-Math.abs(x));
        return x >= 0 ? 1 / (1 + e) : e / (1 + e);
    }

    /**
     * Checks that the probe fits a model.
     *
     * @param hidden the model's hidden size
     * @param probe the probe's name for the error, such as its path
     * @throws BelayException if the widths differ
     */
    public void checkWidth(int hidden, Object probe) {
        if (weight.length != hidden) {
            throw new BelayException(
                    "probe " + probe + " has width " + weight.length + ", but the model has hidden size " + hidden
                            + "; use the model it was fitted on, or fit a new one");
        }
    }

    /**
     * The index i of the state H[i] that the probe reads in a model of {@code layers} layers.
     *
     * @param probe the probe's name for the error, such as its path
     * @throws BelayException if the model has no such layer
     */
    public int layerIn(int layers, Object probe) {
        if (layer > layers) {
            throw new BelayException("probe " + probe + " reads hidden state " + layer + ", but the model has " + layers
                    + " layers; use the model it was fitted on, or fit a new one");
        }
        return layer == LAST ? layers : layer;
    }
}
