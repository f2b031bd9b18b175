package dev.belay.cli;

import dev.belay.forward.Golden;
import dev.belay.probe.LinearProbe;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** What the golden files hold, as files that commands read. */
final class GoldenFiles {
    private GoldenFiles() {}

    /** Writes the prompts of a golden model folder as {@code --ids} takes them. */
    static Path ids(Path model, Path file) {
        try (SafetensorsFile golden = SafetensorsFile.open(model.resolve("golden.safetensors"))) {
            List<String> rows = IntStream.iterate(0, p -> golden.has(p + ".input_ids"), p -> p + 1)
                    .mapToObj(p -> Arrays.toString(golden.longs(p + ".input_ids")))
                    .toList();
            return Cli.write(file, rows.toString());
        }
    }

    /** The greedy continuation of a prompt. */
    static int[] greedy(Path model, int prompt) {
        try (SafetensorsFile golden = SafetensorsFile.open(model.resolve("golden.safetensors"))) {
            return Arrays.stream(golden.longs(prompt + ".greedy"))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }

    /** The tensors of tiny-cliff's golden file. */
    static SafetensorsFile tinyCliff() {
        return SafetensorsFile.open(Golden.path("tiny-cliff/golden.safetensors"));
    }

    /** Writes scikit-learn's probe of tiny-cliff. */
    static Path probe(Path file) {
        try (SafetensorsFile golden = tinyCliff()) {
            float bias = golden.floats("probe.bias")[0];
            new LinearProbe(golden.floats("probe.weight"), bias, LinearProbe.LAST, Map.of()).save(file);
            return file;
        }
    }
}
