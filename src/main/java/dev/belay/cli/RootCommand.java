package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.io.Messages;
import dev.belay.run.StoppedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code belay}. */
@Command(
        name = "belay",
        mixinStandardHelpOptions = true,
        versionProvider = RootCommand.Version.class,
        description = "Finds and mends refusal cliffs in reasoning language models.",
        footer = {
            "",
            "Help on a command: belay COMMAND --help. @FILE stands for arguments in a file.",
            "Example: belay demo"
        })
final class RootCommand implements Runnable {
    /** What a shell reports of a command that Ctrl-C ended. */
    private static final int STOPPED = 130;

    /** Characters of a message about a wrong command line. */
    private static final int LONGEST_USAGE = 900;

    @Spec
    private CommandSpec spec;

    @Mixin
    private MessageOptions messages;

    /** Runs a command line that prints to the given writer, and returns its exit code; see {@link Messages#current} for stderr. */
    static int run(PrintWriter out, String... given) {
        String[] args = helped(given);
        CommandLine line = line(commands(args));
        line.setOut(out);
        line.setParameterExceptionHandler(RootCommand::usage);
        line.setExecutionExceptionHandler((e, command, parsed) -> failure(e, command));
        line.setExecutionStrategy(parsed -> {
            CommandManifest.checkOutputs(parsed.asCommandLineList().getLast().getCommandSpec());
            return new CommandLine.RunLast().execute(parsed);
        });
        try {
            checkFiles(line, args);
            return line.execute(args);
        } catch (ParameterException e) {
            return usage(e, args);
        } catch (OutOfMemoryError | LinkageError e) {
            return failure(e, line);
        }
    }

    /** {@code help COMMAND} as {@code COMMAND --help}, if there is such a command. */
    private static String[] helped(String[] args) {
        if (args.length == 0 || !args[0].equals("help")) {
            return args;
        }
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        if (rest.length > 0 && rest[0].matches("[^-@].*") && commands(rest).size() > 1) {
            return rest;
        }
        String[] asked = Arrays.copyOf(rest, args.length);
        asked[args.length - 1] = "--help";
        return asked;
    }

    /** Recorded arguments as a command line takes them: one that begins with @ is no file of arguments. */
    static String[] escaped(List<String> arguments) {
        return arguments.stream()
                .map(argument -> argument.startsWith("@") ? "@" + argument : argument)
                .toArray(String[]::new);
    }

    /** The command line with every command. */
    static CommandLine withAllCommands() {
        return line(commands(new String[0]));
    }

    private static CommandLine line(List<Class<?>> commands) {
        CommandLine line = new CommandLine(new RootCommand());
        commands.forEach(line::addSubcommand);
        line.setCaseInsensitiveEnumValuesAllowed(true);
        line.setColorScheme(CommandHelp.colors());
        prepare(line);
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
                CompareCommand.class,
                EvalCommand.class,
                GenerateCommand.class,
                JudgeCommand.class,
                BakeCommand.class,
                ImportCommand.class,
                ConvertCommand.class,
                SelectCommand.class,
                CaptureCommand.class,
                ExportCommand.class,
                MergeCommand.class,
                RerunCommand.class,
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

    /** What picocli would take for an argument as it is, or fail to read. */
    private static void checkFiles(CommandLine line, String... args) {
        for (String arg : args) {
            if (arg.startsWith("@") && !arg.startsWith("@@")) {
                Path file = Path.of(arg.substring(1));
                if (Files.isDirectory(file) || !Files.isReadable(file)) {
                    throw new ParameterException(
                            line,
                            arg + ": there is no file " + file
                                    + " to read arguments from; an argument that begins with @ is written @" + arg);
                }
            }
        }
    }

    private static void prepare(CommandLine line) {
        line.getCommandSpec().versionProvider(new Version());
        CommandHelp.shape(line);
        line.getSubcommands().values().forEach(RootCommand::prepare);
    }

    @Override
    public void run() {
        spec.commandLine().usage(spec.commandLine().getOut());
        throw new ParameterException(spec.commandLine(), "a command is missing");
    }

    private static int usage(ParameterException e, String[] args) {
        MessageOptions.find(args);
        return usage(what(e), e.getCommandLine());
    }

    private static int usage(String what, CommandLine line) {
        String command = line.getCommandSpec().qualifiedName();
        Messages.current().error(shortened(oneLine(what)) + " (see '" + command + " --help')");
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
        // picocli names types of Java.
        return e.getMessage()
                .replaceFirst("^Error: ", "")
                .replaceFirst("' is not a (double|float)$", "' is not a number")
                .replaceFirst("' is not an? (int|long)$", "' is not a whole number")
                .replaceFirst("' is not a boolean$", "' is neither true nor false");
    }

    private static int failure(Throwable e, CommandLine line) {
        if (e instanceof UsageException) {
            return usage(e.getMessage(), line);
        }
        String message = oneLine(words(e, line));
        if (System.getenv("BELAY_DEBUG") == null) {
            Messages.current().error(message);
        } else {
            Messages.current().error(message, e);
        }
        return e instanceof StoppedException ? STOPPED : CommandLine.ExitCode.SOFTWARE;
    }

    private static String words(Throwable e, CommandLine line) {
        return switch (e) {
            case BelayException known -> known.getMessage() + goingOn(known, line);
            case OutOfMemoryError memory -> words(memory, line);
            default -> "internal error: " + e + "; run with BELAY_DEBUG=1 for the stack trace";
        };
    }

    /** How to go on where a disk or the like failed; empty where nothing is done or it was something else. */
    private static String goingOn(BelayException e, CommandLine line) {
        CommandLine.ParseResult parsed = innermost(line);
        OptionSpec output = parsed == null ? null : parsed.commandSpec().findOption("-o");
        if (!(e.getCause() instanceof IOException)
                || output == null
                || !(output.getValue() instanceof Path file)
                || parsed.commandSpec().findOption("--resume") == null) {
            return "";
        }
        Path progress = Path.of(file + ".progress");
        return !Files.exists(progress)
                ? ""
                : "; " + progress + " has what is done: go on with the same command and --resume";
    }

    /** What of a command line the command itself was given; null if it was not understood. */
    private static CommandLine.ParseResult innermost(CommandLine line) {
        CommandLine.ParseResult parsed = line.getParseResult();
        while (parsed != null && parsed.hasSubcommand()) {
            parsed = parsed.subcommand();
        }
        return parsed;
    }

    /** What to change, by how much: another number of batch tokens is another run. */
    private static String words(OutOfMemoryError memory, CommandLine line) {
        long heap = Runtime.getRuntime().maxMemory() >> 20;
        String what = "out of memory (" + memory.getMessage() + "; the Java heap has " + heap
                + " MiB): set BELAY_JAVA_OPTIONS=-Xmx" + 2 * heap + "m";
        CommandLine.ParseResult parsed = innermost(line);
        if (parsed == null) {
            return what;
        }
        if (parsed.commandSpec().findOption("--resume") != null) {
            // Such a command has halved its batches already, down to single texts.
            return what + " and go on with the same command and --resume";
        }
        OptionSpec batch = parsed.commandSpec().findOption("--batch-tokens");
        int tokens = batch != null && batch.getValue() instanceof Integer given ? given : BatchTokens.USUAL;
        return batch != null && tokens > 1 ? what + ", or use --batch-tokens " + tokens / 2 : what;
    }

    /** What a file of many arguments brings may be long. */
    private static String shortened(String message) {
        int end = message.offsetByCodePoints(0, Math.min(LONGEST_USAGE, message.codePointCount(0, message.length())));
        return end == message.length() ? message : message.substring(0, end) + "...";
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
