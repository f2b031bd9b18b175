package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.BelayException;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TrainingFormatTest {
    private static final ThinkingMarkers MARKERS = ThinkingMarkers.THINK;

    private static Transcript transcript(String thinking) {
        return new Transcript("t1", "Say \"é\"\nnow", thinking, "R\u2028.", true, null);
    }

    private static String alpacaOutput(String thinking) {
        String line = TrainingFormat.ALPACA.line(transcript(thinking), MARKERS);
        String start = "{\"instruction\":\"Say \\\"é\\\"\\nnow\",\"input\":\"\",\"output\":\"";
        assertEquals(start, line.substring(0, start.length()));
        return line.substring(start.length(), line.length() - 2);
    }

    @Test
    void writesTheLineOfTheTranscriptUntouched(@TempDir Path folder) throws IOException {
        String line = "{\"x\":1.10,\"prompt\":\"P\",\"thinking\":\"T\",\"response\":\"R\",\"other\":[1,null]}";
        Transcript read = Transcripts.read(Files.writeString(folder.resolve("a.jsonl"), line))
                .getFirst();
        assertEquals(line, TrainingFormat.TRANSCRIPT.line(read, MARKERS));
    }

    @Test
    void writesAlpaca() {
        assertEquals(
                "{\"instruction\":\"Say \\\"é\\\"\\nnow\",\"input\":\"\","
                        + "\"output\":\"<think>\\nT1\\n\\nT2\\n</think>\\n\\nR\u2028.\"}",
                TrainingFormat.ALPACA.line(transcript("T1\n\nT2"), MARKERS));
    }

    @Test
    void writesMessages() {
        assertEquals(
                "{\"id\":\"t1\",\"messages\":[{\"role\":\"user\",\"content\":\"Say \\\"é\\\"\\nnow\"},"
                        + "{\"role\":\"assistant\",\"content\":\"<think>\\nT\\n</think>\\n\\nR\u2028.\"}]}",
                TrainingFormat.MESSAGES.line(transcript("T"), MARKERS));
    }

    @Test
    void systemPromptsGoFirst() {
        Transcript told = new Transcript("t1", "P", "", "R", true, null).withSystem("S");
        assertEquals(
                "{\"system\":\"S\",\"instruction\":\"P\",\"input\":\"\",\"output\":\"R\"}",
                TrainingFormat.ALPACA.line(told, MARKERS));
        assertEquals(
                "{\"id\":\"t1\",\"messages\":[{\"role\":\"system\",\"content\":\"S\"},"
                        + "{\"role\":\"user\",\"content\":\"P\"},{\"role\":\"assistant\",\"content\":\"R\"}]}",
                TrainingFormat.MESSAGES.line(told, MARKERS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " \n", "<think>\n\n</think>\n\n"})
    void writesOnlyTheResponseIfThereIsNoThinking(String thinking) {
        assertEquals("R\u2028.", alpacaOutput(thinking));
    }

    @ParameterizedTest
    @ValueSource(strings = {"T", "<think>\nT", "T\n</think>", "<think>\nT\n</think>\n\n"})
    void doublesNoMarkers(String thinking) {
        assertEquals("<think>\\nT\\n</think>\\n\\nR\u2028.", alpacaOutput(thinking));
    }

    @Test
    void keepsTextAfterACloseMarkerInsideTheThinking() {
        assertEquals("<think>\\nT\\n</think>\\n\\nmore\\n</think>\\n\\nR\u2028.", alpacaOutput("T\n</think>\n\nmore"));
    }

    @Test
    void usesTheMarkersItIsGiven() {
        assertEquals(
                "{\"instruction\":\"P\",\"input\":\"\",\"output\":\"[T]R\"}",
                TrainingFormat.ALPACA.line(
                        new Transcript("1", "P", "T", "R", null, null), new ThinkingMarkers("[", "]")));
    }

    @Test
    void readsFormats() {
        for (TrainingFormat format : TrainingFormat.values()) {
            assertEquals(format, TrainingFormat.parse(format.toString()));
        }
        assertEquals(
                "unknown training format 'csv': use transcript, alpaca or messages",
                assertThrows(BelayException.class, () -> TrainingFormat.parse("csv"))
                        .getMessage());
    }
}
