package dev.belay.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code belay probe}: train and test refusal probes. */
@Command(
        name = "probe",
        mixinStandardHelpOptions = true,
        description = "Trains and tests refusal probes.",
        subcommands = {ProbeTrainCommand.class, ProbeTestCommand.class})
final class ProbeCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say train or test");
    }
}
