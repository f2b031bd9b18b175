package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every long command, cut off at random moments: what was written of the journal and of the output until then ends at random bytes. The
 * run that goes on, on another number of threads, gives the bytes of one that was never interrupted.
 */
class InterruptionTest {
    private static final int CUTS = 5;
    private static final String THREADS = "belay.threads";

    @TempDir
    private static Path folder;

    private static LongRuns runs;

    @BeforeAll
    static void prepare() {
        runs = LongRuns.prepare(folder);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "capture MODEL --data ATTACKS --layers 0,last --positions closing --batch-tokens 64",
                "generate MODEL --data ATTACKS --max-new-tokens 8 --temperature 1 --batch-tokens 32",
                "heads MODEL --probe PROBE --data ATTACKS --method direct --batch-tokens 96",
                "heads MODEL --probe PROBE --data ATTACKS --method causal --batch-tokens 96",
                "heads MODEL --probe PROBE --data ATTACKS --method greedy --steps 2 --batch-tokens 96",
                "trace MODEL --probe PROBE --data ATTACKS --batch-tokens 64",
                "ablate MODEL --data ATTACKS --benign BENIGN --heads HEADS --top 2 --random-control 1 --probe PROBE"
                        + " --max-new-tokens 8 --batch-tokens 64",
                "judge RESPONSES --guard GUARD --batch-tokens 64",
                "select MODEL --probe PROBE --data ATTACKS --top 3 --batch-tokens 64",
                "compare MODEL MODEL --probe PROBE --data ATTACKS --benign BENIGN --max-new-tokens 8 --batch-tokens 64",
                "eval MODEL --task QUESTIONS --heads HEADS --top 2 --batch-tokens 64"
            })
    void goesOnToTheSameBytes(String line, @TempDir Path own) throws Exception {
        List<String> args = runs.args(line);
        Path out = own.resolve("out");
        Path journal = own.resolve("out.progress");
        Path partial = own.resolve("out.partial");
        run(2, args, "-o", out, "--keep-progress");
        byte[] expected = Cli.bytes(out);
        byte[] done = Cli.bytes(journal);
        assertTrue(Cli.lines(journal).size() > 4, "only " + Cli.lines(journal).size() + " lines");
        Random random = new Random(line.hashCode());
        for (int cut = 0; cut < CUTS; cut++) {
            Cli.delete(out);
            int whole = random.nextInt(done.length + 1);
            Cli.bytes(journal, Arrays.copyOf(done, whole));
            Cli.bytes(partial, Arrays.copyOf(expected, random.nextInt(expected.length)));
            Cli.write(own.resolve("out.lock"), "process 1 of a run that is no more\n");
            try (WatchService watch = own.getFileSystem().newWatchService()) {
                own.register(watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE);
                run(1 + cut % 3, args, "-o", out, "--resume");
                assertJournalOutlivesOutput(watch);
            }
            assertArrayEquals(expected, Cli.bytes(out), "cut off after " + whole + " of " + done.length + " bytes");
            assertEquals(List.of("out"), Cli.names(own), "cut off after " + whole + " bytes");
        }
    }

    /** The journal is removed only when the output has its name. */
    private static void assertJournalOutlivesOutput(WatchService watch) throws InterruptedException {
        List<String> events = new ArrayList<>();
        while (!events.contains("ENTRY_DELETE out.progress")) {
            WatchKey key = watch.poll(10, TimeUnit.SECONDS);
            assertNotNull(key, "the journal was not removed: " + events);
            key.pollEvents().forEach(event -> events.add(event.kind().name() + " " + event.context()));
            key.reset();
        }
        assertTrue(events.contains("ENTRY_CREATE out"), events::toString);
        assertTrue(events.indexOf("ENTRY_CREATE out") < events.indexOf("ENTRY_DELETE out.progress"), events::toString);
    }

    private static void run(int threads, List<String> args, Object... more) {
        System.setProperty(THREADS, "" + threads);
        try {
            Cli.run(args, more).ok();
        } finally {
            System.clearProperty(THREADS);
        }
    }
}
