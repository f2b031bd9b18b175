package dev.belay.cli;

import dev.belay.BelayException;
import java.io.PrintWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command {@code belay}. */
@Command(
        name = "belay",
        mixinStandardHelpOptions = true,
        versionProvider = Belay.Version.class,
        description = "Finds and mends refusal cliffs in reasoning language models.",
        footer = {"", "Start with: belay demo", "Help on a command: belay COMMAND --help"},
        subcommands = {
            DemoCommand.class,
            InfoCommand.class,
            ProbeCommand.class,
            TraceCommand.class,
            HeadsCommand.class,
            AblateCommand.class,
            GenerateCommand.class,
            JudgeCommand.class,
            SelectCommand.class,
            CaptureCommand.class,
            VerifyCommand.class
        })
public final class Belay implements Runnable {
    @Spec
    private CommandSpec spec;

    public static void main(String[] args) {
        int code = run(args);
        System.out.flush();
        System.exit(code);
    }

    /** Runs a command line and returns its exit code. */
    public static int run(String... args) {
        CommandLine line = new CommandLine(new Belay());
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler(Belay::usage);
        line.setExecutionExceptionHandler(Belay::failure);
        return line.execute(args);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int usage(ParameterException e, String[] args) {
        PrintWriter err = e.getCommandLine().getErr();
        String command = e.getCommandLine().getCommandSpec().qualifiedName();
        err.println("belay: " + oneLine(e.getMessage()) + " (see '" + command + " --help')");
        err.flush();
        return CommandLine.ExitCode.USAGE;
    }

    private static int failure(Exception e, CommandLine line, CommandLine.ParseResult parsed) {
        PrintWriter err = line.getErr();
        if (e instanceof BelayException) {
            err.println("belay: " + oneLine(e.getMessage()));
        } else {
            err.println(
                    "belay: internal error: " + oneLine(e.toString()) + "; run with BELAY_DEBUG=1 for the stack trace");
        }
        if (System.getenv("BELAY_DEBUG") != null) {
            e.printStackTrace(err);
        }
        err.flush();
        return e instanceof UsageException ? CommandLine.ExitCode.USAGE : CommandLine.ExitCode.SOFTWARE;
    }

    private static String oneLine(String message) {
        return message == null ? "no message" : message.replaceAll("\\s*\\R\\s*", "; ");
    }

    /** Prints the version of the jar. */
    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"belay " + number()};
        }

        static String number() {
            String version = Belay.class.getPackage().getImplementationVersion();
            return version == null ? "development build" : version;
        }
    }
}
