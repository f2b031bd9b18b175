package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

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

    /** In a real bash: after "belay he" comes "heads", after "belay heads --po" comes "--positions". */
    @ParameterizedTest
    @CsvSource({"1, belay he, heads", "2, belay heads --pos, --positions", "2, belay probe tr, train"})
    void bashCompletes(int word, String line, String expected) throws Exception {
        Path script = Files.writeString(
                folder.resolve("c.sh"), Cli.run("completion bash").ok());
        String words = "COMP_WORDS=(" + line + "); COMP_CWORD=" + word + "; COMP_LINE='" + line
                + "'; COMP_POINT=${#COMP_LINE}";
        String run = "source '" + script + "'; " + words + "; _complete_belay; printf '%s\\n' \"${COMPREPLY[@]}\"";
        Process bash =
                new ProcessBuilder("bash", "-c", run).redirectErrorStream(true).start();
        String printed = new String(bash.getInputStream().readAllBytes());
        assertTrue(bash.waitFor(20, TimeUnit.SECONDS));
        assertTrue(printed.lines().anyMatch(expected::equals), printed);
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
