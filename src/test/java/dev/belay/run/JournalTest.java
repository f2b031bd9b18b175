package dev.belay.run;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.Messages;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The journal and the runs that go on from it. */
class JournalTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    private Path folder;

    private static ObjectNode header(String model, String positions) {
        ObjectNode header = JSON.createObjectNode();
        header.put("belay", "1").put("model", model);
        header.putObject("options").put("--positions", positions);
        header.putArray("arguments").add(model + positions);
        return header;
    }

    /** Texts of one token each in batches of two, or as many as memory has room for; each hash is its texts. */
    private static final class Pairs implements Run.Batches {
        private final List<String> texts;
        private int tokens = 2;

        Pairs(List<String> texts) {
            this.texts = texts;
        }

        @Override
        public int count() {
            return texts.size();
        }

        @Override
        public int end(int from, int tokens) {
            return Math.min(from + tokens, texts.size());
        }

        @Override
        public int tokens() {
            return tokens;
        }

        @Override
        public void limit(int most) {
            tokens = Math.min(tokens, most);
        }

        @Override
        public void halve() {
            tokens /= 2;
        }

        @Override
        public String hash(int from, int end) {
            return String.join(",", texts.subList(from, end));
        }
    }

    /** Runs texts in pairs and returns which batches were computed, then the values that came out. */
    private String run(Run.Mode mode, Shard shard, int failAt, String... texts) {
        List<String> computed = new ArrayList<>();
        List<String> values = new ArrayList<>();
        try (Run run = Run.open(folder.resolve("out"), header("m", "all"), shard, mode, true)) {
            run.stage(
                    "s",
                    new Pairs(List.of(texts)),
                    (from, end) -> {
                        if (from == failAt) {
                            throw new BelayException("failed");
                        }
                        computed.add(from + "-" + end);
                        return new IntNode(10 * from + end);
                    },
                    (from, end, value) -> values.add(value.toString()));
            run.finish();
        }
        return computed + " " + values;
    }

    /** Runs eight texts in a part with memory for so many at a time, until text {@code failAt}; returns what was computed. */
    private List<String> runWithin(int room, Run.Mode mode, Shard shard, int batch, int failAt) {
        List<String> computed = new ArrayList<>();
        List<String> taken = new ArrayList<>();
        Pairs batches = new Pairs(List.of("a", "b", "c", "d", "e", "f", "g", "h"));
        batches.tokens = batch;
        try (Run run = Run.open(folder.resolve("out"), header("m", "all"), shard, mode, true)) {
            run.stage(
                    "s",
                    batches,
                    (from, end) -> {
                        if (from == failAt) {
                            throw new BelayException("failed");
                        }
                        if (end - from > room) {
                            throw new OutOfMemoryError("no room");
                        }
                        computed.add(from + "-" + end);
                        return new IntNode(from);
                    },
                    (from, end, value) -> taken.add(from + "-" + end));
        } catch (BelayException e) {
            return computed;
        }
        computed.add("all " + taken);
        return computed;
    }

    /** From where memory ran out, batches are smaller, also after the run went on where there is more memory. */
    @Test
    void batchesThatBecameSmallerStaySoWhenARunGoesOn() throws IOException {
        assertEquals(List.of("0-2"), runWithin(2, Run.Mode.ANEW, Shard.WHOLE, 4, 2));
        List<String> lines = Files.readAllLines(folder.resolve("out.progress"));
        assertEquals(3, lines.size());
        assertTrue(lines.get(1).contains("\"s in batches of\"") && lines.get(1).endsWith("\"value\":2}"), lines.get(1));
        assertEquals(
                List.of("2-4", "4-6", "6-8", "all [0-2, 2-4, 4-6, 6-8]"),
                runWithin(8, Run.Mode.RESUME, Shard.WHOLE, 4, -1));
        assertEquals(List.of("0-1", "1-2"), runWithin(1, Run.Mode.ANEW, Shard.WHOLE, 8, 2));
        assertEquals("2-3", runWithin(8, Run.Mode.RESUME, Shard.WHOLE, 8, -1).getFirst());
    }

    /** Parts are cut as planned: with batches of four, the second of two has texts 4 to 7. */
    @Test
    void aPartWhoseBatchesBecameSmallerHasTheSameTexts() {
        Shard second = Shard.parse("2/2");
        assertEquals(List.of("4-6"), runWithin(2, Run.Mode.ANEW, second, 4, 6));
        assertEquals(List.of("6-8", "all [4-6, 6-8]"), runWithin(8, Run.Mode.RESUME, second, 4, -1));
    }

    @Test
    void withoutRoomForASingleTextTheRunFails() {
        assertThrows(OutOfMemoryError.class, () -> runWithin(0, Run.Mode.ANEW, Shard.WHOLE, 4, -1));
    }

    @Test
    void goesOnAfterTheLastWholeUnit() throws IOException {
        assertThrows(BelayException.class, () -> run(Run.Mode.ANEW, Shard.WHOLE, 4, "a", "b", "c", "d", "e"));
        Path file = folder.resolve("out.progress");
        assertEquals(3, Files.readAllLines(file).size());
        Files.writeString(file, "{\"stage\": \"s\", \"from\": 4, \"end", StandardOpenOption.APPEND);
        assertEquals("[4-5] [2, 24, 45]", run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c", "d", "e"));
        assertEquals(4, Files.readAllLines(file).size());
    }

    @Test
    void aWholeLineThatLosesItsEndIsDoneAgain() throws IOException {
        run(Run.Mode.ANEW, Shard.WHOLE, -1, "a", "b", "c");
        Path file = folder.resolve("out.progress");
        byte[] whole = Files.readAllBytes(file);
        Files.write(file, java.util.Arrays.copyOf(whole, whole.length - 1));
        assertEquals("[2-3] [2, 23]", run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c"));
        assertEquals(new String(whole), Files.readString(file));
    }

    @Test
    void aFinishedRunIsExtendedWithoutRepeatingAny() {
        assertEquals("[0-2, 2-3] [2, 23]", run(Run.Mode.ANEW, Shard.WHOLE, -1, "a", "b", "c"));
        assertEquals("[3-5, 5-6] [2, 23, 35, 56]", run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c", "d", "e", "f"));
    }

    @Test
    void whatIsDoneIsNeverOverwritten() throws IOException {
        Path file = folder.resolve("out.progress");
        Path old = folder.resolve("out.progress.old");
        run(Run.Mode.ANEW, Shard.WHOLE, -1, "a", "b", "c");
        byte[] first = Files.readAllBytes(file);
        StringWriter said = new StringWriter();
        new Messages(new PrintWriter(said), false).during(() -> {
            assertEquals("[0-2] [2]", run(Run.Mode.ANEW, Shard.WHOLE, -1, "d", "e"));
            return 0;
        });
        assertArrayEquals(first, Files.readAllBytes(old));
        assertEquals(1, said.toString().lines().count(), said::toString);
        assertTrue(
                said.toString().contains(file + " has finished batches of an earlier run and is now " + old),
                said::toString);
        byte[] second = Files.readAllBytes(file);
        assertMessage(", and so has " + old, () -> run(Run.Mode.ANEW, Shard.WHOLE, -1, "f"));
        assertArrayEquals(second, Files.readAllBytes(file));
        assertArrayEquals(first, Files.readAllBytes(old));
        // As the notice says.
        Files.move(old, file, StandardCopyOption.REPLACE_EXISTING);
        assertEquals("[] [2, 23]", run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "{\"belay\":\"1\",\"mod", "{\"belay\":\"1\"}\n", "{\"belay\":\"1\"}\n{\"stage\":"})
    void aJournalWithoutAFinishedUnitIsReplaced(String content) throws IOException {
        Files.writeString(folder.resolve("out.progress"), content);
        assertEquals("[0-1] [1]", run(Run.Mode.ANEW, Shard.WHOLE, -1, "a"));
        assertFalse(Files.exists(folder.resolve("out.progress.old")));
    }

    @Test
    void otherTextsOrFewerAreRefused() {
        run(Run.Mode.ANEW, Shard.WHOLE, -1, "a", "b", "c", "d");
        assertMessage(
                "the data differs in texts 3 to 4",
                () -> run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c", "changed"));
        assertMessage("fewer than the 4 that are done", () -> run(Run.Mode.RESUME, Shard.WHOLE, -1, "a", "b", "c"));
        assertMessage("fewer than the 4 that are done", () -> run(Run.Mode.RESUME, Shard.WHOLE, -1, "a"));
    }

    @ParameterizedTest
    @CsvSource({"other, all, model was m and is other", "m, closing, options --positions was all and is closing"})
    void anotherRunIsRefusedByTheFieldThatDiffers(String model, String positions, String message) {
        Path file = folder.resolve("j");
        Journal.create(file, header("m", "all")).close();
        assertMessage(message, () -> Journal.resume(file, header(model, positions)));
        Journal.resume(file, header("m", "all")).close();
    }

    @Test
    void aFileThatIsNoJournalIsLeftAlone() throws IOException {
        Path file = Files.writeString(folder.resolve("j"), "{\"id\": 1}\n");
        assertMessage("is no journal", () -> Journal.resume(file, header("m", "all")));
        assertMessage("remove it to begin anew", () -> Journal.create(file, header("m", "all")));
        assertEquals("{\"id\": 1}\n", Files.readString(file));
    }

    @Test
    void theSecondRunSaysWhoHoldsTheOutput() throws IOException {
        Path out = folder.resolve("out");
        Files.writeString(folder.resolve("out.lock"), "process 1 of a run that is no more\n");
        try (Run first = Run.open(out, header("m", "all"), Shard.WHOLE, Run.Mode.ANEW, false)) {
            assertFalse(first.partOnly());
            BelayException e = assertMessage(
                    "process " + ProcessHandle.current().pid() + " on ",
                    () -> Run.open(out, header("m", "all"), Shard.WHOLE, Run.Mode.ANEW, false));
            assertTrue(e.getMessage().contains(", since 20"), e.getMessage());
        }
        Run.open(out, header("m", "all"), Shard.WHOLE, Run.Mode.ANEW, false).close();
        try (var files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
    }

    /** The file of the lock comes and goes while others open it and wait for it. */
    @Test
    void onlyOneHoldsALockWhoseFileComesAndGoes() throws InterruptedException {
        Path out = folder.resolve("out");
        AtomicInteger holding = new AtomicInteger();
        AtomicInteger held = new AtomicInteger();
        AtomicInteger together = new AtomicInteger();
        AtomicReference<RuntimeException> broken = new AtomicReference<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                while (held.get() < 300 && broken.get() == null) {
                    try (var _ = OutputLock.of(out)) {
                        held.incrementAndGet();
                        together.addAndGet(holding.incrementAndGet() - 1);
                        Thread.yield();
                        holding.decrementAndGet();
                    } catch (BelayException e) {
                        if (!e.getMessage().contains("is being written by another run")) {
                            broken.set(e);
                        }
                    } catch (RuntimeException e) {
                        broken.set(e);
                    }
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertNull(broken.get());
        assertEquals(0, together.get(), "times that two held it");
        assertFalse(Files.exists(folder.resolve("out.lock")));
    }

    @Test
    void shardsHaveEachUnitOnce() {
        for (int count = 1; count <= 7; count++) {
            for (int unit = 0; unit < 5; unit++) {
                int having = 0;
                for (int number = 1; number <= count; number++) {
                    having += Shard.parse(number + "/" + count).has(unit, 5) ? 1 : 0;
                }
                assertEquals(1, having, unit + " of " + count);
            }
        }
        assertMessage("'3/2' is not a shard", () -> Shard.parse("3/2"));
        assertMessage("'0/2' is not a shard", () -> Shard.parse("0/2"));
    }

    private static BelayException assertMessage(String part, org.junit.jupiter.api.function.Executable work) {
        BelayException e = assertThrows(BelayException.class, work);
        assertTrue(e.getMessage().contains(part), e.getMessage());
        return e;
    }
}
