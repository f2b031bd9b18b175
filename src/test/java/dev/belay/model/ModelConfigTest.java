package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.forward.Golden;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ModelConfigTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path folder;

    private ModelConfig read(Consumer<ObjectNode> change) {
        ModelFolder.copy("llama", folder).edit("config.json", change);
        return ModelConfig.read(folder);
    }

    /** One line that starts with the file and names the key. */
    private void refuses(String key, String reason, Consumer<ObjectNode> change) {
        ModelFolder.copy("llama", folder).edit("config.json", change);
        refuses("config.json", key, reason);
    }

    private void refuses(String file, String key, String reason) {
        String message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.startsWith(folder.resolve(file) + ": "), message);
        assertTrue(message.contains("'" + key + "'"), "names " + key + ": " + message);
        assertTrue(message.contains(reason), "says " + reason + ": " + message);
        assertFalse(message.contains("\n"), message);
    }

    /** Written by transformers 5: dtype, rope_parameters with the base inside. */
    @Test
    void readsTheSpellingOfTransformers5() {
        ModelConfig c = ModelConfig.read(Golden.path("families/llama"));
        ModelConfig expected = new ModelConfig(
                "llama",
                Family.of("LlamaForCausalLM", "").orElseThrow(),
                3,
                4,
                2,
                16,
                64,
                112,
                160,
                1e-5f,
                Collections.nCopies(3, new LayerKind(0, new Rope(10000, 16, RopeScaling.NONE), false)),
                null,
                false,
                false,
                false,
                256,
                false,
                "float32",
                List.of(2),
                0);
        assertEquals(expected, c);
        assertEquals(64 * 64 * 2 + 64 * 32 * 2 + 3 * 64 * 112 + 2 * 64, (c.parameters() - 64 - 2 * 160 * 64) / 3);
        assertEquals(0.25f, c.attention().scale());
        assertEquals(64, c.attention().queryWidth());
        assertEquals(32, c.attention().kvWidth());
        assertTrue(c.isEnd(2));
        assertFalse(c.isEnd(1));
    }

    /** Written by transformers 4: torch_dtype, rope_theta beside rope_scaling; tied embeddings. */
    @Test
    void readsTheSpellingOfTransformers4() {
        ModelConfig c = ModelConfig.read(Golden.path("families/llama31-rope"));
        assertEquals(500000, c.rope().theta());
        assertEquals(new RopeScaling.Llama3(8, 1, 4, 64), c.rope().scaling());
        assertEquals("float32", c.storedType());
        assertTrue(c.tiedEmbeddings());
        assertEquals(512, c.positions());
        ModelConfig tiny = ModelConfig.read(Path.of("models/tiny-cliff"));
        assertEquals("bfloat16", tiny.storedType());
        assertEquals(RopeScaling.NONE, tiny.rope().scaling());
        assertEquals(96, tiny.maxNewTokens());
        assertEquals(List.of(1), tiny.endTokens());
    }

    @Test
    void optionalKeysHaveDefaults() {
        ModelConfig c = read(json -> json.remove(List.of(
                "num_key_value_heads",
                "head_dim",
                "rope_parameters",
                "rms_norm_eps",
                "dtype",
                "tie_word_embeddings",
                "attention_bias",
                "mlp_bias",
                "hidden_act",
                "model_type",
                "max_position_embeddings")));
        assertEquals(4, c.kvHeads());
        assertEquals(16, c.headSize());
        assertEquals(10000, c.rope().theta());
        assertEquals(1e-6f, c.normEps());
        assertEquals("unknown", c.storedType());
        assertEquals("unknown", c.family());
        assertFalse(c.tiedEmbeddings());
        assertEquals(2048, c.positions());
    }

    /** Where the family's own default is another number, null still means as many as there are heads. */
    @Test
    void noKeyHeadsAreAsManyAsHeads() {
        for (String architecture : List.of("MistralForCausalLM", "Qwen3ForCausalLM", "SmolLM3ForCausalLM")) {
            ModelFolder.copy("llama", subfolder(architecture))
                    .edit(
                            "config.json",
                            json -> json.putNull("num_key_value_heads")
                                    .putArray("architectures")
                                    .add(architecture));
            assertEquals(4, ModelConfig.read(folder.resolve(architecture)).kvHeads(), architecture);
        }
    }

    private Path subfolder(String name) {
        try {
            return Files.createDirectory(folder.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** 256 positions; linear and dynamic stretch those, yarn the original ones. */
    @ParameterizedTest
    @CsvSource({"default, , 256", "linear, , 1024", "dynamic, , 1024", "yarn, 64, 256", "yarn, 128, 512", "yarn, , 1024"
    })
    void rotaryScalingMakesLongerTextsPossible(String type, Integer original, int positions) {
        ModelConfig c = read(json -> {
            ObjectNode rope = json.putObject("rope_parameters").put("rope_type", type);
            rope.put("factor", 4).put("original_max_position_embeddings", original);
        });
        assertEquals(positions, c.positions());
    }

    @Test
    void endTokensOfTheGenerationConfigurationGoFirst() {
        ModelFolder copy = ModelFolder.copy("llama", folder);
        copy.edit(
                "generation_config.json",
                json -> json.putArray("eos_token_id").add(7).add(9));
        copy.edit("generation_config.json", json -> json.put("max_new_tokens", 40));
        assertEquals(List.of(7, 9), ModelConfig.read(folder).endTokens());
        assertEquals(40, ModelConfig.read(folder).maxNewTokens());
        copy.edit("generation_config.json", json -> json.remove("eos_token_id"));
        assertEquals(List.of(2), ModelConfig.read(folder).endTokens());
        copy.delete("generation_config.json");
        assertEquals(List.of(2), ModelConfig.read(folder).endTokens());
        copy.edit("config.json", json -> json.putNull("eos_token_id"));
        assertEquals(List.of(), ModelConfig.read(folder).endTokens());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"num_attention_heads", "hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size"})
    void aMissingOrWrongSizeIsAnError(String key) throws IOException {
        refuses(key, "must be a positive integer, is null", json -> json.remove(key));
        for (String value : new String[] {"\"64\"", "0", "-4", "64.0", "4294967296", "[64]", "true"}) {
            JsonNode wrong = JSON.readTree(value);
            ModelFolder.edit(folder, "config.json", json -> json.set(key, wrong));
            refuses("config.json", key, "must be a positive integer, is " + value);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "rms_norm_eps, '\"1e-5\"', must be a positive number",
        "rms_norm_eps, -1, must be a positive number",
        "attention_bias, '\"yes\"', must be true or false",
        "mlp_bias, 1, must be true or false",
        "tie_word_embeddings, '\"true\"', must be true or false",
        "model_type, 3, must be a text",
        "hidden_act, [], must be a text",
        "num_key_value_heads, \"2\", must be a positive integer",
        "head_dim, 16.5, must be a positive integer",
        "max_position_embeddings, \"256\", must be a positive integer",
        "rope_theta, \"10000\", must be a positive number",
        "rope_theta, 0, must be a positive number",
        "rope_parameters, '\"default\"', must be an object",
        "eos_token_id, '\"</s>\"', must be a token id or a list of them",
        "eos_token_id, '[2, null]', must be a token id or a list of them"
    })
    void aWrongTypeIsAnError(String key, String value, String reason) throws IOException {
        JsonNode wrong = JSON.readTree(value);
        ModelFolder.copy("llama", folder).delete("generation_config.json").edit("config.json", json -> {
            json.remove(List.of("rope_parameters"));
            json.set(key, wrong);
        });
        refuses("config.json", key, reason);
    }

    @Test
    void theBaseInsideRopeParametersMustBeANumberToo() {
        refuses(
                "rope_theta",
                "need a positive number",
                json -> json.putObject("rope_parameters").put("rope_theta", "10000"));
    }

    @Test
    void wrongGenerationSettingsNameTheirFile() {
        ModelFolder.copy("llama", folder).edit("generation_config.json", json -> json.put("eos_token_id", "x"));
        refuses("generation_config.json", "eos_token_id", "must be a token id or a list of them");
        ModelFolder.edit(
                folder,
                "generation_config.json",
                json -> json.put("eos_token_id", 2).put("max_new_tokens", "x"));
        refuses("generation_config.json", "max_new_tokens", "must be a positive integer");
    }

    /** As in transformers, where null is not true. */
    @Test
    void truncateThatIsNull() {
        Function<Consumer<ObjectNode>, List<LayerKind>> kinds = change -> {
            ModelFolder.edit(folder, "config.json", json -> change.accept(json.withObject("rope_scaling")));
            return ModelConfig.read(folder).kinds();
        };
        ModelFolder.copy("llama", folder)
                .edit(
                        "config.json",
                        json -> json.putObject("rope_scaling")
                                .put("type", "yarn")
                                .put("factor", 4));
        List<LayerKind> asNull = kinds.apply(rope -> rope.putNull("truncate"));
        List<LayerKind> asFalse = kinds.apply(rope -> rope.put("truncate", false));
        List<LayerKind> asTrue = kinds.apply(rope -> rope.put("truncate", true));
        List<LayerKind> absent = kinds.apply(rope -> rope.remove("truncate"));
        assertEquals(asFalse, asNull);
        assertEquals(asTrue, absent);
        assertNotEquals(asFalse, asTrue);
    }

    /** A value that deep could not even be told of in a message. */
    @Test
    void nestedTooDeep() throws IOException {
        ModelFolder.copy("llama", folder);
        String deep = "{\"hidden_size\": " + "{\"a\": ".repeat(900) + "1" + "}".repeat(900) + "}";
        Files.writeString(folder.resolve("config.json"), deep);
        String message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.startsWith(folder.resolve("config.json") + ": not valid JSON: "), message);
        assertTrue(message.contains("nesting depth (101)"), message);
    }

    @Test
    void architecturesThatAreNotKnown() {
        String reason = "is not supported; known: LlamaForCausalLM";
        refuses(
                "architectures",
                "GPT2LMHeadModel " + reason,
                json -> json.putArray("architectures").add("GPT2LMHeadModel"));
        ModelFolder.edit(
                folder, "config.json", json -> json.put("model_type", "gpt2").remove("architectures"));
        refuses("config.json", "architectures", "none " + reason);
        ModelFolder.edit(
                folder,
                "config.json",
                json -> json.putArray("architectures").removeAll().add("GPT2LMHeadModel"));
        ModelFolder.edit(folder, "config.json", json -> json.put("model_type", "llama"));
        refuses("config.json", "architectures", "GPT2LMHeadModel " + reason);
        ModelFolder.edit(folder, "config.json", json -> json.put("architectures", 7));
        refuses("config.json", "architectures", "is 7, not a list of names");
        ModelFolder.edit(
                folder, "config.json", json -> json.putArray("architectures").add(7));
        refuses("config.json", "architectures", "is [7], not a list of names");
    }

    /** As transformers, which goes by the type. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "mistral", "qwen2", "qwen3", "qwen3-moe", "phi3", "smollm3-slide"})
    void theTypeNamesTheFamilyWhereArchitecturesDoesNot(String family) {
        ModelConfig expected = ModelConfig.read(Golden.path("families/" + family));
        ModelFolder model = ModelFolder.copy(family, folder).edit("config.json", json -> json.remove("architectures"));
        assertEquals(expected, ModelConfig.read(folder));
        model.edit("config.json", json -> json.putArray("architectures"));
        assertEquals(expected, ModelConfig.read(folder));
    }

    @Test
    void optionsThatAreNotSupported() {
        refuses("attention_bias", "true is not supported", json -> {
            json.putArray("architectures").add("MistralForCausalLM");
            json.put("attention_bias", true);
        });
        ModelFolder.edit(
                folder, "config.json", json -> json.put("attention_bias", false).put("mlp_bias", true));
        refuses("config.json", "mlp_bias", "true is not supported");
        ModelFolder.edit(
                folder, "config.json", json -> json.put("mlp_bias", false).put("hidden_act", "gelu"));
        refuses("config.json", "hidden_act", "gelu is not supported; known: silu");
        ModelFolder.edit(
                folder,
                "config.json",
                json -> json.put("hidden_act", "silu")
                        .putObject("quantization_config")
                        .put("quant_method", "awq"));
        refuses("config.json", "quantization_config", "quantized weights (awq) are not supported");
    }

    @ParameterizedTest
    @CsvSource({
        "final_logit_softcapping, 30.0, 30.0 is not supported",
        "partial_rotary_factor, 0.5, 0.5 is not supported",
        "num_experts, 4, 4 is not supported",
        "hidden_activation, '\"gelu_pytorch_tanh\"', gelu_pytorch_tanh is not supported",
        "clip_qkv, 8.0, 8.0 is not supported",
        // A cap of 1 is no neutral one.
        "final_logit_softcapping, 1.0, 1.0 is not supported",
        "attn_logit_softcapping, 1, 1 is not supported",
        "clip_qkv, 1.0, 1.0 is not supported",
        "logits_soft_cap, 1.0, 1.0 is not supported",
        "n_shared_experts, 1, 1 is not supported",
        "attention_scale, 0.1, 0.1 is not supported",
        "qk_norm, true, true is not supported",
        "use_qk_norm, true, true is not supported",
        "scale_emb, 12, 12 is not supported",
        "scale_depth, 1.4, 1.4 is not supported",
        "embedding_multiplier, 0, 0 is not supported",
        "residual_multiplier, 0.22, 0.22 is not supported",
        "logits_scaling, 8.0, 8.0 is not supported"
    })
    void keysThatDecideAreNotPassedOver(String key, String value, String reason) throws IOException {
        JsonNode decisive = JSON.readTree(value);
        refuses(key, reason, json -> json.set(key, decisive));
    }

    @Test
    void neutralValuesOfKeysThatDecideAreRead() {
        assertEquals(
                3,
                read(json -> json.put("clip_qkv", 0.0)
                                .put("use_qk_norm", false)
                                .put("scale_emb", 1)
                                .put("residual_multiplier", 1.0)
                                .putNull("final_logit_softcapping"))
                        .layers());
        // A family whose heads have norms.
        ModelFolder.copy("qwen3", subfolder("qwen3")).edit("config.json", json -> json.put("use_qk_norm", true));
        assertTrue(ModelConfig.read(folder.resolve("qwen3")).family().equals("qwen3"));
    }

    /** transformers 5.18: {'rope_type': 'linear', 'factor': 2.0, 'rope_theta': 10000.0}; with an empty one, rope_parameters. */
    @Test
    void ropeScalingStandsForRopeParameters() {
        ModelConfig c = read(json ->
                json.putObject("rope_scaling").put("rope_type", "linear").put("factor", 2.0));
        assertEquals(new Rope(10000, 16, new RopeScaling.Linear(2)), c.rope());
        ModelFolder.edit(folder, "config.json", json -> json.putObject("rope_scaling"));
        assertEquals(
                new Rope(10000, 16, RopeScaling.NONE), ModelConfig.read(folder).rope());
    }

    /** transformers 5.18 takes 10,000 for the base here, or what stands outside, or what rope_scaling has. */
    @Test
    void aBaseThatRopeScalingWouldLoseIsRefused() {
        refuses(
                "rope_theta",
                "'rope_scaling' stands for 'rope_parameters' and has no 'rope_theta', so that 10000.0 counts, not 500000.0",
                json -> {
                    json.putObject("rope_parameters").put("rope_theta", 500000.0);
                    json.putObject("rope_scaling").put("type", "linear").put("factor", 2.0);
                });
        ModelFolder.edit(folder, "config.json", json -> json.put("rope_theta", 500000));
        assertEquals(500000, ModelConfig.read(folder).rope().theta());
        ModelFolder.edit(
                folder, "config.json", json -> ((ObjectNode) json.get("rope_scaling")).put("rope_theta", 70000));
        assertEquals(70000, ModelConfig.read(folder).rope().theta());
    }

    /** transformers 5.18 takes longrope for Phi-3's su and yarn; of other families yarn is what it is called. */
    @Test
    void phi3CallsLongRopeYarnToo() {
        Rope expected = ModelConfig.read(Golden.path("families/phi3-longrope")).rope();
        assertEquals("longrope", expected.scaling().name());
        ModelFolder model = ModelFolder.copy("phi3-longrope", folder);
        for (String type : List.of("yarn", "su")) {
            model.edit("config.json", json -> {
                String key = json.hasNonNull("rope_scaling") ? "rope_scaling" : "rope_parameters";
                ((ObjectNode) json.get(key)).remove("rope_type");
                ((ObjectNode) json.get(key)).put("type", type);
            });
            assertEquals(expected, ModelConfig.read(folder).rope(), type);
        }
    }

    /** transformers 5.18: the class's 4096, whatever rope_parameters have; 24 and 256 positions are those of the folder. */
    @Test
    void phi3sOriginalLengthStandsOutside() {
        ModelFolder model = ModelFolder.copy("phi3-longrope", folder);
        RopeScaling.LongRope given =
                (RopeScaling.LongRope) ModelConfig.read(folder).rope().scaling();
        assertEquals(24, given.originalPositions());
        model.edit("config.json", json -> {
            ObjectNode rope = (ObjectNode) json.remove("rope_scaling");
            rope = rope == null ? (ObjectNode) json.get("rope_parameters") : rope;
            json.set("rope_parameters", rope.put("original_max_position_embeddings", 24));
            json.remove("original_max_position_embeddings");
        });
        RopeScaling.LongRope scaling =
                (RopeScaling.LongRope) ModelConfig.read(folder).rope().scaling();
        assertEquals(4096, scaling.originalPositions());
        assertEquals(1, scaling.magnitude());
    }

    /** transformers 5.18 reads as many as there are layers, and fails where there are fewer. */
    @Test
    void unrotatedLayersMayBeListedBeyondTheLast() {
        ModelFolder model = ModelFolder.copy("smollm3-slide", folder);
        model.edit("config.json", json -> {
            json.remove("layer_types");
            json.put("num_hidden_layers", 3);
            json.putArray("no_rope_layers").add(0).add(1).add(1).add(0).add(1);
        });
        ModelConfig c = ModelConfig.read(folder);
        assertEquals(
                List.of(false, true, true),
                c.kinds().stream().map(kind -> kind.rope() != null).toList());
        model.edit("config.json", json -> json.putArray("no_rope_layers").add(0).add(1));
        refuses("config.json", "no_rope_layers", "must have an entry for each of 3 layers, has 2");
    }

    /** transformers 5.18 masks the layers that are named, whatever use_sliding_window says. */
    @Test
    void namedLayersSlideInSmolLm3WhateverElseIsSaid() {
        ModelFolder model = ModelFolder.copy("smollm3-slide", folder);
        for (boolean used : new boolean[] {true, false}) {
            model.edit("config.json", json -> json.put("use_sliding_window", used));
            assertEquals(List.of(0, 5, 0, 5), windows());
        }
        model.edit("config.json", json -> json.remove("layer_types"));
        assertEquals(List.of(0, 0, 0, 0), windows());
        model.edit("config.json", json -> json.put("use_sliding_window", true));
        assertEquals(List.of(0, 5, 0, 5), windows());
    }

    private List<Integer> windows() {
        return ModelConfig.read(folder).kinds().stream().map(LayerKind::window).toList();
    }

    /** Python writes NaN and Infinity, which JSON does not have. */
    @Test
    void pythonsNumbersAreReadButForThoseThatCount() throws IOException {
        ModelFolder.copy("llama", folder).delete("generation_config.json");
        String config = Files.readString(folder.resolve("config.json"));
        for (String number : List.of("NaN", "Infinity")) {
            write(config, "time_step_limit", "[0.0, " + number + "]");
            assertEquals(3, ModelConfig.read(folder).layers());
            for (String key : List.of("rms_norm_eps", "rope_theta", "hidden_size", "eos_token_id")) {
                write(config, key, number);
                refuses("config.json", key, "must be a");
            }
            write(config, "scale_emb", number);
            refuses("config.json", "scale_emb", "is not supported");
        }
    }

    /** Writes a value that JSON does not have into a configuration. */
    private void write(String config, String key, String value) throws IOException {
        Path file = folder.resolve("config.json");
        Files.writeString(file, config);
        ModelFolder.edit(folder, "config.json", json -> json.put(key, "?"));
        Files.writeString(file, Files.readString(file).replace("\"?\"", value));
    }

    @Test
    void headsThatDoNotFit() {
        refuses("num_key_value_heads", "3 does not divide", json -> json.put("num_key_value_heads", 3));
        ModelFolder.edit(
                folder,
                "config.json",
                json -> json.put("num_key_value_heads", 2).put("head_dim", 15));
        refuses("config.json", "head_dim", "15 is odd");
        ModelFolder.edit(
                folder, "config.json", json -> json.put("hidden_size", 66).remove("head_dim"));
        refuses("config.json", "num_attention_heads", "4 does not divide");
    }

    @Test
    void filesThatAreNotThereOrNotJson() throws IOException {
        Path missing = folder.resolve("none");
        String message = assertThrows(BelayException.class, () -> ModelConfig.read(missing))
                .getMessage();
        assertEquals(missing + ": no such model folder; give a folder with config.json and safetensors files", message);
        message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.startsWith("cannot read " + folder.resolve("config.json") + ": no such file"), message);
        Files.writeString(folder.resolve("adapter_config.json"), "{}");
        message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.startsWith(folder + " is a LoRA adapter, not a model: "), message);
        Files.delete(folder.resolve("adapter_config.json"));
        for (String text : new String[] {"", "[]", "{\n  \"hidden_size\": ,\n}", "{} {}", "\u0001"}) {
            Files.writeString(folder.resolve("config.json"), text);
            message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                    .getMessage();
            assertTrue(message.startsWith(folder.resolve("config.json").toString()), message);
            assertTrue(message.contains("JSON"), message);
            assertFalse(message.contains("\n"), message);
        }
    }

    /** A batch's activations of a token: five rows of 48, queries three times, keys and values twice, and the feed-forward block. */
    @ParameterizedTest
    @CsvSource({
        // Gate, up and their product of two experts of 32 are less than those of the dense size, 80; two experts' rows,
        // six logits.
        "qwen3-moe, 902",
        // Of three experts of 24 more than those of 64; three rows, five logits.
        "moe-mixed, 925"
    })
    void theMemoryPlanCountsAllExpertsOfAToken(String family, int numbers) {
        MemoryPlan plan = MemoryPlan.of(ModelConfig.read(Golden.path("families/" + family)), Float.BYTES, 10);
        assertEquals(10L * numbers * Float.BYTES, plan.batch());
    }

    /** Of a model that also sees images, the language model must be there and be one that is known; the whole may be quantized. */
    @Test
    void aModelWithinAnother() {
        ModelFolder model = ModelFolder.copy("mistral", folder).edit("config.json", json -> {
            ObjectNode text = json.deepCopy();
            json.removeAll();
            json.putArray("architectures").add("Mistral3ForConditionalGeneration");
            json.put("dtype", "bfloat16").set("text_config", text.put("dtype", "float32"));
        });
        ModelConfig c = ModelConfig.read(folder);
        assertEquals("mistral", c.family());
        assertEquals(8, c.kinds().getFirst().window());
        assertEquals("float32", c.storedType());
        // As transformers has it, whatever text_config says.
        assertTrue(c.tiedEmbeddings());
        model.edit("config.json", json -> json.putObject("quantization_config").put("quant_method", "fp8"));
        String message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.contains("'quantization_config': quantized weights (fp8)"), message);
        model.edit("config.json", json -> json.withObject("text_config").put("model_type", "ministral3"));
        message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(
                message.endsWith("ministral3 is not supported for Mistral3ForConditionalGeneration; known: mistral"));
        model.edit("config.json", json -> json.remove("text_config"));
        message = assertThrows(BelayException.class, () -> ModelConfig.read(folder))
                .getMessage();
        assertTrue(message.contains("there is no 'text_config'"), message);
    }
}
