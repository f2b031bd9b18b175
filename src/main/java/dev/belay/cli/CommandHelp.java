package dev.belay.cli;

import dev.belay.io.Messages;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.UsageMessageSpec;

/** What {@code --help} looks like: at most {@value #WIDTH} columns, and only what must be given is in the first line. */
final class CommandHelp {
    static final int WIDTH = 100;

    private static final int LONGEST_OPTION = 21;

    /** Options of every command, and of nearly every one. */
    private static final Set<String> COMMON = Set.of("--help", "--version", "--quiet", "--log-format", "--json");

    private static final String INDENT = " ".repeat("Usage: ".length());

    private CommandHelp() {}

    /** Colors on a terminal that has some. That there are none with NO_COLOR (see no-color.org) or in a pipe, picocli knows. */
    static Help.ColorScheme colors() {
        return Help.defaultColorScheme(Messages.dumb(System.getenv("TERM")) ? Help.Ansi.OFF : Help.Ansi.AUTO);
    }

    /** Sets the form of a command's help. */
    static void shape(CommandLine line) {
        CommandSpec command = line.getCommandSpec();
        if (line.getParent() != null) {
            line.getHelpSectionMap().put(UsageMessageSpec.SECTION_KEY_OPTION_LIST, CommandHelp::options);
        }
        command.usageMessage().width(WIDTH).longOptionsMaxWidth(LONGEST_OPTION);
        command.usageMessage().customSynopsis(synopsis(command));
    }

    /** The options of the command's own in a table, those of every command in few lines. */
    private static String options(Help help) {
        List<OptionSpec> own = help.commandSpec().options().stream()
                .filter(option -> !option.hidden() && !COMMON.contains(option.longestName()))
                .toList();
        String json = help.commandSpec().findOption("--json") == null
                ? ""
                : "--json (the result as one JSON object on stdout), ";
        return help.optionListExcludingGroups(own)
                + String.format(
                        "      Also: %s--log-format=FORM (messages:%n"
                                + "      text or json), --quiet (only warnings and errors on stderr), -h, --help, -V, --version%n",
                        json);
    }

    private static String[] synopsis(CommandSpec command) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder(command.qualifiedName());
        for (String word : words(command)) {
            if (INDENT.length() + line.length() + 1 + word.length() > WIDTH) {
                lines.add(line.toString());
                line = new StringBuilder(INDENT + INDENT);
            }
            line.append(' ').append(word);
        }
        lines.add(line.toString());
        // A percent sign would be the beginning of a format.
        return lines.stream().map(text -> text.replace("%", "%%")).toArray(String[]::new);
    }

    private static List<String> words(CommandSpec command) {
        List<String> words = new ArrayList<>();
        for (ArgSpec parameter : command.positionalParameters()) {
            String name = parameter.paramLabel();
            String more = parameter.arity().max() > 1 ? "..." : "";
            words.add(parameter.required() ? name + more : "[" + name + more + "]");
        }
        for (ArgGroupSpec group : command.argGroups()) {
            if (group.multiplicity().min() > 0) {
                words.add(group.synopsis());
            }
        }
        command.options().stream()
                .filter(option -> option.required() && option.group() == null)
                .forEach(option -> words.add(option.longestName() + "=" + option.paramLabel()));
        words.add("[OPTIONS]");
        if (!command.subcommands().isEmpty()) {
            words.add("COMMAND");
        }
        return words;
    }
}
