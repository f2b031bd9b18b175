package dev.belay.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models whose files do not quite fit together: they compute, with a warning that says what is odd. */
class OddModelTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private Path out;

    @BeforeEach
    void names() {
        out = folder.resolve("out");
    }

    private static void edit(Path file, Consumer<ObjectNode> change) {
        try {
            ObjectNode json = (ObjectNode) JSON.readTree(file.toFile());
            change.accept(json);
            JSON.writeValue(file.toFile(), json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void tensorsThatCountForNothing() {
        Path model = Cli.copy(Cli.LLAMA, folder.resolve("model"));
        edit(model.resolve("config.json"), json -> json.put("num_hidden_layers", 2));
        Path ids = Cli.write(folder.resolve("ids.json"), "[[1, 2, 3]]");
        Cli.run("capture ? --ids ? -o ? --layers 1 --device cpu --quiet", model, ids, out)
                .okWithNote(
                        model + " has 9 tensors", "(LlamaForCausalLM) do not compute with, such as model.layers.2.");
    }

    @Test
    void tokensWithoutAnEmbedding() {
        Path model = Cli.copy(Cli.TINY, folder.resolve("model"));
        edit(
                model.resolve("tokenizer.json"),
                json -> json.withArray("added_tokens")
                        .addObject()
                        .put("id", 5000)
                        .put("content", "<|late|>")
                        .put("single_word", false)
                        .put("lstrip", false)
                        .put("rstrip", false)
                        .put("normalized", false)
                        .put("special", true));
        Path data = Cli.write(folder.resolve("data.jsonl"), "{\"id\": \"a\", \"prompt\": \"Hello\"}\n");
        Cli.run("generate ? --data ? -o ? --max-new-tokens 2 --device cpu --quiet", model, data, out)
                .okWithNote(
                        model.resolve("tokenizer.json") + " has tokens up to ", "the model only embeddings of 1024");
    }
}
