package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Reads the configurations of the published models, as they were written by transformers 4 and as transformers 5.18 writes them again,
 * and counts their parameters as transformers does. The long factors of Phi-4-mini stand for the published ones.
 */
class PublishedConfigTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path CONFIGS = Path.of("src/test/resources/published/configs.jsonl");

    @TempDir
    Path folder;

    record Published(JsonNode node) {
        @Override
        public String toString() {
            return node.path("model").asText();
        }
    }

    static List<Published> models() throws IOException {
        try (var lines = Files.lines(CONFIGS)) {
            return lines.map(PublishedConfigTest::read).map(Published::new).toList();
        }
    }

    private static JsonNode read(String line) {
        try {
            return JSON.readTree(line);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private ModelConfig config(Published model, String spelling) throws IOException {
        JSON.writeValue(folder.resolve("config.json").toFile(), model.node().path(spelling));
        return ModelConfig.read(folder);
    }

    @ParameterizedTest
    @MethodSource("models")
    void bothSpellingsMeanTheSame(Published model) throws IOException {
        ModelConfig four = config(model, "transformers4");
        assertEquals(four, config(model, "transformers5"));
        assertEquals(model.node().path("parameters").asLong(), four.parameters());
    }

    private ModelConfig config(String name) throws IOException {
        Published model = models().stream()
                .filter(m -> m.toString().equals(name))
                .findFirst()
                .orElseThrow();
        return config(model, "transformers4");
    }

    /** YaRN is switched on by an entry beside the shorter length; Phi-4-mini's own length is the stretched one. */
    @Test
    void theLongestTextIsTheOneThatRotationIsStretchedTo() throws IOException {
        assertEquals(40960, config("QwQ-32B").positions());
        assertEquals(131072, config("QwQ-32B-yarn").positions());
        assertEquals(131072, config("Phi-4-mini-reasoning").positions());
        assertEquals(131072, config("DeepSeek-R1-Distill-Llama-8B").positions());
    }

    @Test
    void whatSetsModelsApart() throws IOException {
        assertEquals(96, config("Phi-4-mini-reasoning").rope().size());
        assertEquals(128, config("Phi-4-reasoning").rope().size());
        assertEquals(262144, config("Phi-4-mini-reasoning").kinds().getFirst().window());
        assertEquals(List.of(128001, 128008, 128009), config("Llama-Guard-3-8B").endTokens());
        ModelConfig smol = config("SmolLM3-3B");
        assertEquals(
                9, smol.kinds().stream().filter(kind -> kind.rope() == null).count());
        assertEquals(0, smol.kinds().getFirst().window());
    }
}
