package dev.belay.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputFileTest {
    @TempDir
    Path folder;

    private Path target;
    private Path partial;

    @BeforeEach
    void names() {
        target = folder.resolve("out.txt");
        partial = folder.resolve("out.txt.partial");
    }

    @Test
    void appearsWhenItIsComplete() throws IOException {
        try (OutputFile out = OutputFile.create(target)) {
            out.writeLine("é");
            assertFalse(Files.exists(target));
            assertEquals("é\n", Files.readString(partial), "each line is handed to the operating system");
            out.commit();
        }
        assertEquals("é\n", Files.readString(target));
        assertFalse(Files.exists(partial));
    }

    @Test
    void workThatFailsKeepsWhatWasWrittenAndNamesIt() throws IOException {
        Files.writeString(target, "before");
        try (OutputFile out = OutputFile.create(target)) {
            assertEquals("stop", out.interrupted(new BelayException("stop")).getMessage(), "nothing was written yet");
            out.writeLine("one");
            assertEquals(
                    "stop; what was written so far is in " + partial,
                    out.interrupted(new BelayException("stop")).getMessage());
        }
        assertEquals("one\n", Files.readString(partial));
        assertEquals("before", Files.readString(target));
    }

    /** Where a name has no room for a suffix a hash stands for its end, so that names that begin alike stay apart. */
    @Test
    void companionsOfLongNames() throws IOException {
        Path fits = folder.resolve("é".repeat(123) + "n");
        assertEquals(fits + ".partial", OutputFile.companion(fits, ".partial").toString());
        Path one = folder.resolve("é".repeat(127) + "1");
        Path other = folder.resolve("é".repeat(127) + "2");
        Set<Path> companions = new HashSet<>();
        for (Path name : List.of(one, other)) {
            for (String suffix : List.of(".partial", ".progress", ".lock")) {
                Path companion = OutputFile.companion(name, suffix);
                companions.add(Files.writeString(companion, suffix));
                companions.add(Files.writeString(OutputFile.companion(companion, ".old"), suffix));
                assertEquals(companion, OutputFile.companion(name, suffix), "the same when it is there");
                assertTrue(companion.toString().endsWith(suffix), companion::toString);
                assertTrue(companion.toString().startsWith(folder.resolve("é".repeat(110)) + ""), companion::toString);
            }
        }
        assertEquals(12, companions.size());
    }

    @Test
    void anEmptyPartialFileIsRemoved() {
        OutputFile.create(target).close();
        assertFalse(Files.exists(partial) || Files.exists(target));
    }

    @Test
    void aCheckDoesNotDisturbARunThatHasWrittenNothingYet() throws IOException {
        try (OutputFile out = OutputFile.create(target)) {
            OutputFile.check(target);
            out.writeLine("one");
            out.commit();
        }
        assertEquals("one\n", Files.readString(target));
    }

    @Test
    void aCheckLeavesFilesAsTheyAre() throws IOException {
        OutputFile.check(folder.resolve("new/" + target.getFileName()));
        assertTrue(Files.isDirectory(folder.resolve("new")));
        Files.writeString(target, "before");
        Files.writeString(partial, "of an earlier run");
        OutputFile.check(target);
        assertEquals("before", Files.readString(target));
        assertEquals("of an earlier run", Files.readString(partial));
        assertEquals(3, folder.toFile().list().length, "new, target and partial");
        assertThrows(BelayException.class, () -> OutputFile.check(folder));
        assertThrows(BelayException.class, () -> OutputFile.check(Path.of("/")));
        assertThrows(BelayException.class, () -> OutputFile.check(target.resolve("below")));
    }

    @Test
    void aFullDeviceIsAFailureAlsoAtTheEnd() {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full));
        OutputFile.check(full);
        try (OutputFile out = OutputFile.create(full)) {
            BelayException line = assertThrows(BelayException.class, () -> out.writeLine("x"));
            assertEquals("cannot write /dev/full: No space left on device", line.getMessage());
            assertEquals(line, out.interrupted(line));
        }
        // Short enough to stay in the buffer until the commit.
        assertThrows(BelayException.class, () -> OutputFile.writeText(full, "x"));
    }
}
