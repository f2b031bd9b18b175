package dev.belay.cli;

import dev.belay.probe.LinearProbe;
import java.nio.file.Path;
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
    LinearProbe load(dev.belay.model.ModelConfig config) {
        LinearProbe probe = LinearProbe.load(file);
        probe.checkWidth(config.hidden(), file);
        probe.layerIn(config.layers(), file);
        return probe;
    }
}
