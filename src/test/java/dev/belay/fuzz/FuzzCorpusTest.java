package dev.belay.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The kept files of the fuzzer: well-formed ones, and every one that once made a reader fail. */
class FuzzCorpusTest {
    private static final Path CORPUS = Path.of("src/test/resources/fuzz");
    private static final Duration LIMIT = Duration.ofSeconds(10);
    private static final int EDITS_PER_TARGET = 60;

    @TempDir
    Path folder;

    record Kept(FuzzTarget target, Path file) {
        @Override
        public String toString() {
            return target.label() + " " + file.getFileName();
        }
    }

    static Stream<Kept> kept() {
        return Arrays.stream(FuzzTarget.values())
                .flatMap(target -> target.seeds(CORPUS).stream().map(file -> new Kept(target, file)));
    }

    /** Files named base… or good… are accepted, those named bad… refused; the others may be either. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("kept")
    void keptFiles(Kept kept) {
        boolean accepted = assertTimeout(LIMIT, () -> kept.target.run(folder, kept.target.content(kept.file)));
        String name = kept.file.getFileName().toString();
        if (name.startsWith("base") || name.startsWith("good") || name.startsWith("bad")) {
            assertEquals(!name.startsWith("bad"), accepted, name);
        }
    }

    @ParameterizedTest
    @EnumSource(FuzzTarget.class)
    void someEdits(FuzzTarget target) {
        List<byte[]> starts = target.startingEdits(CORPUS);
        Random random = new Random(1);
        for (int i = 0; i < EDITS_PER_TARGET && !starts.isEmpty(); i++) {
            byte[] edits = new byte[11];
            random.nextBytes(edits);
            edits[0] = FuzzTarget.EDITS;
            byte[] content = target.expand(edits, CORPUS);
            assertTimeout(LIMIT, () -> target.run(folder, content));
        }
    }

    /** Edits that put a document into itself again and again, which made it deeper than it can be written. */
    @Test
    void editsDoNotGrowDeep() {
        byte[] edits = new byte[40];
        Arrays.fill(edits, (byte) 0xab);
        Arrays.fill(edits, 2, 8, (byte) 0x63);
        edits[0] = FuzzTarget.EDITS;
        for (int base = 0; base < 8; base++) {
            edits[1] = (byte) base;
            for (FuzzTarget target : FuzzTarget.values()) {
                int depth = 0;
                int deepest = 0;
                for (byte character : target.expand(edits, CORPUS)) {
                    depth += character == '{' || character == '[' ? 1 : character == '}' || character == ']' ? -1 : 0;
                    deepest = Math.max(deepest, depth);
                }
                assertTrue(deepest < 2000, target + " " + base + ": " + deepest);
            }
        }
    }

    @Test
    void everyTargetHasABase() {
        for (FuzzTarget target : FuzzTarget.values()) {
            assertTrue(target.seeds(CORPUS).stream()
                    .anyMatch(file -> file.getFileName().toString().startsWith("base")));
        }
    }
}
