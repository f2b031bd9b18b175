package dev.belay.probe;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorInfo;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The file of a probe: safetensors with {@code weight} [hidden] and {@code bias} [1]. The metadata entry {@code layer} says which hidden
 * state it reads, the last one if it is absent, and {@code kind} what kind it is, logistic if absent. One of kind {@code nullspace}
 * may have more directions, {@code weight.2} and {@code bias.2}, and so on; the first is the one that scores.
 */
public final class ProbeFile {
    /** The metadata entry that names the {@link ProbeKind}. */
    public static final String KIND = "kind";

    private static final String WEIGHT = "weight";
    private static final String BIAS = "bias";

    private ProbeFile() {}

    /**
     * Reads the directions of a probe, in order; its weight may also have shape [1, hidden], as a PyTorch linear layer has it.
     *
     * @throws BelayException if the file cannot be read, or holds anything but finite weights and biases of one width
     */
    public static List<LinearProbe> read(Path path) {
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            boolean several = ProbeKind.NULLSPACE.label().equals(file.metadata().get(KIND));
            Set<String> others = new HashSet<>(file.names());
            List<LinearProbe> directions = new ArrayList<>();
            do {
                String suffix = suffix(directions.size());
                others.remove(WEIGHT + suffix);
                others.remove(BIAS + suffix);
                directions.add(direction(file, suffix));
            } while (several && others.contains(WEIGHT + suffix(directions.size())));
            for (String name : file.names()) {
                if (others.contains(name)) {
                    throw notAProbe(path, "has another tensor, " + file.tensor(name));
                }
            }
            for (int d = 1; d < directions.size(); d++) {
                if (directions.get(d).width() != directions.getFirst().width()) {
                    throw notAProbe(path, "has " + file.tensor(WEIGHT + suffix(d)) + " beside " + file.tensor(WEIGHT));
                }
            }
            return directions;
        }
    }

    /**
     * Writes the directions of a probe in F32, with the metadata of the first.
     *
     * @throws BelayException if the file cannot be written
     */
    public static void write(Path path, List<LinearProbe> directions) {
        SafetensorsWriter.Declaration file =
                SafetensorsWriter.to(path).metadata(directions.getFirst().metadata());
        for (int d = 0; d < directions.size(); d++) {
            LinearProbe probe = directions.get(d);
            file.floats(WEIGHT + suffix(d), probe.weight(), probe.width())
                    .floats(BIAS + suffix(d), new float[] {probe.bias()}, 1);
        }
        file.save();
    }

    private static String suffix(int direction) {
        return direction == 0 ? "" : "." + (direction + 1);
    }

    private static LinearProbe direction(SafetensorsFile file, String suffix) {
        float[] weight = values(file, WEIGHT + suffix);
        float[] bias = values(file, BIAS + suffix);
        if (bias.length != 1) {
            throw notAProbe(file.path(), "has " + file.tensor(BIAS + suffix));
        }
        int layer = layer(file.path(), file.metadata().get(LinearProbe.LAYER));
        return new LinearProbe(weight, bias[0], layer, file.metadata());
    }

    private static float[] values(SafetensorsFile file, String name) {
        TensorInfo tensor = file.find(name).orElseThrow(() -> notAProbe(file.path(), "has no tensor \"" + name + '"'));
        long[] shape = tensor.shape();
        boolean vector = shape.length == 1 || (shape.length == 2 && shape[0] == 1 && name.startsWith(WEIGHT));
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
            return LinearProbe.LAST;
        }
        try {
            int layer = Integer.parseInt(text);
            if (layer >= LinearProbe.LAST) {
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
}
