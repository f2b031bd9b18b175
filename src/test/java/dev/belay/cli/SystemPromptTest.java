package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --system} and the system prompts of transcripts. */
class SystemPromptTest {
    private static final String GENERATE = "generate ? --data ? --max-new-tokens 4 --system ? -o ?";

    @TempDir
    Path folder;

    private Path model;
    private Path plain;
    private Path told;
    private Path output;

    @BeforeEach
    void prepare() throws IOException {
        model = Cli.copy(Cli.TINY, folder.resolve("model"));
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{% for m in messages %}{{ ('<|User|>' if m.role == 'user' else '') + m.content }}{% endfor %}"
                        + "<|Assistant|><think>\n");
        plain = Cli.write(folder.resolve("plain.jsonl"), "{\"id\":\"a\",\"prompt\":\"How do I bake bread?\"}\n");
        told = Cli.write(
                folder.resolve("told.jsonl"),
                "{\"id\":\"a\",\"system\":\"Think.\",\"prompt\":\"How do I bake bread?\"}\n");
        output = folder.resolve("out.jsonl");
    }

    private JsonNode captured(String line, Object... values) {
        Cli.run(line, values).ok();
        return Cli.lines(output).getFirst();
    }

    @Test
    void theOptionIsForTextsThatHaveNoneOfTheirOwn() {
        JsonNode own = captured("generate ? --data ? --max-new-tokens 4 -o ?", model, told, output);
        assertEquals("Think.", own.get("system").asText());
        assertEquals(own, captured(GENERATE, model, plain, "Think.", output));
        assertEquals(own, captured(GENERATE, model, told, "Answer at once, in rhymes.", output));
        JsonNode without = captured("generate ? --data ? --max-new-tokens 4 -o ?", model, plain, output);
        assertEquals(false, without.has("system"));
        assertNotEquals(without.get("new_token_ids"), own.get("new_token_ids"));
    }

    @Test
    void aRunDoesNotGoOnWithAnotherSystemPrompt() {
        Cli.run(GENERATE + " --keep-progress", model, plain, "Think.", output).ok();
        Cli.run(GENERATE + " --resume", model, plain, "Rhyme.", output).failed(1, "--system was Think.", "is Rhyme.");
        Cli.run("generate ? --data ? --max-new-tokens 4 --resume -o ?", model, plain, output)
                .failed(1, "--system");
    }

    @Test
    void aTemplateWithoutAPlaceForItIsRefused() {
        Cli.run(GENERATE, Cli.TINY, plain, "Think.", output)
                .failed(1, "transcript a has a system prompt", "chat template leaves it out");
    }
}
