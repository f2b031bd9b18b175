package dev.belay.cli;

import java.io.PrintWriter;
import java.util.Arrays;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
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
        PrintWriter out = spec.commandLine().getOut();
        if (shell == Shell.fish) {
            fish(belay, out);
        } else {
            // picocli's script serves both: in zsh it turns bash's completion on.
            out.print(AutoComplete.bash("belay", belay));
        }
        out.flush();
        return 0;
    }

    private static void fish(CommandLine belay, PrintWriter out) {
        out.println("# Completion of belay for fish.");
        out.println("complete -c belay -f -n __fish_use_subcommand");
        belay.getSubcommands().forEach((name, command) -> {
            out.printf(
                    "complete -c belay -n __fish_use_subcommand -a %s -d %s%n",
                    name, quoted(description(command.getCommandSpec())));
            options(name, command.getCommandSpec(), out);
            command.getSubcommands().forEach((inner, innerCommand) -> {
                String after = "__fish_seen_subcommand_from " + name;
                out.printf(
                        "complete -c belay -n %s -a %s -d %s%n",
                        quoted(after), inner, quoted(description(innerCommand.getCommandSpec())));
                options(inner, innerCommand.getCommandSpec(), out);
            });
        });
    }

    private static void options(String command, CommandSpec spec, PrintWriter out) {
        for (OptionSpec option : spec.options()) {
            StringBuilder line = new StringBuilder("complete -c belay -n ");
            line.append(quoted("__fish_seen_subcommand_from " + command));
            for (String name : option.names()) {
                line.append(name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.substring(1));
            }
            line.append(option.arity().max() > 0 ? " -r" : "");
            String text = String.join(" ", option.description());
            out.println(line + " -d " + quoted(text));
        }
    }

    private static String description(CommandSpec spec) {
        return Arrays.stream(spec.usageMessage().description()).findFirst().orElse("");
    }

    /** A string of fish. */
    private static String quoted(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%") + "'";
    }
}
