package dev.belay.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code belay export}: results for other programs. */
@Command(
        name = "export",
        mixinStandardHelpOptions = true,
        description = "Writes traces, captured states and probes for other programs.",
        footer = {"", "Example: belay export trace --help"},
        subcommands = {ExportTraceCommand.class, ExportCaptureCommand.class, ExportProbeCommand.class})
final class ExportCommand implements Runnable {
    @Spec
    private CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say trace, capture or probe");
    }

    /**
     * The format to write.
     *
     * @param as what {@code --as} says, or null: then the ending of the output's name says it
     * @param known what there is
     * @throws UsageException if it is none of them
     */
    static String format(String as, Path output, List<String> known) {
        String name = output.toString().toLowerCase(Locale.ROOT);
        String format = as == null ? name.substring(name.lastIndexOf('.') + 1) : as;
        if (known.contains(format)) {
            return format;
        }
        String choice = String.join(", ", known);
        throw new UsageException(
                as == null
                        ? "the ending of " + output + " is no format: use one of " + choice + ", or --as"
                        : "unknown format '" + as + "': use one of " + choice);
    }
}
