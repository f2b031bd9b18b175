package dev.belay.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code belay probe}: train, test and import refusal probes. */
@Command(
        name = "probe",
        mixinStandardHelpOptions = true,
        description = "Trains, tests and imports refusal probes.",
        subcommands = {ProbeTrainCommand.class, ProbeTestCommand.class, ProbeImportCommand.class},
        footer = {"", "Example: belay probe train --help"})
final class ProbeCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say train, test or import");
    }
}
