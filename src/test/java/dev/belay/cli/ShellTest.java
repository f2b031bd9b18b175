package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** What serves the person at the shell: {@code belay completion}, {@code belay explain}. */
class ShellTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh", "fish"})
    void completionKnowsCommandsAndOptions(String shell) {
        String script = Cli.run("completion ?", shell).ok();
        for (String part : new String[] {"heads", "probe", "train", "bake", "positions", "renormalize"}) {
            assertTrue(script.contains(part), part);
        }
        Cli.run("completion tcsh").failed(2, "tcsh", "bash, zsh, fish");
    }

    /** Lines, and what is offered at their end. FILES is a folder with these two files. */
    private static final String LINES = """
            belay he                              | heads
            belay tr                              | trace
            belay probe                           | import test train
            belay probe tr                        | train
            belay heads --pos                     | --positions
            belay probe train --comp              | --complied
            belay heads m --method                | direct causal greedy
            belay heads m --method gr             | greedy
            belay trace m --dtype                 | f32 bf16
            belay trace m --plateau m             | max mean
            belay probe train m --kind            | logistic mean-difference nullspace
            belay export trace FILES/t.j --as     | csv npy safetensors
            belay export trace --layer            |
            belay bake m --as                     | model lora
            belay compare m --plateau m           | max mean
            belay completion                      | bash zsh fish
            belay trace FILES/t                   | FILES/t.jsonl FILES/two.jsonl
            belay trace m --data FILES/t.         | FILES/t.jsonl
            belay trace m --probe FILES/t.        | FILES/t.jsonl
            belay trace m --data FILES/t.jsonl -o FILES/tw | FILES/two.jsonl
            belay heads m --limit                 |
            """;

    private static Stream<Arguments> lines() {
        return LINES.lines().map(line -> {
            String[] parts = line.split("\\|", 2);
            // One space after the last word: its value, not the rest of the word, is what is wanted.
            boolean next = List.of("probe", "--method", "--dtype", "--kind", "--as", "completion", "--limit")
                    .contains(parts[0].strip().replaceFirst(".* ", ""));
            return Arguments.of(parts[0].strip() + (next ? " " : ""), parts[1].strip());
        });
    }

    private void assertCompletes(String line, String expected, String... command) throws Exception {
        Files.writeString(folder.resolve("t.jsonl"), "");
        Files.writeString(folder.resolve("two.jsonl"), "");
        List<String> words = new ArrayList<>(List.of(command));
        words.add(Files.writeString(
                        folder.resolve("script"),
                        Cli.run("completion ?", command[0]).ok())
                .toString());
        words.add(line.replace("FILES", folder.toString()));
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("offered").toFile());
        // No settings of the person who runs the tests.
        builder.environment()
                .putAll(Map.of(
                        "HOME", folder.toString(), "XDG_CONFIG_HOME", folder.toString(), "ZDOTDIR", folder.toString()));
        Process shell = builder.start();
        boolean ended = shell.waitFor(20, TimeUnit.SECONDS);
        shell.destroyForcibly();
        assertTrue(ended, line);
        Set<String> offered = Files.readAllLines(folder.resolve("offered")).stream()
                .map(String::strip)
                .filter(word -> !word.isEmpty())
                .collect(Collectors.toCollection(TreeSet::new));
        // zsh offers what comes after the folder.
        String files = offered.stream().anyMatch(word -> word.startsWith(folder.toString())) ? folder + "/" : "";
        Set<String> wanted =
                new TreeSet<>(List.of(expected.replace("FILES/", files).split(" ")));
        wanted.remove("");
        assertEquals(wanted, offered, line);
    }

    private static void assumeInstalled(String shell) {
        assumeTrue(
                Stream.of(System.getenv("PATH").split(File.pathSeparator))
                        .anyMatch(place -> Files.isExecutable(Path.of(place, shell))),
                shell + " is not installed");
    }

    @ParameterizedTest
    @MethodSource("lines")
    void bashCompletes(String line, String expected) throws Exception {
        // With -o default bash would complete files where the function offers nothing; the script takes that away where
        // it must.
        String run =
                "source \"$0\"; compopt() { :; }; read -ra COMP_WORDS <<<\"$1\"; [[ $1 != *' ' ]] || COMP_WORDS+=('');"
                        + " COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1}; _complete_belay;"
                        + " printf '%s\\n' \"${COMPREPLY[@]}\"";
        assertCompletes(line, expected, "bash", "-c", run);
    }

    @ParameterizedTest
    @MethodSource("lines")
    void fishCompletes(String line, String expected) throws Exception {
        assumeInstalled("fish");
        // Each with a description behind a tab.
        assertCompletes(
                line,
                expected,
                "fish",
                "--no-config",
                "-c",
                "source $argv[1]; complete -C $argv[2] | string split -f 1 \\t");
    }

    @ParameterizedTest
    @MethodSource("lines")
    void zshCompletes(String line, String expected) throws Exception {
        assumeInstalled("zsh");
        assertCompletes(line, expected, "zsh", "-f", "src/test/resources/completion/offered.zsh");
    }

    /** picocli's script keeps what it offers for an option under the label of its value. */
    @Test
    void labelsOfWhatIsOfferedDifferWithinACommand() {
        labelsDiffer(RootCommand.withAllCommands());
    }

    private static void labelsDiffer(CommandLine command) {
        List<String> labels = command.getCommandSpec().args().stream()
                .filter(arg -> arg.completionCandidates() != null)
                .map(ArgSpec::paramLabel)
                .toList();
        assertEquals(labels.stream().distinct().toList(), labels, command.getCommandName());
        command.getSubcommands().values().forEach(ShellTest::labelsDiffer);
    }

    /** Every value that a shell offers for an option is one that the option takes. */
    @Test
    void whatIsOfferedCanBeRead() throws Exception {
        List<OptionSpec> options = new ArrayList<>();
        collect(RootCommand.withAllCommands(), options);
        int values = 0;
        for (OptionSpec option : options) {
            if (option.completionCandidates() == null) {
                continue;
            }
            for (String value : option.completionCandidates()) {
                values++;
                if (option.converters().length > 0) {
                    option.converters()[0].convert(value);
                } else if (option.type().isEnum()) {
                    assertTrue(
                            Stream.of(option.type().getEnumConstants())
                                    .anyMatch(constant -> constant.toString().equals(value)),
                            option.longestName() + " " + value);
                }
            }
        }
        assertTrue(values > 100, values + " values");
    }

    private static void collect(CommandLine command, List<OptionSpec> options) {
        options.addAll(command.getCommandSpec().options());
        command.getSubcommands().values().forEach(inner -> collect(inner, options));
    }

    @Test
    void explainPrintsTheDefinitionsOfTheReadme() throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        String rows = Files.readString(Path.of("src/main/resources/dev/belay/cli/definitions.md"));
        assertTrue(readme.contains("| name | definition |\n|---|---|\n" + rows), "README.md has other definitions");
        assertEquals(
                "plateau: largest p_t over the thinking positions (--plateau mean or p90 for other rules)\n",
                Cli.run("explain plateau").ok());
        assertTrue(Cli.run("explain Causal").ok().startsWith("causal effect: c[l,h] = "));
        assertEquals(rows.lines().count(), Cli.run("explain").ok().lines().count());
        Cli.run("explain gravity").failed(1, "gravity", "refusal probe");
    }

    @Test
    void aModelIsFoundByItsNameInTheCacheOnly() {
        Cli.run("info hub:nobody/has-this").failed(2, "hub:nobody/has-this", "nothing is downloaded");
    }
}
