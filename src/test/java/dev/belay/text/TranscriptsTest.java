package dev.belay.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TranscriptsTest {
    @TempDir
    Path folder;

    private Path file(String text) {
        try {
            return Files.writeString(folder.resolve("data.jsonl"), text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private String errorOf(String text) {
        Path file = file(text);
        String message =
                assertThrows(BelayException.class, () -> Transcripts.read(file)).getMessage();
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.contains(file.toString()), message);
        return message.replace(file.toString(), "FILE");
    }

    @Test
    void readsFieldsAndGivesAbsentOnesTheirDefaults() {
        List<Transcript> read = Transcripts.read(file("""
                \uFEFF{"id": "a", "prompt": "P", "thinking": "T", "response": "R", "harmful": true, "meta": {"k": 1}}

                {"prompt": "only", "thinking": null, "other": [1]}
                {"id": 17, "prompt": "", "harmful": false}
                """));
        assertEquals(3, read.size());
        Transcript first = read.getFirst();
        assertEquals(
                List.of("a", "P", "T", "R"), List.of(first.id(), first.prompt(), first.thinking(), first.response()));
        assertEquals(true, first.harmful());
        assertEquals(1, first.meta().get("k").asInt());
        Transcript second = read.get(1);
        assertEquals(
                List.of("3", "only", "", ""),
                List.of(second.id(), second.prompt(), second.thinking(), second.response()));
        assertNull(second.harmful());
        assertNull(second.meta());
        assertEquals("17", read.get(2).id());
    }

    @Test
    void writesALineBackWithAllItsFields() {
        String line =
                "{\"x\":1.10,\"prompt\":\"é \\\"q\\\" \\n\",\"other\":[1,{\"a\":null}],\"big\":12345678901234567890}";
        Transcript read = Transcripts.read(file(line + "\n")).getFirst();
        assertEquals(line, Transcripts.toJsonLine(read));
        assertEquals(
                line.substring(0, line.length() - 1) + ",\"thinking\":\"T\",\"response\":\"R\"}",
                Transcripts.toJsonLine(read.answered("T", "R")));
        assertEquals(line, Transcripts.toJsonLine(read), "answered() changes a copy");
    }

    @Test
    void aSystemPromptIsAFieldOfItsOwn() {
        Transcript read = Transcripts.read(file("{\"prompt\":\"P\",\"system\":\"S\",\"x\":1}"))
                .getFirst();
        assertEquals("S", read.system());
        assertEquals("S", read.answered("T", "R").system());
        assertEquals("{\"prompt\":\"P\",\"system\":\"Z\",\"x\":1}", Transcripts.toJsonLine(read.withSystem("Z")));
        assertEquals(
                "{\"id\":\"1\",\"system\":\"S\",\"prompt\":\"P\",\"thinking\":\"\",\"response\":\"\"}",
                Transcripts.toJsonLine(new Transcript("1", "P", "", "", null, null).withSystem("S")));
        assertTrue(errorOf("{\"prompt\":\"P\",\"system\":[1]}").contains("the field system, which is not a string"));
    }

    @Test
    void writesTheFieldsOfANewTranscript() {
        var meta = JsonNodeFactory.instance.objectNode().put("k", "v");
        assertEquals(
                "{\"id\":\"1\",\"prompt\":\"P\",\"thinking\":\"T\",\"response\":\"R\",\"harmful\":false,\"meta\":{\"k\":\"v\"}}",
                Transcripts.toJsonLine(new Transcript("1", "P", "T", "R", false, meta)));
        assertEquals(
                "{\"id\":\"1\",\"prompt\":\"P\",\"thinking\":\"\",\"response\":\"\"}",
                Transcripts.toJsonLine(new Transcript("1", "P", "", "", null, null)));
    }

    @Test
    void errorsNameFileAndLine() {
        String good = "{\"prompt\": \"P\"}\n\n";
        assertTrue(errorOf(good + "{\"prompt\": ").startsWith("FILE line 3 is not valid JSON at column "));
        assertTrue(errorOf(good + "{\"prompt\": \"P\"} x").startsWith("FILE line 3 is not valid JSON at column "));
        assertEquals("FILE line 3 is not a JSON object; write {\"prompt\": ...}", errorOf(good + "[1]"));
        assertEquals("FILE line 3 has no prompt; every line needs one, a string", errorOf(good + "{\"id\": \"x\"}"));
        assertEquals(
                "FILE line 1 has the field prompt, which is not a string but of type number",
                errorOf("{\"prompt\": 3}"));
        assertEquals(
                "FILE line 1 has the field thinking, which is not a string but of type array",
                errorOf("{\"prompt\": \"P\", \"thinking\": []}"));
        assertEquals(
                "FILE line 1 has the field harmful, which is not true or false but of type string",
                errorOf("{\"prompt\": \"P\", \"harmful\": \"yes\"}"));
        assertEquals(
                "FILE line 1 has the field id, which is not a string but of type object",
                errorOf("{\"prompt\": \"P\", \"id\": {}}"));
        assertEquals(
                "FILE line 2 has the id \"a\" of line 1; ids must differ",
                errorOf("{\"prompt\": \"P\", \"id\": \"a\"}\n{\"prompt\": \"Q\", \"id\": \"a\"}"));
    }

    @Test
    void saysThatAFileIsEmptyMissingAFolderOrNotText() throws IOException {
        assertTrue(errorOf("\n  \n").startsWith("no transcripts in FILE"));
        Path missing = folder.resolve("missing.jsonl");
        String message = assertThrows(BelayException.class, () -> Transcripts.read(missing))
                .getMessage();
        assertEquals("cannot read transcripts from " + missing + ": no such file or folder: " + missing, message);
        assertTrue(assertThrows(BelayException.class, () -> Transcripts.read(folder))
                .getMessage()
                .contains("it is a folder"));
        Path binary = Files.write(folder.resolve("binary"), new byte[] {(byte) 0xff, (byte) 0xfe, 0, 1});
        assertTrue(assertThrows(BelayException.class, () -> Transcripts.read(binary))
                .getMessage()
                .contains("not UTF-8"));
    }
}
