package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Escape sequences are for terminals that understand them, and for people who have not set NO_COLOR (no-color.org). */
class TerminalTest {
    private static final String ESCAPE = "\u001b";
    private static final List<String> HELP = Cli.process(List.of(), List.of("select", "--help"));

    @TempDir
    Path folder;

    private String run(List<String> command, Map<String, String> environment) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeAll(List.of("NO_COLOR", "TERM", "CLICOLOR", "CLICOLOR_FORCE"));
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String printed = new String(process.getInputStream().readAllBytes());
        assertEquals(0, process.waitFor(), printed);
        return printed;
    }

    /** Runs it with stdin, stdout and stderr on a new terminal, with {@code script} of util-linux. */
    private String onTerminal(List<String> command, Map<String, String> environment)
            throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "no /usr/bin/script to make a terminal");
        String line = command.stream()
                .map(word -> "'" + word.replace("'", "'\\''") + "'")
                .collect(Collectors.joining(" "));
        return run(List.of("/usr/bin/script", "-qec", line, "/dev/null"), environment);
    }

    @Test
    void aTerminalHasColors() throws IOException, InterruptedException {
        assertTrue(onTerminal(HELP, Map.of("TERM", "xterm")).contains(ESCAPE + "["));
    }

    @Test
    void noColorAndDumbTerminalsHaveNone() throws IOException, InterruptedException {
        for (Map<String, String> environment :
                List.of(Map.of("TERM", "xterm", "NO_COLOR", "1"), Map.of("TERM", "dumb"), Map.<String, String>of())) {
            String help = onTerminal(HELP, environment);
            assertTrue(help.contains("Usage: belay select "), help);
            assertFalse(help.contains(ESCAPE), environment::toString);
        }
    }

    @Test
    void aPipeHasNone() throws IOException, InterruptedException {
        assertEquals(
                "WARNING: Using incubator modules: jdk.incubator.vector\n"
                        + Cli.run("select --help").ok(),
                run(HELP, Map.of("TERM", "xterm")));
    }

    /** The bar goes back to the beginning of its line and needs no escape sequence; a dumb terminal has none. */
    @Test
    void progressIsABarWithoutEscapeSequences() throws IOException, InterruptedException {
        List<String> args = new ArrayList<>(Cli.args(
                "generate ? --data ? -o ? --device cpu --max-new-tokens 8 --batch-tokens 64",
                Cli.TINY,
                Cli.few(folder, "attacks.jsonl", 3),
                folder.resolve("out")));
        List<String> command = Cli.process(List.of(), args);
        String bar = onTerminal(command, Map.of("TERM", "xterm", "BELAY_TERMINAL", "1"));
        assertTrue(bar.contains("\rloading ") || bar.contains("\rgenerating "), bar);
        assertFalse(bar.contains(ESCAPE), bar);
        String plain = onTerminal(command, Map.of("TERM", "dumb", "BELAY_TERMINAL", "1"));
        assertFalse(plain.replace("\r\n", "\n").contains("\r"), plain);
        assertFalse(plain.contains(ESCAPE), plain);
    }
}
