package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.run.StoppedException;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code belay}. */
@Command(
        name = "belay",
        mixinStandardHelpOptions = true,
        versionProvider = RootCommand.Version.class,
        description = "Finds and mends refusal cliffs in reasoning language models.",
        footer = {"", "Start with: belay demo", "Help on a command: belay COMMAND --help"})
final class RootCommand implements Runnable {
    /** What a shell reports of a command that Ctrl-C ended. */
    private static final int STOPPED = 130;

    @Spec
    private CommandSpec spec;

    /** Runs a command line that prints to the given writers, and returns its exit code; progress still goes to stderr. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        CommandLine line = new CommandLine(new RootCommand());
        commands(args).forEach(line::addSubcommand);
        line.setOut(out).setErr(err);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setParameterExceptionHandler(RootCommand::usage);
        line.setExecutionExceptionHandler((e, command, parsed) -> failure(e, command));
        everyCommandHasTheVersion(line);
        try {
            return line.execute(args);
        } catch (OutOfMemoryError | LinkageError e) {
            return failure(e, line);
        }
    }

    /** The command line with every command. */
    static CommandLine withAllCommands() {
        CommandLine line = new CommandLine(new RootCommand());
        commands(new String[0]).forEach(line::addSubcommand);
        return line;
    }

    /** The command that a command line begins with, or else all: picocli takes a while to look at each. */
    private static List<Class<?>> commands(String[] args) {
        List<Class<?>> all = List.of(
                DemoCommand.class,
                DoctorCommand.class,
                InfoCommand.class,
                PlanCommand.class,
                ProbeCommand.class,
                TraceCommand.class,
                HeadsCommand.class,
                AblateCommand.class,
                GenerateCommand.class,
                JudgeCommand.class,
                BakeCommand.class,
                ImportCommand.class,
                ConvertCommand.class,
                SelectCommand.class,
                CaptureCommand.class,
                ExportCommand.class,
                MergeCommand.class,
                VerifyCommand.class,
                BenchCommand.class,
                ExplainCommand.class,
                CompletionCommand.class);
        String first = args.length == 0 ? "" : args[0];
        return all.stream()
                .filter(command -> command.getAnnotation(Command.class).name().equals(first))
                .findFirst()
                .<List<Class<?>>>map(List::of)
                .orElse(all);
    }

    private static void everyCommandHasTheVersion(CommandLine line) {
        line.getCommandSpec().versionProvider(new Version());
        line.getSubcommands().values().forEach(RootCommand::everyCommandHasTheVersion);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int usage(ParameterException e, String[] args) {
        return usage(what(e), e.getCommandLine());
    }

    private static int usage(String what, CommandLine line) {
        String command = line.getCommandSpec().qualifiedName();
        line.getErr().println("belay: " + oneLine(what) + " (see '" + command + " --help')");
        line.getErr().flush();
        return CommandLine.ExitCode.USAGE;
    }

    private static String what(ParameterException e) {
        if (e instanceof UnmatchedArgumentException unmatched
                && !unmatched.isUnknownOption()
                && !e.getCommandLine().getSubcommands().isEmpty()) {
            List<String> close = unmatched.getSuggestions();
            return "there is no command '" + unmatched.getUnmatched().getFirst() + "'"
                    + (close.isEmpty() ? "" : "; did you mean " + close.getFirst() + "?");
        }
        return e.getMessage().replaceFirst("^Error: ", "");
    }

    private static int failure(Throwable e, CommandLine line) {
        if (System.getenv("BELAY_DEBUG") != null) {
            e.printStackTrace(line.getErr());
        }
        if (e instanceof UsageException) {
            return usage(e.getMessage(), line);
        }
        line.getErr().println("belay: " + oneLine(words(e)));
        line.getErr().flush();
        return e instanceof StoppedException ? STOPPED : CommandLine.ExitCode.SOFTWARE;
    }

    private static String words(Throwable e) {
        return switch (e) {
            case BelayException known -> known.getMessage();
            case OutOfMemoryError memory ->
                "out of memory (" + memory.getMessage() + "; the Java heap has "
                        + (Runtime.getRuntime().maxMemory() >> 20)
                        + " MiB): use fewer texts, layers or --batch-tokens, or set BELAY_JAVA_OPTIONS=-Xmx8g";
            default -> "internal error: " + e + "; run with BELAY_DEBUG=1 for the stack trace";
        };
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
            String version = RootCommand.class.getPackage().getImplementationVersion();
            return version == null ? "development build" : version;
        }
    }
}
