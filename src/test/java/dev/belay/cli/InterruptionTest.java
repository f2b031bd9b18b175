package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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

    private static final Map<String, Path> FILES = new HashMap<>();

    @BeforeAll
    static void prepare() throws Exception {
        Path probe = folder.resolve("p.safetensors");
        Cli.run(
                        "probe train ? --refused ? --complied ? -o ?",
                        Cli.TINY,
                        Cli.data("refused.jsonl"),
                        Cli.data("complied.jsonl"),
                        probe)
                .ok();
        Path attacks = Cli.few(folder, "attacks.jsonl", 8);
        Path heads = folder.resolve("h.json");
        Cli.run("heads ? --probe ? --data ? --method direct -o ?", Cli.TINY, probe, attacks, heads)
                .ok();
        Path guard = GuardModel.write(Files.createDirectory(folder.resolve("guard")), GuardModel.TEMPLATE);
        StringBuilder responses = new StringBuilder();
        StringBuilder questions = new StringBuilder();
        for (int i = 0; i < 12; i++) {
            responses.append("{\"id\": \"r%d\", \"prompt\": \"do it\", \"response\": \"%s %d\"}\n"
                    .formatted(i, i % 3 == 0 ? "yes" : "no", i));
            questions.append(
                    "{\"question\": \"what is %d + 1?\", \"choices\": [\"%d\", \"many\", \"none\"], \"answer\": 0}\n"
                            .formatted(i, i + 1));
        }
        FILES.put("MODEL", Cli.TINY);
        FILES.put("PROBE", probe);
        FILES.put("ATTACKS", attacks);
        FILES.put("BENIGN", Cli.few(folder, "benign.jsonl", 4));
        FILES.put("HEADS", heads);
        FILES.put("GUARD", guard);
        FILES.put("RESPONSES", Cli.write(folder.resolve("r.jsonl"), responses.toString()));
        FILES.put("QUESTIONS", Cli.write(folder.resolve("q.jsonl"), questions.toString()));
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
        List<String> args = Arrays.stream(line.split(" "))
                .map(word -> FILES.containsKey(word) ? FILES.get(word).toString() : word)
                .toList();
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
        assertTrue(
                events.indexOf("ENTRY_CREATE out") < events.indexOf("ENTRY_DELETE out.progress"), events::toString);
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
