package dev.belay.cli;

import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import picocli.CommandLine.Option;

/** The probes to use, one or more. */
final class ProbesOption {
    @Option(
            names = "--probe",
            paramLabel = "[NAME=]P.safetensors",
            required = true,
            converter = Converters.Probe.class,
            description = "refusal probe (belay probe train); several give a record's scores under each one's name, "
                    + "by default that of its file without suffix")
    List<NamedProbe> probes;

    /** Reads the probes and checks that they fit, before anything slow is done. */
    List<LinearProbe> load(ModelConfig config) {
        Set<String> names = new HashSet<>();
        for (NamedProbe probe : probes) {
            if (!names.add(probe.name())) {
                throw new UsageException(
                        "two probes are named '" + probe.name() + "': give each a name of its own, --probe NAME=FILE");
            }
        }
        return probes.stream().map(probe -> probe.load(config)).toList();
    }
}
