package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** The help of every command: it fits a screen and ends with an example that can be typed as it is. */
class HelpTest {
    private static final int LINES = 36;
    private static final int COLUMNS = 100;
    private static final String EXAMPLE = "\nExample: belay ";

    /** Every command, without {@code belay}: "" for itself, "probe train" for a command of a command. */
    static Stream<String> commands() {
        List<String> names = new ArrayList<>();
        collect(RootCommand.withAllCommands(), names);
        return names.stream();
    }

    private static void collect(CommandLine command, List<String> names) {
        names.add(command.getCommandSpec().qualifiedName().replaceFirst("^belay ?", ""));
        command.getSubcommands().values().forEach(inner -> collect(inner, names));
    }

    private static Cli.Result run(String command, String option) {
        return Cli.run((command + " " + option).strip());
    }

    /** The arguments of a command's example. */
    static List<String> example(String command) {
        String help = run(command, "--help").ok();
        int at = help.indexOf(EXAMPLE);
        assertTrue(at > 0, help);
        String example = help.substring(at + EXAMPLE.length()).strip();
        String line = example.replaceAll(" \\\\\n +", " ");
        assertFalse(line.contains("\n"), help);
        return List.of(line.split(" "));
    }

    @ParameterizedTest
    @MethodSource("commands")
    void fitsAScreen(String command) {
        String help = run(command, "--help").ok();
        assertTrue(help.startsWith(("Usage: belay " + command).strip() + " "), help);
        assertTrue(help.lines().count() <= LINES, () -> help.lines().count() + " lines:\n" + help);
        assertTrue(help.lines().allMatch(line -> line.length() <= COLUMNS), help);
        assertFalse(help.contains("%%"), help);
        assertFalse(help.contains("\u001b"), help);
    }

    @ParameterizedTest
    @MethodSource("commands")
    void endsWithAnExampleThatCanBeParsed(String command) {
        List<String> arguments = example(command);
        assertTrue(String.join(" ", arguments).startsWith(command), arguments::toString);
        CommandLine.ParseResult parsed = RootCommand.withAllCommands().parseArgs(arguments.toArray(String[]::new));
        while (parsed.hasSubcommand()) {
            parsed = parsed.subcommand();
        }
        String used = parsed.commandSpec().qualifiedName();
        assertTrue(used.startsWith(("belay " + command).strip()), used);
        assertEquals(List.of(), parsed.unmatched());
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyCommandHasTheVersionAndTheOptionsOfMessages(String command) {
        String version = run(command, "--version").ok();
        assertEquals(Cli.run("--version").ok(), version);
        assertTrue(version.startsWith("belay "), version);
        String help = run(command, "--help").ok();
        assertEquals(help, run(command, "--quiet --log-format json --help").ok());
        assertTrue(help.contains(" --quiet ") && help.contains("--log-format=FORM "), help);
    }

    /** What computes or writes anything has a page; the others print or lead to others, or put files into other forms. */
    @Test
    void everyRunHasAPage() {
        Set<String> without = Set.of(
                "",
                "probe",
                "doctor",
                "info",
                "explain",
                "completion",
                "merge",
                "rerun",
                "demo",
                "export",
                "export trace",
                "export capture",
                "export probe");
        assertEquals(
                without,
                commands()
                        .filter(command -> !run(command, "--help").ok().contains(" --report=R.html"))
                        .collect(Collectors.toSet()));
    }

    @Test
    void theFirstHelpNamesEveryCommand() {
        String help = Cli.run("--help").ok();
        List<String> names = commands()
                .filter(name -> !name.isEmpty() && !name.contains(" "))
                .toList();
        assertTrue(names.size() > 19, names::toString);
        for (String name : names) {
            assertTrue(help.contains("\n  " + name + " "), name);
        }
    }
}
