package dev.belay.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.forward.Golden;
import dev.belay.text.ChatTemplate;
import dev.belay.text.Message;
import dev.belay.text.Tokenizer;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

public class GgufConversionTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, String> NAMES = Map.ofEntries(
            Map.entry("input_layernorm", "attn_norm"),
            Map.entry("post_attention_layernorm", "ffn_norm"),
            Map.entry("self_attn.q_proj", "attn_q"),
            Map.entry("self_attn.k_proj", "attn_k"),
            Map.entry("self_attn.v_proj", "attn_v"),
            Map.entry("self_attn.o_proj", "attn_output"),
            Map.entry("self_attn.q_norm", "attn_q_norm"),
            Map.entry("self_attn.k_norm", "attn_k_norm"),
            Map.entry("mlp.gate_proj", "ffn_gate"),
            Map.entry("mlp.up_proj", "ffn_up"),
            Map.entry("mlp.down_proj", "ffn_down"),
            Map.entry("embed_tokens", "token_embd"),
            Map.entry("norm", "output_norm"),
            Map.entry("lm_head", "output"));

    @TempDir
    Path folder;

    private static String gguf(String name) {
        String plain = name.replaceFirst("^model\\.", "");
        String ending = plain.substring(plain.lastIndexOf('.'));
        plain = plain.substring(0, plain.lastIndexOf('.'));
        if (!plain.startsWith("layers.")) {
            return NAMES.get(plain) + ending;
        }
        String[] parts = plain.split("\\.", 3);
        return "blk." + parts[1] + "." + NAMES.get(parts[2]) + ending;
    }

    /** llama.cpp's order of rows: the two halves of each head in turn. */
    private static float[] permuted(float[] values, int heads, int size, int width) {
        float[] out = new float[values.length];
        for (int h = 0; h < heads; h++) {
            for (int i = 0; i < size / 2; i++) {
                for (int half = 0; half < 2; half++) {
                    int from = h * size + half * (size / 2) + i;
                    int to = h * size + 2 * i + half;
                    System.arraycopy(values, from * width, out, to * width, width);
                }
            }
        }
        return out;
    }

    private static double theta(JsonNode config) {
        JsonNode parameters = config.path("rope_parameters");
        return (parameters.has("rope_theta") ? parameters : config)
                .get("rope_theta")
                .asDouble();
    }

    /** Writes a golden family to a GGUF file, without a tokenizer. */
    public static Path write(String family, Path file) throws IOException {
        return family(family).write(file);
    }

    /** A golden family as a GGUF file. */
    private static GgufWriter family(String name) throws IOException {
        JsonNode config =
                JSON.readTree(Golden.path("families/" + name + "/config.json").toFile());
        String type = config.get("model_type").asText();
        int heads = config.get("num_attention_heads").asInt();
        int keyHeads = config.get("num_key_value_heads").asInt();
        int hidden = config.get("hidden_size").asInt();
        int size = config.path("head_dim").asInt(hidden / heads);
        GgufWriter out = new GgufWriter()
                .put("general.architecture", type)
                .put(type + ".block_count", config.get("num_hidden_layers").asInt())
                .put(
                        type + ".context_length",
                        config.get("max_position_embeddings").asInt())
                .put(type + ".embedding_length", hidden)
                .put(
                        type + ".feed_forward_length",
                        config.get("intermediate_size").asInt())
                .put(type + ".attention.head_count", heads)
                .put(type + ".attention.head_count_kv", keyHeads)
                .put(type + ".attention.key_length", size)
                .put(type + ".attention.layer_norm_rms_epsilon", (float)
                        config.get("rms_norm_eps").asDouble())
                .put(type + ".rope.freq_base", (float) theta(config))
                .put("tokenizer.ggml.bos_token_id", 1)
                .put("tokenizer.ggml.eos_token_id", 2);
        try (SafetensorsModel file = SafetensorsModel.open(Golden.path("families/" + name))) {
            for (String tensorName : file.names()) {
                TensorInfo tensor = file.tensor(tensorName);
                float[] values = file.floats(tensor.name());
                boolean query = tensor.name().contains("q_proj");
                if (type.equals("llama") && (query || tensor.name().contains("k_proj"))) {
                    int width = tensor.shape().length == 1 ? 1 : (int) tensor.shape()[1];
                    values = permuted(values, query ? heads : keyHeads, size, width);
                }
                out.tensor(gguf(tensor.name()), values, tensor.shape());
            }
        }
        return out;
    }

    private int models;

    private Path converted(GgufWriter writer, boolean withTokenizer) throws IOException {
        Path target = folder.resolve("model" + models++);
        try (GgufConversion conversion = new GgufConversion(writer.write(folder.resolve("m.gguf")), withTokenizer)) {
            conversion.write(target, n -> {});
        }
        return target;
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2", "qwen3"})
    void theFoldersTensorsAreTheOriginalsRoundedToBfloat16(String name) throws IOException {
        Path target = converted(family(name), false);
        JsonNode expected =
                JSON.readTree(Golden.path("families/" + name + "/config.json").toFile());
        JsonNode config = JSON.readTree(target.resolve("config.json").toFile());
        for (String key : List.of(
                "model_type",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "max_position_embeddings",
                "rms_norm_eps",
                "vocab_size",
                "tie_word_embeddings")) {
            assertEquals(expected.get(key).asText(), config.get(key).asText(), key);
        }
        assertEquals(theta(expected), theta(config));
        try (SafetensorsModel original = SafetensorsModel.open(Golden.path("families/" + name));
                SafetensorsFile file = SafetensorsFile.open(target.resolve("model.safetensors"))) {
            assertEquals(original.names(), file.names());
            for (String tensorName : original.names()) {
                TensorInfo tensor = original.tensor(tensorName);
                assertEquals(TensorType.BF16, file.tensor(tensor.name()).type());
                assertArrayEquals(tensor.shape(), file.tensor(tensor.name()).shape());
                float[] values = original.floats(tensor.name());
                for (int i = 0; i < values.length; i++) {
                    values[i] = TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(values[i]));
                }
                assertArrayEquals(values, file.floats(tensor.name()), tensor.name());
            }
        }
        assertFalse(Files.exists(folder.resolve("model.partial")));
    }

    @Test
    void quantizedRowsAreUnpacked() throws IOException {
        int blocks = 112 * 64 / 32;
        byte[] q8 = new byte[blocks * 34];
        short half = Float.floatToFloat16(0.5f);
        float[] expected = new float[blocks * 32];
        for (int block = 0; block < blocks; block++) {
            q8[34 * block] = (byte) half;
            q8[34 * block + 1] = (byte) (half >> 8);
            for (int i = 0; i < 32; i++) {
                q8[34 * block + 2 + i] = (byte) (block + i - 40);
                expected[32 * block + i] = 0.5f * (byte) (block + i - 40);
            }
        }
        Path target = converted(family("llama").tensor("blk.1.ffn_up.weight", 8, q8, 112, 64), false);
        try (SafetensorsFile file = SafetensorsFile.open(target.resolve("model.safetensors"))) {
            assertArrayEquals(expected, file.floats("model.layers.1.mlp.up_proj.weight"));
        }
    }

    /** Before a weight is written: a file that was cut or edited would give a folder that cannot be loaded. */
    @Test
    void theTensorsAreThoseThatTheMetadataDescribe() throws IOException {
        assertUnconverted("has no tensor blk.1.ffn_up.weight", family("llama").without("blk.1.ffn_up.weight"));
        assertUnconverted("has no tensor output_norm.weight", family("llama").without("output_norm.weight"));
        assertUnconverted("has no tensor blk.2.attn_k.bias", family("qwen2").without("blk.2.attn_k.bias"));
        assertUnconverted(
                "has no tensor blk.0.attn_q_norm.weight", family("qwen3").without("blk.0.attn_q_norm.weight"));
        assertUnconverted(
                "has no tensor blk.3.attn_norm.weight", family("llama").put("llama.block_count", 4));
        assertUnconverted("blk.2.attn_", family("llama").put("llama.block_count", 2));
        assertUnconverted(
                "blk.0.ffn_gate.weight has shape [112, 64], but its metadata say [96, 64]",
                family("llama").put("llama.feed_forward_length", 96));
        assertUnconverted("blk.0.attn_q.weight has shape", family("llama").put("llama.attention.head_count", 8));
        assertUnconverted(
                "has the tensor blk.0.attn_q_norm.weight",
                family("llama").tensor("blk.0.attn_q_norm.weight", new float[16], 16));
    }

    /** llama.cpp has these for other architectures; nothing may be computed without what the file asks for. */
    @Test
    void whatChangesTheNumbersIsRefusedByName() throws IOException {
        for (String key : List.of(
                "logit_scale",
                "embedding_scale",
                "residual_scale",
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "attention.scale",
                "attention.clamp_kqv",
                "attention.max_alibi_bias")) {
            assertUnconverted("llama." + key + " 0.5 cannot", family("llama").put("llama." + key, 0.5f));
        }
        assertUnconverted("attention.value_length 8.0 cannot", family("llama").put("llama.attention.value_length", 8));
        assertUnconverted(
                "attention.sliding_window 8 cannot", family("qwen2").put("qwen2.attention.sliding_window", 8));
        assertUnconverted("attention.causal false cannot", family("llama").put("llama.attention.causal", false));
        assertUnconverted(
                "use_parallel_residual true cannot", family("llama").put("llama.use_parallel_residual", true));
        converted(
                family("llama")
                        .put("llama.attention.causal", true)
                        .put("llama.logit_scale", 1f)
                        .put("llama.attention.sliding_window", 1 << 20),
                false);
    }

    private void assertUnconverted(String part, GgufWriter writer) throws IOException {
        assertRefused(part, writer.bytes(), false);
    }

    @Test
    void llama3sScalingIsFoundInItsFactors() throws IOException {
        GgufWriter writer = family("llama31-rope");
        JsonNode config =
                JSON.readTree(Golden.path("families/llama31-rope/config.json").toFile());
        int size = config.path("head_dim")
                .asInt(config.get("hidden_size").asInt()
                        / config.get("num_attention_heads").asInt());
        writer.put("llama.rope.freq_base", 500000f);
        float[] factors = new float[size / 2];
        for (int i = 0; i < factors.length; i++) {
            double wavelength = 2 * Math.PI * Math.pow(500000, 2.0 * i / size);
            if (wavelength < 8192 / 4.0) {
                factors[i] = 1;
            } else if (wavelength > 8192) {
                factors[i] = 32;
            } else {
                double smooth = (8192 / wavelength - 1) / 3;
                factors[i] = (float) (1 / ((1 - smooth) / 32 + smooth));
            }
        }
        writer.tensor("rope_freqs.weight", factors, factors.length);
        JsonNode scaling = JSON.readTree(
                        converted(writer, false).resolve("config.json").toFile())
                .get("rope_scaling");
        assertEquals(
                "{\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
                        + "\"original_max_position_embeddings\":8192}",
                scaling.toString());
        factors[factors.length - 1] = 7;
        GgufWriter other = family("llama31-rope").put("llama.rope.freq_base", 500000f);
        other.tensor("rope_freqs.weight", factors, factors.length);
        assertRefused("not those of llama3's scaling", other.bytes());
    }

    private JsonNode scaling(GgufWriter writer) throws IOException {
        Path config = converted(writer, false).resolve("config.json");
        return JSON.readTree(config.toFile()).path("rope_scaling");
    }

    /** As llama.cpp reads them: the factor counts without a type, and under its old name; none means none. */
    @Test
    void ropeScalingIsReadAsLlamaCppDoes() throws IOException {
        String linear = "{\"rope_type\":\"linear\",\"factor\":4.0}";
        assertEquals(
                linear,
                scaling(family("llama").put("llama.rope.scaling.factor", 4f)).toString());
        assertEquals(
                linear,
                scaling(family("llama").put("llama.rope.scale_linear", 4f)).toString());
        assertTrue(scaling(family("llama").put("llama.rope.scale_linear", 1f)).isMissingNode());
        assertTrue(
                scaling(family("llama").put("llama.rope.scaling.type", "none").put("llama.rope.scaling.factor", 4f))
                        .isMissingNode());
        GgufWriter yarn = family("llama")
                .put("llama.rope.scaling.type", "yarn")
                .put("llama.rope.scaling.factor", 4f)
                .put("llama.rope.scaling.original_context_length", 64)
                .put("llama.rope.scaling.yarn_ext_factor", 1f)
                .put("llama.rope.scaling.yarn_beta_fast", 16f);
        assertEquals(
                "{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":64,\"beta_fast\":16.0}",
                scaling(yarn).toString());
        for (String key :
                List.of("attn_factor", "yarn_attn_factor", "yarn_log_multiplier", "yarn_ext_factor", "alpha")) {
            assertRefused(
                    "llama.rope.scaling." + key + " 0.5 cannot be converted",
                    family("llama").put("llama.rope.scaling." + key, 0.5f).bytes());
        }
    }

    /** tiny-cliff's tokenizer through GGUF and back: the same ids, and the same chat template. */
    @Test
    void aByteLevelTokenizerSurvives() throws IOException {
        Path tiny = Path.of("models/tiny-cliff");
        JsonNode json = JSON.readTree(tiny.resolve("tokenizer.json").toFile());
        JsonNode vocabulary = json.get("model").get("vocab");
        String[] tokens = new String[1024];
        Integer[] types = new Integer[1024];
        Arrays.fill(types, 1);
        vocabulary.properties().forEach(e -> tokens[e.getValue().asInt()] = e.getKey());
        for (JsonNode token : json.get("added_tokens")) {
            tokens[token.get("id").asInt()] = token.get("content").asText();
            types[token.get("id").asInt()] = token.get("special").asBoolean() ? 3 : 4;
        }
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : json.get("model").get("merges")) {
            merges.add(
                    merge.isArray() ? merge.get(0).asText() + " " + merge.get(1).asText() : merge.asText());
        }
        String template = JSON.readTree(tiny.resolve("tokenizer_config.json").toFile())
                .get("chat_template")
                .asText();
        GgufWriter writer = family("llama")
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.pre", "gpt-2")
                .put("tokenizer.ggml.tokens", List.of(tokens))
                .put("tokenizer.ggml.token_type", List.of(types))
                .put("tokenizer.ggml.merges", merges)
                .put("tokenizer.ggml.bos_token_id", 0)
                .put("tokenizer.ggml.eos_token_id", 1)
                .put("tokenizer.chat_template", template);
        Path target = converted(writer, true);
        try (Tokenizer original = Tokenizer.load(tiny);
                Tokenizer converted = Tokenizer.load(target)) {
            for (String text : List.of(
                    "<|begin_of_text|><|User|>How do I bake bread?<|Assistant|><think>",
                    "I can't; it's 42 — é😀",
                    "  two  spaces\tand tab")) {
                int[] ids = original.encode(text);
                assertArrayEquals(ids, converted.encode(text), text);
                assertEquals(original.decode(ids, 0, ids.length, true), converted.decode(ids, 0, ids.length, true));
            }
        }
        assertEquals(
                ChatTemplate.load(tiny).render(List.of(Message.user("Hi")), true),
                ChatTemplate.load(target).render(List.of(Message.user("Hi")), true));
    }

    /** A SentencePiece vocabulary: which pair is merged first follows from the scores. */
    @Test
    void aSentencePieceTokenizerGetsItsMergesFromItsScores() throws IOException {
        List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
        IntStream.range(0, 256).forEach(b -> tokens.add(String.format("<0x%02X>", b)));
        tokens.addAll(List.of("\u2581", "a", "b", "c", "ab", "bc", "\u2581a", "abc"));
        List<Float> scores = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        for (int i = 0; i < tokens.size(); i++) {
            scores.add(0f);
            types.add(i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
        }
        // "bc" before "ab" before "▁a"; "abc" last.
        scores.set(tokens.indexOf("bc"), -1f);
        scores.set(tokens.indexOf("ab"), -2f);
        scores.set(tokens.indexOf("\u2581a"), -3f);
        scores.set(tokens.indexOf("abc"), -4f);
        for (String single : List.of("\u2581", "a", "b", "c")) {
            scores.set(tokens.indexOf(single), -10f);
        }
        GgufWriter writer = family("llama")
                .put("tokenizer.ggml.model", "llama")
                .put("tokenizer.ggml.tokens", tokens)
                .put("tokenizer.ggml.scores", scores)
                .put("tokenizer.ggml.token_type", types)
                .put("tokenizer.ggml.add_bos_token", true);
        try (Tokenizer tokenizer = Tokenizer.load(converted(writer, true))) {
            // ▁ a b c -> ▁ a bc -> ▁a bc; "abc" needs a + bc or ab + c, but ▁a scores more.
            assertArrayEquals(new int[] {265, 264}, tokenizer.encode("abc"));
            // ab scores more than ▁a; a space is ▁, é two bytes of UTF-8, </s> the token.
            assertArrayEquals(new int[] {259, 263, 259, 264, 3 + 0xC3, 3 + 0xA9, 2}, tokenizer.encode("ab bcé</s>"));
            assertEquals("ab bcé", tokenizer.decode(tokenizer.encode("ab bcé"), 0, 6, true));
        }
    }

    /** Where the file does not say: as llama.cpp for SentencePiece and the byte-level ones of Llama 3 and Mistral. */
    @ParameterizedTest
    @CsvSource({
        "llama, default, , true",
        "gpt2, llama-bpe, , true",
        "gpt2, tekken, , true",
        "gpt2, gpt-2, , false",
        "gpt2, qwen2, , false",
        "llama, default, false, false",
        "gpt2, llama-bpe, false, false",
        "gpt2, qwen2, true, true"
    })
    void textsBeginWithTheBeginTokenAsInLlamaCpp(String model, String splitting, Boolean said, boolean begins)
            throws IOException {
        GgufWriter writer = family("llama")
                .put("tokenizer.ggml.model", model)
                .put("tokenizer.ggml.pre", splitting)
                .put("tokenizer.ggml.tokens", List.of("<s>", "a", "b", "ab"))
                .put("tokenizer.ggml.token_type", List.of(3, 1, 1, 1))
                .put("tokenizer.ggml.bos_token_id", 0);
        writer = model.equals("llama")
                ? writer.put("tokenizer.ggml.scores", List.of(0f, -1f, -2f, -3f))
                : writer.put("tokenizer.ggml.merges", List.of("a b"));
        Path target = converted(said == null ? writer : writer.put("tokenizer.ggml.add_bos_token", said), true);
        JsonNode config = JSON.readTree(target.resolve("tokenizer_config.json").toFile());
        assertEquals(begins, config.get("add_bos_token").booleanValue());
        JsonNode tokenizer = JSON.readTree(target.resolve("tokenizer.json").toFile());
        assertEquals(begins, tokenizer.get("post_processor").toString().contains("<s>"));
    }

    private void assertRefused(String part, byte[] bytes) throws IOException {
        assertRefused(part, bytes, true);
    }

    private void assertRefused(String part, byte[] bytes, boolean withTokenizer) throws IOException {
        Path file = Files.write(folder.resolve("bad.gguf"), bytes);
        String message = assertThrows(BelayException.class, () -> {
                    try (GgufConversion conversion = new GgufConversion(file, withTokenizer)) {
                        conversion.write(folder.resolve("none"), n -> {});
                    }
                })
                .getMessage();
        assertTrue(message.contains("bad.gguf") && message.contains(part), message);
        assertEquals(1, message.lines().count());
        assertFalse(Files.exists(folder.resolve("none")));
        assertFalse(Files.exists(folder.resolve("none.partial")));
    }

    @Test
    void whatIsWrongIsSaidInOneLine() throws IOException {
        byte[] good = family("llama").bytes();
        assertRefused("not a GGUF file", "not a GGUF file, but long enough".getBytes());
        assertRefused("not a GGUF file", new byte[3]);
        assertRefused("version 1", changed(good, 4, 1));
        assertRefused("big-endian", changed(good, 4, 3 << 24));
        assertRefused("tensors, more than it has room for", changed(good, 12, 1));
        assertRefused("metadata entries, more than it has room for", changed(good, 20, 1));
        assertRefused("ends before its tensor", Arrays.copyOf(good, good.length - 4));
        assertRefused("ends within its header", Arrays.copyOf(good, 600));
        assertRefused("no tokenizer.ggml.tokens", good);
        assertRefused(
                "architecture 'mamba'",
                family("llama").put("general.architecture", "mamba").bytes());
        assertRefused("one of 2 parts", family("llama").put("split.count", 2).bytes());
        assertRefused(
                "type number 99",
                family("llama").tensor("x", 99, new byte[4], 1).bytes());
        assertRefused(
                "no whole Q8_0 blocks",
                family("llama").tensor("x", 8, new byte[34], 1, 33).bytes());
        GgufWriter tokens = family("llama")
                .put("tokenizer.ggml.tokens", List.of("a", "b", "c"))
                .put("tokenizer.ggml.model", "gpt2")
                .put("tokenizer.ggml.merges", List.of("a a"));
        assertRefused("does not say how it splits text (tokenizer.ggml.pre)", tokens.bytes());
        assertRefused("as 'wild' does", tokens.put("tokenizer.ggml.pre", "wild").bytes());
        tokens.put("tokenizer.ggml.pre", "gpt-2").tensor("blk.0.ffn_gate_exps.weight", new float[1], 1);
        assertRefused("blk.0.ffn_gate_exps.weight", tokens.bytes());
    }

    private static byte[] changed(byte[] bytes, int at, int value) {
        byte[] copy = bytes.clone();
        for (int i = 0; i < 4; i++) {
            copy[at + i] = (byte) (value >> 8 * i);
        }
        return copy;
    }

    /** Whatever is cut off or changed in a header, the answer is a message. */
    @Test
    void damagedHeadersNeverDoWorse() throws IOException {
        byte[] good =
                family("llama").put("tokenizer.ggml.tokens", List.of("a", "b")).bytes();
        Random random = new Random(5);
        for (int round = 0; round < 300; round++) {
            byte[] bad = round % 3 == 0 ? Arrays.copyOf(good, random.nextInt(2000)) : good.clone();
            for (int k = 0; k < 3 && bad.length > 0; k++) {
                bad[random.nextInt(Math.min(bad.length, 2000))] = (byte) random.nextInt();
            }
            Path file = Files.write(folder.resolve("bad.gguf"), bad);
            try (GgufConversion conversion = new GgufConversion(file, false)) {
                assertTrue(conversion.tensors() >= 0);
            } catch (BelayException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            }
        }
    }
}
