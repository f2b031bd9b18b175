package dev.belay.cli;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code belay completion}: scripts with which a shell completes commands and options. */
@Command(
        name = "completion",
        mixinStandardHelpOptions = true,
        description = {
            "Prints a script with which a shell completes commands and options.",
            "bash: source <(belay completion bash)",
            "zsh:  source <(belay completion zsh)",
            "fish: belay completion fish | source"
        },
        footer = {"", "Example: belay completion fish"})
final class CompletionCommand implements Callable<Integer> {
    /** Shells. */
    enum Shell {
        bash,
        zsh,
        fish
    }

    @Parameters(index = "0", paramLabel = "SHELL", description = "bash, zsh or fish")
    private Shell shell;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        CommandLine belay = RootCommand.withAllCommands();
        markFiles(belay);
        PrintWriter out = spec.commandLine().getOut();
        if (shell == Shell.fish) {
            fish(belay, out);
        } else {
            // picocli's script serves both: in zsh it turns bash's completion on, where files would be offered wherever
            // it offers nothing.
            String script = AutoComplete.bash("belay", belay);
            out.print(
                    shell == Shell.zsh
                            ? script.replace("complete -F _complete_belay -o default ", "complete -F _complete_belay ")
                            : script);
        }
        out.flush();
        return 0;
    }

    /** Has options that take files complete these: picocli's script knows them by their type, which is another for a file with a name. */
    private static void markFiles(CommandLine command) {
        CommandSpec spec = command.getCommandSpec();
        for (OptionSpec option : List.copyOf(spec.options())) {
            if (option.auxiliaryTypes()[0] == NamedProbe.class) {
                spec.remove(option);
                spec.addOption(OptionSpec.builder(option.names())
                        .type(Path.class)
                        .description(option.description())
                        .build());
            }
        }
        command.getSubcommands().values().forEach(CompletionCommand::markFiles);
    }

    private static void fish(CommandLine belay, PrintWriter out) {
        out.println("# Completion of belay for fish.");
        out.println(
                "# Whether the words before the cursor are belay, the command $argv[2..] and, unless $argv[1] is only, any others.");
        out.println("function __belay_at");
        out.println("    set -l words (commandline -opc)");
        out.println("    set -l only $argv[1]");
        out.println("    set argv[1] $words[1]");
        out.println("    set -l last (count $argv)");
        out.println("    test \"$words[1..$last]\" = \"$argv\"; or return");
        out.println("    test $only != only; or test (count $words) = $last");
        out.println("end");
        out.println("complete -c belay -e");
        fish("", belay, out);
    }

    /** The commands and options that come after a command; {@code path} is its name and those before it. */
    private static void fish(String path, CommandLine command, PrintWriter out) {
        String here = "complete -c belay -n ";
        String only = here + quoted("__belay_at only" + path);
        String after = command.getSubcommands().isEmpty() ? here + quoted("__belay_at after" + path) : only;
        CommandSpec spec = command.getCommandSpec();
        List<PositionalParamSpec> words = spec.positionalParameters();
        if (words.stream().noneMatch(CompletionCommand::takesFile)) {
            out.println(after + " -f");
        }
        words.forEach(word -> out.print(
                word.completionCandidates() == null
                        ? ""
                        : only + " -a " + quoted(values(word)) + System.lineSeparator()));
        for (OptionSpec option : spec.options()) {
            if (!option.hidden()) {
                out.println(after + fish(option));
            }
        }
        command.getSubcommands().forEach((name, inner) -> {
            CommandSpec innerSpec = inner.getCommandSpec();
            if (!innerSpec.usageMessage().hidden()) {
                out.println(only + " -a " + name + " -d " + quoted(description(innerSpec)));
                fish(path + " " + name, inner, out);
            }
        });
    }

    private static String fish(OptionSpec option) {
        StringBuilder line = new StringBuilder();
        for (String name : option.names()) {
            line.append(name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.substring(1));
        }
        if (option.completionCandidates() != null) {
            line.append(" -x -a ").append(quoted(values(option)));
        } else if (takesFile(option)) {
            line.append(" -r -F");
        } else if (option.arity().max() > 0) {
            line.append(" -x");
        }
        return line + " -d " + quoted(String.join(" ", option.description()));
    }

    private static String values(ArgSpec argument) {
        return String.join(" ", argument.completionCandidates());
    }

    private static boolean takesFile(ArgSpec argument) {
        return argument.auxiliaryTypes()[0] == Path.class;
    }

    private static String description(CommandSpec spec) {
        return Arrays.stream(spec.usageMessage().description()).findFirst().orElse("");
    }

    /** A string of fish. */
    private static String quoted(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%") + "'";
    }
}
