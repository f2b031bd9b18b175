package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.weights.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs in a process of their own that signals end, and that go on to the bytes of a run that none has ended. */
class SignalTest {
    private static final String STOPPING = "stopping after the batch at hand; once more stops now";
    /** Larger than a header, smaller than one with a unit of 60 tokens. */
    private static final int A_UNIT = 1000;

    /** Of a run that a signal ends: enough for it to come between two. */
    private static final int TEXTS = 48;

    @TempDir
    private Path folder;

    private Path out;
    private Path journal;

    /** A generation in batches of one text each, of {@code tokens} tokens. */
    private List<String> generation(int tokens) {
        out = folder.resolve("out");
        journal = folder.resolve("out.progress");
        return Cli.args(
                "generate ? --data ? --ignore-eos --max-new-tokens ? --batch-tokens 32 --device cpu --dtype f32",
                Cli.TINY,
                Cli.few(folder, "attacks.jsonl", 16),
                tokens);
    }

    private Process start(List<String> args, String... jvmOptions) throws IOException {
        List<String> all = new ArrayList<>(args);
        all.addAll(List.of("-o", out.toString(), "--resume"));
        return RunProcess.start(List.of(jvmOptions), all, folder.resolve("log"));
    }

    private String log() {
        return Cli.text(folder.resolve("log"));
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
        RunProcess.signal(name, process);
        stopped(process);
        assertTrue(log().contains(STOPPING), this::log);
        assertTrue(log().contains(journal + " has what is done: go on with the same command and --resume"), this::log);
        List<?> done = Cli.lines(folder.resolve("out.partial"));
        assertEquals(Cli.lines(folder.resolve("whole")).subList(0, done.size()), done);
        assertEquals(Cli.lines(journal).size() - 1, done.size());
        assertTrue(log().contains("; what was written so far is in " + out + ".partial"), this::log);
        goesOn(args, expected);
    }

    /** What is left under the partial name is a result of the command, of the first texts. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "capture MODEL --data MANY --layers 0,last --positions closing --batch-tokens 32",
                "trace MODEL --probe PROBE --data MANY --batch-tokens 32",
                "heads MODEL --probe PROBE --data MANY --method causal --batch-tokens 32",
                "heads MODEL --probe PROBE --data MANY --method direct --batch-tokens 32",
                "judge MANY --guard GUARD --batch-tokens 32"
            })
    void aSignalLeavesAPartialResult(String line) throws IOException, InterruptedException {
        out = folder.resolve("out");
        journal = folder.resolve("out.progress");
        Path partial = folder.resolve("out.partial");
        // A sweep of one text is long enough.
        int texts = line.contains("causal") ? 3 : TEXTS;
        String many = Cli.few(folder, "attacks.jsonl", texts).toString();
        List<String> args = LongRuns.prepare(folder).args(line.replace("MANY", many) + " --device cpu --dtype f32");
        byte[] expected = uninterrupted(args);
        Process process = start(args, "-XX:TieredStopAtLevel=1", "-Dbelay.threads=1");
        String stage = line.contains("direct") ? "attribution" : line.contains("causal") ? "sweep 0" : "";
        while (process.isAlive()
                && !(Files.exists(journal) && Files.readString(journal).contains("{\"stage\":\"" + stage))) {
            Thread.sleep(1);
        }
        RunProcess.signal("INT", process);
        stopped(process);
        assertTrue(log().contains("; what was written so far is in " + partial), this::log);
        if (line.startsWith("capture")) {
            int done;
            try (SafetensorsFile some = SafetensorsFile.open(partial);
                    SafetensorsFile all = SafetensorsFile.open(folder.resolve("whole"))) {
                done = Integer.parseInt(some.metadata().get("partial").replaceAll(" of " + texts + " texts", ""));
                for (int t = 0; t < texts; t++) {
                    String name = t + ".hidden.0";
                    assertEquals(t < done, some.has(name));
                    if (t < done) {
                        assertArrayEquals(all.floats(name), some.floats(name));
                    }
                }
            }
            assertTrue(done > 0 && done < texts, done + " texts");
        } else if (line.startsWith("judge") || line.startsWith("trace")) {
            List<?> done = Cli.lines(partial);
            assertTrue(!done.isEmpty() && done.size() < texts, done::toString);
            assertEquals(Cli.lines(folder.resolve("whole")).subList(0, done.size()), done);
        } else {
            JsonNode some = Cli.json(partial);
            assertTrue(some.get("partial").booleanValue());
            int done = some.get("transcripts").intValue();
            assertTrue(done > 0 && done < texts, done + " transcripts");
            Path limited = folder.resolve("limited");
            Cli.run(args, "-o", limited, "--limit", done).ok();
            assertEquals(Cli.json(limited).get("ranking"), some.get("ranking"));
        }
        goesOn(args, expected);
    }

    @Test
    void theSecondSignalEndsARunAtOnce() throws IOException, InterruptedException {
        // Interpreted, a batch takes seconds; in float32, as oneDNN then does the products.
        Process process = start(generation(6), "-Xint");
        untilMoreThan(A_UNIT, process);
        long done = Files.size(journal);
        RunProcess.signal("INT", process);
        while (process.isAlive() && !log().contains(STOPPING)) {
            Thread.sleep(1);
        }
        assertTrue(process.isAlive(), this::log);
        // Signals that come together are one.
        Thread.sleep(500);
        RunProcess.signal("INT", process);
        stopped(process);
        assertFalse(log().contains("stopped;"), this::log);
        assertEquals(done, Files.size(journal), "the batch at hand was not given up");
    }
}
