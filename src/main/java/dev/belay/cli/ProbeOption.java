package dev.belay.cli;

import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeFile;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** The refusal probe to use. */
final class ProbeOption {
    @Option(
            names = "--probe",
            paramLabel = "P.safetensors",
            required = true,
            description = "refusal probe (belay probe train)")
    Path file;

    /** Reads the probe and checks that it fits, before anything slow is done. */
    LinearProbe load(ModelConfig config) {
        return load(file, config);
    }

    /** As {@link #load(ModelConfig)}, but all directions of the probe. */
    List<LinearProbe> directions(ModelConfig config) {
        return directions(file, config);
    }

    static LinearProbe load(Path file, ModelConfig config) {
        return directions(file, config).getFirst();
    }

    private static List<LinearProbe> directions(Path file, ModelConfig config) {
        List<LinearProbe> directions = ProbeFile.read(file);
        directions.getFirst().checkWidth(config.hidden(), file);
        directions.getFirst().layerIn(config.layers(), file);
        return directions;
    }
}
