package dev.belay.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What is printed, character for character. */
class MessagesTest {
    private final StringWriter printed = new StringWriter();
    private final Messages plain = new Messages(new PrintWriter(printed), false);
    private final Messages terminal = new Messages(new PrintWriter(printed), true);

    private static void all(Messages messages) {
        messages.progress("sweeping", 3, 10, 6.6);
        messages.notice("on cpu");
        messages.warning("nothing was changed");
        messages.error("no such file");
    }

    @Test
    void linesForPeople() {
        all(plain);
        assertEquals(
                "belay: sweeping: 3 of 10, 7 s left\nbelay: on cpu\nbelay: nothing was changed\nbelay: no such file\n",
                printed.toString());
    }

    @Test
    void quietLeavesWarningsAndErrors() {
        for (Messages messages : List.of(plain, terminal)) {
            messages.quiet();
            all(messages);
            messages.clearBar();
        }
        assertEquals("belay: nothing was changed\nbelay: no such file\n".repeat(2), printed.toString());
    }

    @Test
    void jsonIsOneObjectALine() throws IOException {
        Instant before = Instant.now().minus(Duration.ofSeconds(1));
        terminal.json();
        all(terminal);
        terminal.error("two\nlines \"quoted\"", new IllegalStateException("deep"));
        List<String> lines = printed.toString().lines().toList();
        List<String> levels = List.of("progress", "notice", "warning", "error", "error");
        List<String> texts =
                List.of("sweeping", "on cpu", "nothing was changed", "no such file", "two\nlines \"quoted\"");
        assertEquals(levels.size(), lines.size(), printed::toString);
        for (int i = 0; i < lines.size(); i++) {
            JsonNode json = new ObjectMapper().readTree(lines.get(i));
            assertEquals(levels.get(i), json.get("level").textValue());
            assertEquals(texts.get(i), json.get("message").textValue());
            Instant time = Instant.parse(json.get("time").textValue());
            assertTrue(time.isAfter(before) && !time.isAfter(Instant.now()), lines.get(i));
            assertEquals(i == 0, json.has("done") && json.has("total"));
            assertEquals(i == 4, json.has("trace"));
        }
        JsonNode progress = new ObjectMapper().readTree(lines.getFirst());
        assertEquals(3, progress.get("done").longValue());
        assertEquals(10, progress.get("total").longValue());
    }

    @Test
    void aBarIsTakenAwayBeforeALine() {
        terminal.progress("job", 1, 3, 12);
        String bar = "job [##########                    ] 1/3, 12 s left";
        assertEquals("\r" + bar, printed.toString());
        terminal.progress("job", 2, 3, 5);
        terminal.notice("note");
        terminal.clearBar();
        String next = "job [####################          ] 2/3, 5 s left";
        assertEquals(
                "\r" + bar + "\r" + next + " \r" + " ".repeat(next.length()) + "\rbelay: note\n", printed.toString());
        assertFalse(printed.toString().contains("\u001b"));
    }

    @Test
    void terminalsThatOnlyPrint() {
        assertTrue(Messages.dumb(null) && Messages.dumb("") && Messages.dumb("dumb"));
        assertFalse(Messages.dumb("xterm-256color"));
    }

    @Test
    void aCommandsMessagesAreThoseOfItsThread() {
        assertEquals(7, plain.during(() -> {
            Messages.current().notice("inside");
            return 7;
        }));
        assertEquals("belay: inside\n", printed.toString());
    }

    /** Else --quiet and --log-format would not hold for it. RandomModel is a program of its own. */
    @Test
    void nothingElseWritesToStderr() throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
            List<String> names = files.filter(file -> file.toString().endsWith(".java"))
                    .filter(file -> text(file).matches("(?s).*(System\\.err|getErr\\(\\)|printStackTrace\\(\\)).*"))
                    .map(file -> file.getFileName().toString())
                    .sorted()
                    .toList();
            assertEquals(List.of("Belay.java", "Messages.java", "RandomModel.java"), names);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
