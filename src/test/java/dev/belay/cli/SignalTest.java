package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs in a process of their own that signals end, and that go on to the bytes of a run that none has ended. */
class SignalTest {
    private static final String STOPPING = "stopping after the batch at hand; once more stops now";
    /** Larger than a header, smaller than one with a unit. */
    private static final int A_UNIT = 1200;

    @TempDir
    private Path folder;

    private Path out;
    private Path journal;

    /** A generation in batches of one text each, of {@code tokens} tokens. */
    private List<String> generation(int tokens) {
        out = folder.resolve("out");
        journal = folder.resolve("out.progress");
        return Cli.args(
                "generate ? --data ? --ignore-eos --max-new-tokens ? --batch-tokens 32 --device cpu",
                Cli.TINY,
                Cli.few(folder, "attacks.jsonl", 16),
                tokens);
    }

    /** Starts a run; a shell that runs the tests in the background would else have it ignore SIGINT. */
    private Process start(List<String> args, String... jvmOptions) throws IOException {
        List<String> command = new ArrayList<>(List.of("env", "--default-signal=INT"));
        List<String> options = new ArrayList<>(List.of("-XX:+UseSerialGC"));
        options.addAll(List.of(jvmOptions));
        command.addAll(Cli.process(options, args));
        command.addAll(List.of("-o", out.toString(), "--resume"));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
    }

    private String log() {
        return Cli.text(folder.resolve("log"));
    }

    private static void signal(String name, Process process) throws IOException, InterruptedException {
        assertEquals(
                0,
                new ProcessBuilder("kill", "-" + name, "" + process.pid())
                        .start()
                        .waitFor());
    }

    /** Waits until the journal has more bytes. */
    private void untilMoreThan(long bytes, Process process) throws IOException, InterruptedException {
        while (process.isAlive() && (!Files.exists(journal) || Files.size(journal) <= bytes)) {
            Thread.sleep(1);
        }
    }

    private void stopped(Process process) throws InterruptedException {
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), this::log);
        assertEquals(130, process.exitValue(), this::log);
        assertFalse(Files.exists(out));
    }

    private void goesOn(List<String> args, byte[] expected) {
        Cli.run(args, "-o", out, "--resume").ok();
        assertArrayEquals(expected, Cli.bytes(out));
        assertFalse(Files.exists(journal));
        assertFalse(Files.exists(folder.resolve("out.partial")));
    }

    private byte[] uninterrupted(List<String> args) {
        Path whole = folder.resolve("whole");
        Cli.run(args, "-o", whole).ok();
        return Cli.bytes(whole);
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM"})
    void oneSignalEndsARunAfterTheBatchAtHand(String name) throws IOException, InterruptedException {
        List<String> args = generation(60);
        byte[] expected = uninterrupted(args);
        Process process = start(args, "-XX:TieredStopAtLevel=1");
        untilMoreThan(A_UNIT, process);
        signal(name, process);
        stopped(process);
        assertTrue(log().contains(STOPPING), this::log);
        assertTrue(log().contains(journal + " has what is done: go on with the same command and --resume"), this::log);
        List<?> done = Cli.lines(folder.resolve("out.partial"));
        assertEquals(Cli.lines(folder.resolve("whole")).subList(0, done.size()), done);
        assertEquals(Cli.lines(journal).size() - 1, done.size());
        goesOn(args, expected);
    }

    @Test
    void theSecondSignalEndsARunAtOnce() throws IOException, InterruptedException {
        // Interpreted, a batch takes seconds.
        Process process = start(generation(6), "-Xint");
        untilMoreThan(A_UNIT, process);
        long done = Files.size(journal);
        signal("INT", process);
        while (process.isAlive() && !log().contains(STOPPING)) {
            Thread.sleep(1);
        }
        assertTrue(process.isAlive(), this::log);
        signal("INT", process);
        stopped(process);
        assertFalse(log().contains("stopped;"), this::log);
        assertEquals(done, Files.size(journal), "the batch at hand was not given up");
    }

    /** Kills a run again and again, each time at a random moment after it has finished a batch more. */
    @ParameterizedTest
    @CsvSource({"generate, 4", "ablate, 2"})
    void aKilledRunGoesOn(String command, int kills) throws IOException, InterruptedException {
        List<String> args = generation(60);
        if (command.equals("ablate")) {
            Path heads = Cli.write(folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 0, \"head\": 5}]}");
            args.set(0, command);
            args.addAll(List.of("--heads", heads.toString(), "--top", "1", "--random-control", "1"));
        }
        byte[] expected = uninterrupted(args);
        Random random = new Random(8);
        for (int kill = 0; kill < kills; kill++) {
            Process process = start(args, "-XX:TieredStopAtLevel=1");
            untilMoreThan(Math.max(Files.exists(journal) ? Files.size(journal) : 0, A_UNIT), process);
            Thread.sleep(random.nextInt(30));
            assertTrue(process.isAlive(), this::log);
            signal("KILL", process);
            assertTrue(process.waitFor(60, TimeUnit.SECONDS));
            assertFalse(Files.exists(out));
        }
        goesOn(args, expected);
    }
}
