package dev.belay.probe;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.TensorInfo;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/** Probes that other programs fitted: a weight and a bias from safetensors or NumPy files. */
public final class ProbeImport {
    private static final String WEIGHT = "weight";
    private static final byte[] ARCHIVE = {'P', 'K', 3, 4};
    /** What to do about a head of two classes, whose softmax is the logistic function of a difference. */
    static final String TWO_CLASSES =
            "; of a head with two classes save weight[1] - weight[0], and bias[1] - bias[0] for the bias, if class 1 is that of refusal"
                    + " (else the other way round)";

    private static final Pattern NUMBER = Pattern.compile("[-+]?(\\d+\\.?\\d*|\\.\\d+)([eE][-+]?\\d+)?");

    private ProbeImport() {}

    /**
     * Reads a probe.
     *
     * @param file safetensors or .npy
     * @param weight name of the weight's tensor, or null for the only vector named weight; null for .npy
     * @param bias name of the bias's tensor, its .npy file, or a number; null for the tensor beside the weight (linear.bias beside
     *     linear.weight), or 0 if the file holds the weight only
     * @param layer the index i of the state H[i] that it reads, or {@link LinearProbe#LAST}
     * @throws BelayException if there is no such probe in the file
     */
    public static LinearProbe read(Path file, String weight, String bias, int layer) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (!Files.isRegularFile(file)) {
            throw new BelayException("cannot read " + file + ": no such file");
        }
        if (name.endsWith(".npz")) {
            throw new BelayException(file + " holds several arrays; save the weight and the bias as a .npy file each");
        }
        if (name.matches(".*\\.(pt|pth|bin|ckpt|pkl|pickle|joblib)") || isArchive(file)) {
            throw new BelayException(
                    file + " is a file of PyTorch or pickle, which can run code when it is read; save its"
                            + " weight and bias as safetensors: safetensors.torch.save_file({\"weight\": w, \"bias\": b},"
                            + " \"probe.safetensors\")");
        }
        Map<String, String> metadata =
                Map.of("imported_from", file.getFileName().toString());
        if (name.endsWith(".npy")) {
            if (weight != null) {
                throw new BelayException(
                        file + " holds one array, so there is no '" + weight + "' in it; leave out --weight");
            }
            return new LinearProbe(direction(file, NpyFile.vector(file)), arrayBias(bias), layer, metadata);
        }
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            TensorInfo chosen = weight(tensors, weight);
            float[] values = direction(file, tensors.floats(chosen.name()));
            return new LinearProbe(values, tensorBias(tensors, chosen.name(), bias), layer, metadata);
        }
    }

    /** Whether a file, whatever its name, is a ZIP archive, as PyTorch writes them. */
    private static boolean isArchive(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            return Arrays.equals(in.readNBytes(ARCHIVE.length), ARCHIVE);
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private static float arrayBias(String bias) {
        if (bias == null) {
            return 0;
        }
        return NUMBER.matcher(bias).matches() ? number(bias) : single(Path.of(bias), NpyFile.vector(Path.of(bias)));
    }

    private static float tensorBias(SafetensorsFile tensors, String weight, String bias) {
        if (bias == null && tensors.names().size() == 1) {
            return 0;
        }
        if (bias != null && tensors.find(bias).isEmpty() && NUMBER.matcher(bias).matches()) {
            return number(bias);
        }
        String name = bias != null ? bias : weight.endsWith(WEIGHT) ? sibling(weight) : null;
        TensorInfo tensor = name == null ? null : tensors.find(name).orElse(null);
        if (tensor == null) {
            throw new BelayException(tensors.path() + " has no " + (name == null ? "bias" : "tensor '" + name + "'")
                    + " beside '" + weight + "', only " + names(tensors)
                    + "; name the bias by --bias, or give its number, such as --bias 0");
        }
        if (!tensor.type().isFloating() || tensor.elements() != 1) {
            throw new BelayException(
                    tensors.path() + ": the bias is " + tensor + "; a probe has one floating-point number");
        }
        return finite(tensors.path(), tensors.floats(name))[0];
    }

    private static String sibling(String weight) {
        return weight.substring(0, weight.length() - WEIGHT.length()) + "bias";
    }

    private static float number(String text) {
        float value = Float.parseFloat(text);
        if (!Float.isFinite(value)) {
            throw new BelayException("the bias " + text + " is too large for a float32");
        }
        return value;
    }

    /** The tensor of this name, or the only vector that is named weight. */
    private static TensorInfo weight(SafetensorsFile tensors, String name) {
        if (name != null) {
            TensorInfo tensor = tensors.find(name)
                    .orElseThrow(() -> new BelayException(
                            tensors.path() + " has no tensor '" + name + "', only " + names(tensors)));
            if (!isVector(tensor)) {
                throw new BelayException(
                        tensors.path() + ": " + tensor + " is no floating-point vector; a probe has one direction"
                                + (isTwoClass(tensor.shape()) ? TWO_CLASSES : ""));
            }
            return tensor;
        }
        List<TensorInfo> named = tensors.tensors().stream()
                .filter(t -> t.name().equals(WEIGHT) || t.name().endsWith('.' + WEIGHT))
                .toList();
        List<TensorInfo> found = named.stream().filter(ProbeImport::isVector).toList();
        if (named.size() == 1 && found.isEmpty()) {
            return weight(tensors, named.getFirst().name());
        }
        if (found.size() != 1) {
            throw new BelayException(tensors.path() + " has " + (found.isEmpty() ? "no" : "more than one")
                    + " vector named weight among " + names(tensors) + "; name it by --weight");
        }
        return found.getFirst();
    }

    /** Whether it is floating-point, and of several axes all but one have length 1. */
    private static boolean isVector(TensorInfo tensor) {
        long[] shape = tensor.shape();
        return tensor.type().isFloating()
                && shape.length > 0
                && tensor.elements() > 0
                && Arrays.stream(shape).filter(size -> size > 1).count() <= 1;
    }

    /** Whether a weight is that of a head with two classes. */
    static boolean isTwoClass(long[] shape) {
        return shape.length == 2 && shape[0] == 2;
    }

    private static String names(SafetensorsFile tensors) {
        return String.join(", ", tensors.names());
    }

    private static float single(Path file, float[] values) {
        if (values.length != 1) {
            throw new BelayException(file + ": the bias has " + values.length + " numbers, a probe has one");
        }
        return finite(file, values)[0];
    }

    /** Finite numbers, not all of them 0. */
    private static float[] direction(Path file, float[] weight) {
        for (float value : finite(file, weight)) {
            if (value != 0) {
                return weight;
            }
        }
        throw new BelayException(
                file
                        + ": the weight is all zeros, a probe that gives every state the same score; was it saved before training?");
    }

    private static float[] finite(Path file, float[] values) {
        for (float value : values) {
            if (!Float.isFinite(value)) {
                throw new BelayException(file + " holds " + value + ", which is no finite number");
            }
        }
        return values;
    }
}
