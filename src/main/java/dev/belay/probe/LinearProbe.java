package dev.belay.probe;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorInfo;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * A refusal probe: score = σ(w·h + b), where h is the hidden state {@code H[layer]} at one position.
 *
 * <p>Its file is safetensors with {@code weight} [hidden] and {@code bias} [1]; the metadata entry {@code layer} says which
 * hidden state it reads, the last one if it is absent.
 */
public final class LinearProbe {
    /** The layer of a probe that reads the state after the final norm, H[L], however many layers the model has. */
    public static final int LAST = -1;

    private static final String WEIGHT = "weight";
    private static final String BIAS = "bias";
    private static final String LAYER = "layer";

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
     * Reads a probe; its weight may also have shape [1, hidden], as a PyTorch linear layer has it.
     *
     * @throws BelayException if the file cannot be read, or holds anything but one finite weight and bias
     */
    public static LinearProbe load(Path path) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            for (String name : file.names()) {
                if (!name.equals(WEIGHT) && !name.equals(BIAS)) {
                    throw notAProbe(path, "has another tensor, " + file.tensor(name));
                }
            }
            float[] weight = values(file, WEIGHT);
            float[] bias = values(file, BIAS);
            if (bias.length != 1) {
                throw notAProbe(path, "has " + file.tensor(BIAS));
            }
            return new LinearProbe(weight, bias[0], layer(path, file.metadata().get(LAYER)), file.metadata());
        }
    }

    private static float[] values(SafetensorsFile file, String name) {
        TensorInfo tensor = file.find(name).orElseThrow(() -> notAProbe(file.path(), "has no tensor \"" + name + '"'));
        long[] shape = tensor.shape();
        boolean vector = shape.length == 1 || (shape.length == 2 && shape[0] == 1 && name.equals(WEIGHT));
        if (!vector || tensor.elements() == 0) {
            throw notAProbe(file.path(), "has " + tensor);
        }
        float[] values = file.floats(name);
        for (float value : values) {
            if (!Float.isFinite(value)) {
                throw new BelayException(
                        file.path() + ": tensor \"" + name + "\" holds " + value + "; fit the probe again");
            }
        }
        return values;
    }

    private static int layer(Path path, String text) {
        if (text == null) {
            return LAST;
        }
        try {
            int layer = Integer.parseInt(text);
            if (layer >= LAST) {
                return layer;
            }
        } catch (NumberFormatException e) {
            // Reported below, like a number that is out of range.
        }
        throw new BelayException(path + ": metadata layer \"" + text.replaceAll("\\p{Cntrl}", "?")
                + "\" is not the number of a hidden state (0 = embeddings, -1 = last)");
    }

    private static BelayException notAProbe(Path path, String what) {
        return new BelayException(
                path + ": is not a probe: it " + what + "; a probe holds weight [hidden] and bias [1] only");
    }

    /**
     * Writes the probe in F32.
     *
     * @throws BelayException if the file cannot be written
     */
    public void save(Path path) {
        SafetensorsWriter.to(path)
                .metadata(metadata)
                .floats(WEIGHT, weight, weight.length)
                .floats(BIAS, new float[] {bias}, 1)
                .save();
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
