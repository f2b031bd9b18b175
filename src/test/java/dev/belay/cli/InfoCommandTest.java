package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.model.ModelFolder;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code belay info}. */
class InfoCommandTest {
    @TempDir
    Path folder;

    @Test
    void words() {
        String out = Cli.run("info ?", Cli.LLAMA).ok();
        for (String part : new String[] {
            "LlamaForCausalLM (llama)",
            "layers          3",
            "4 of size 16, 2 key/value heads",
            "vocabulary      160",
            "positions       256",
            "scaling default",
            "stored as f32",
            "Memory it needs:",
            "2048 tokens (--batch-tokens)"
        }) {
            assertTrue(out.contains(part), part + " in " + out);
        }
    }

    @Test
    void json() {
        JsonNode json = Cli.run("info ? --json --batch-tokens 100", Cli.TINY).json();
        assertEquals("llama", json.get("family").asText());
        assertEquals("LlamaForCausalLM", json.get("architecture").asText());
        assertEquals(6, json.get("layers").asInt());
        assertEquals(8, json.get("heads").asInt());
        assertEquals(4, json.get("kv_heads").asInt());
        assertEquals(32, json.get("head_size").asInt());
        assertEquals(256, json.get("hidden").asInt());
        assertEquals(512, json.get("positions").asInt());
        assertEquals("bf16", json.get("dtype").asText());
        assertTrue(json.get("tied_embeddings").asBoolean());
        assertEquals(3_804_416, json.get("parameters").asLong());
        assertEquals(4 * 3_804_416, json.get("weight_bytes_f32").asLong());
        // Norms stay float32: two a layer and the last.
        assertEquals(2 * 3_804_416 + 2 * 13 * 256, json.get("weight_bytes_bf16").asLong());
        assertEquals(100, json.get("batch_tokens").asInt());
        // keys and values, 6 layers, 4 heads of 32, float32
        assertEquals(2 * 6 * 4 * 32 * 4, json.get("cache_bytes_per_token").asLong());
        assertEquals(64, json.get("fingerprint").asText().length());
    }

    /** An output matrix of its own counts beside tied embeddings, the same numbers do not. */
    @Test
    void anOutputMatrixBesideTiedEmbeddings() {
        ModelFolder model =
                ModelFolder.copy("llama", folder).edit("config.json", json -> json.put("tie_word_embeddings", true));
        JsonNode own = Cli.run("info ? --json", folder).json();
        assertFalse(own.get("tied_embeddings").asBoolean());
        model.weights(tensors -> tensors.put("lm_head.weight", tensors.get("model.embed_tokens.weight")));
        JsonNode same = Cli.run("info ? --json", folder).json();
        assertTrue(same.get("tied_embeddings").asBoolean());
        long head = 160 * 64;
        for (String key : new String[] {"parameters", "weight_bytes_f32", "weight_bytes_bf16"}) {
            long each = key.equals("parameters") ? 1 : key.endsWith("f32") ? 4 : 2;
            assertEquals(each * head, own.get(key).asLong() - same.get(key).asLong(), key);
        }
    }
}
