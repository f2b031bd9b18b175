package dev.belay.probe;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.TensorInfo;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Probes that other programs fitted: a weight and a bias from safetensors or NumPy files. */
public final class ProbeImport {
    private ProbeImport() {}

    /**
     * Reads a probe.
     *
     * @param file safetensors or .npy
     * @param weight name of the weight's tensor, or null for the only one of its form
     * @param bias name of the bias's tensor, or its .npy file, or null for the only one of its form, or 0 if there is none
     * @param layer the index i of the state H[i] that it reads, or {@link LinearProbe#LAST}
     * @throws BelayException if there is no such probe in the file
     */
    public static LinearProbe read(Path file, String weight, String bias, int layer) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (!Files.isRegularFile(file)) {
            throw new BelayException("cannot read " + file + ": no such file");
        }
        if (name.matches(".*\\.(pt|pth|bin|ckpt|pkl)")) {
            throw new BelayException(
                    file + " is a PyTorch file, which can run code when it is read; save its weight and bias as"
                            + " safetensors: safetensors.torch.save_file({\"weight\": w, \"bias\": b}, \"probe.safetensors\")");
        }
        Map<String, String> metadata =
                Map.of("imported_from", file.getFileName().toString());
        if (name.endsWith(".npy")) {
            float value = bias == null ? 0 : single(Path.of(bias), NpyFile.vector(Path.of(bias)));
            return new LinearProbe(finite(file, NpyFile.vector(file)), value, layer, metadata);
        }
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            float[] values = tensors.floats(choose(tensors, weight, "weight").name());
            return new LinearProbe(finite(file, values), bias(tensors, bias), layer, metadata);
        }
    }

    private static float bias(SafetensorsFile tensors, String name) {
        if (name == null && candidates(tensors, "bias").isEmpty()) {
            return 0;
        }
        return single(
                tensors.path(), tensors.floats(choose(tensors, name, "bias").name()));
    }

    /** The tensor of this name, or the only one whose name ends with {@code kind} and whose form fits. */
    private static TensorInfo choose(SafetensorsFile tensors, String name, String kind) {
        if (name != null) {
            TensorInfo tensor = tensors.find(name)
                    .orElseThrow(() -> new BelayException(
                            tensors.path() + " has no tensor '" + name + "', only " + names(tensors)));
            if (!fits(tensor)) {
                throw new BelayException(tensors.path() + ": " + tensor + " is no vector; a probe has one direction");
            }
            return tensor;
        }
        List<TensorInfo> found = candidates(tensors, kind);
        if (found.size() != 1) {
            throw new BelayException(tensors.path() + " has " + (found.isEmpty() ? "no" : "more than one")
                    + " vector named " + kind + " among " + names(tensors) + "; name it by --" + kind);
        }
        return found.getFirst();
    }

    private static List<TensorInfo> candidates(SafetensorsFile tensors, String kind) {
        return tensors.tensors().stream()
                .filter(t -> (t.name().equals(kind) || t.name().endsWith("." + kind)) && fits(t))
                .toList();
    }

    /** Whether it is floating-point, and of several axes all but the last have length 1. */
    private static boolean fits(TensorInfo tensor) {
        long[] shape = tensor.shape();
        return tensor.type().isFloating()
                && shape.length > 0
                && tensor.elements() == shape[shape.length - 1]
                && tensor.elements() > 0;
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

    private static float[] finite(Path file, float[] values) {
        for (float value : values) {
            if (!Float.isFinite(value)) {
                throw new BelayException(file + " holds " + value + ", which is no finite number");
            }
        }
        return values;
    }
}
