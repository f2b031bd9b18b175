package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Real processes, killed by SIGKILL at 50 random moments in all, from the start of Java to the end of the run. Each goes on where the one
 * before it was killed, and may be killed again; every output that appears has the bytes of an uninterrupted run.
 */
class KillTest {
    /** Kills that found a unit in the journal: fewer would mean that runs are not hit while they work. */
    private static final int AMID_WORK = 5;

    private static final AtomicInteger AMID = new AtomicInteger();
    private static final AtomicInteger ALL = new AtomicInteger();

    @TempDir
    private static Path folder;

    private static LongRuns runs;

    @BeforeAll
    static void prepare() {
        runs = LongRuns.prepare(folder);
    }

    @ParameterizedTest
    @CsvSource({
        "8, capture MODEL --data ATTACKS --layers all --positions closing --batch-tokens 32",
        "7, generate MODEL --data ATTACKS --ignore-eos --max-new-tokens 30 --temperature 1 --batch-tokens 32",
        "7, heads MODEL --probe PROBE --data ATTACKS --method direct --batch-tokens 32",
        "7, trace MODEL --probe PROBE --data ATTACKS --batch-tokens 32",
        "7, ablate MODEL --data ATTACKS --heads HEADS --top 2 --random-control 1 --max-new-tokens 16 --batch-tokens 32",
        "7, select MODEL --probe PROBE --data ATTACKS --top 3 --batch-tokens 32",
        "7, judge RESPONSES --guard GUARD --batch-tokens 32"
    })
    void aKilledRunGoesOn(int kills, String line, @TempDir Path own) throws IOException, InterruptedException {
        Path out = own.resolve("out");
        Path journal = own.resolve("out.progress");
        List<String> args = new ArrayList<>(runs.args(line + " --device cpu --dtype f32"));
        args.addAll(List.of("-o", out.toString(), "--resume"));
        long start = System.nanoTime();
        finished(start(args));
        long nanos = System.nanoTime() - start;
        byte[] expected = Cli.bytes(out);
        Cli.delete(out);
        Random random = new Random(line.hashCode());
        for (int kill = 0; kill < kills; ) {
            Process process = start(args);
            if (process.waitFor(random.nextLong(nanos), TimeUnit.NANOSECONDS)) {
                finished(process);
                assertArrayEquals(expected, Cli.bytes(out), "after " + kill + " kills");
                assertEquals(List.of("out"), Cli.names(own));
                Cli.delete(out);
                continue;
            }
            // SIGKILL; nothing where it has ended this moment.
            process.destroyForcibly();
            assertTrue(process.waitFor(300, TimeUnit.SECONDS));
            kill++;
            ALL.incrementAndGet();
            if (Files.exists(out)) {
                assertArrayEquals(expected, Cli.bytes(out), "kill " + kill);
            } else if (Files.exists(journal) && Files.readAllLines(journal).size() > 1) {
                AMID.incrementAndGet();
            }
        }
        for (int again = 0; again < 2; again++) {
            Cli.run(args).ok();
            assertArrayEquals(expected, Cli.bytes(out));
            assertEquals(List.of("out"), Cli.names(own));
        }
    }

    private static Process start(List<String> args) throws IOException {
        return RunProcess.start(List.of("-XX:TieredStopAtLevel=1"), args, folder.resolve("log"));
    }

    private static void finished(Process process) throws InterruptedException {
        assertTrue(process.waitFor(300, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue(), () -> Cli.text(folder.resolve("log")));
    }

    @AfterAll
    static void runsWereHitWhileTheyWorked() {
        assertTrue(ALL.get() < 50 || AMID.get() >= AMID_WORK, AMID + " of " + ALL + " kills");
    }
}
