package dev.belay.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CsvTest {
    @TempDir
    Path folder;

    @Test
    void quotesOnlyWhereNeeded() {
        assertEquals(
                "a,\"b,c\",\"say \"\"hi\"\"\",\"two\nlines\",\" x\"\n",
                Csv.line("a", "b,c", "say \"hi\"", "two\nlines", " x"));
        assertEquals("0.1,-3,,,NaN,true\n", Csv.line(0.1, -3, Double.NaN, null, "NaN", true));
    }

    @Test
    void appearsWhenCommitted() throws IOException {
        Path target = folder.resolve("scores.csv");
        try (Csv csv = Csv.create(target, "id", "score")) {
            csv.row("a", 0.5f);
            assertThrows(IllegalArgumentException.class, () -> csv.row("b"));
            assertFalse(Files.exists(target));
            csv.commit();
        }
        assertEquals("id,score\na,0.5\n", Files.readString(target));
    }
}
