package dev.belay.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import dev.belay.device.AttentionShape;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The shape of a model, from {@code config.json}.
 *
 * @param family {@code model_type}
 * @param architecture first of {@code architectures}
 * @param layers L
 * @param heads query heads, H
 * @param kvHeads key/value heads, KV
 * @param headSize HD
 * @param hidden D
 * @param feedForward F
 * @param vocabulary V
 * @param normEps added to the mean square in RMS norm
 * @param ropeTheta base of the rotary frequencies
 * @param positions longest text that the model was made for
 * @param tiedEmbeddings whether the output matrix is the embedding table
 * @param storedType number type that the configuration names, or "unknown"
 * @param endTokens token ids that end a text
 * @param maxNewTokens {@code max_new_tokens} of generation_config.json, or 0
 */
public record ModelConfig(
        String family,
        String architecture,
        int layers,
        int heads,
        int kvHeads,
        int headSize,
        int hidden,
        int feedForward,
        int vocabulary,
        float normEps,
        double ropeTheta,
        RopeScaling ropeScaling,
        int positions,
        boolean tiedEmbeddings,
        String storedType,
        List<Integer> endTokens,
        int maxNewTokens) {

    /** Architectures that the forward pass knows. */
    public static final List<String> ARCHITECTURES = List.of("LlamaForCausalLM");

    /**
     * Reads {@code config.json} and, where there is one, {@code generation_config.json} of a model folder.
     *
     * @throws BelayException if a file is missing or malformed, or the architecture or one of its options is not supported
     */
    public static ModelConfig read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new BelayException(
                    folder + ": no such model folder; give a folder with config.json and safetensors files");
        }
        JsonFile config = JsonFile.read(folder.resolve("config.json"));
        String architecture = architecture(config);
        refuseOptions(config);
        int heads = config.positive("num_attention_heads", null);
        int hidden = config.positive("hidden_size", null);
        String rope = config.get("rope_parameters") != null ? "rope_parameters" : "rope_scaling";
        Path generationPath = folder.resolve("generation_config.json");
        JsonFile generation = Files.exists(generationPath) ? JsonFile.read(generationPath) : null;
        return new ModelConfig(
                config.text("model_type", "unknown"),
                architecture,
                config.positive("num_hidden_layers", null),
                heads,
                kvHeads(config, heads),
                headSize(config, heads, hidden),
                hidden,
                config.positive("intermediate_size", null),
                config.positive("vocab_size", null),
                (float) config.positiveNumber("rms_norm_eps", 1e-6),
                ropeTheta(config, config.object(rope)),
                RopeScaling.of(config.object(rope), config.path()),
                config.positive("max_position_embeddings", 2048),
                config.flag("tie_word_embeddings", false),
                config.text("dtype", config.text("torch_dtype", "unknown")),
                endTokens(config, generation),
                generation == null ? 0 : generation.positive("max_new_tokens", 0));
    }

    private static String architecture(JsonFile config) {
        JsonNode named = config.get("architectures");
        String architecture = named != null && named.isArray() && !named.isEmpty()
                ? named.get(0).asText()
                : "none";
        if (!ARCHITECTURES.contains(architecture)) {
            throw new BelayException(config.path() + ": 'architectures': " + architecture + " is not supported; known: "
                    + String.join(", ", ARCHITECTURES));
        }
        return architecture;
    }

    private static int kvHeads(JsonFile config, int heads) {
        int kvHeads = config.positive("num_key_value_heads", heads);
        if (heads % kvHeads != 0) {
            throw new BelayException(config.path() + ": 'num_key_value_heads' " + kvHeads
                    + " does not divide 'num_attention_heads' " + heads);
        }
        return kvHeads;
    }

    private static int headSize(JsonFile config, int heads, int hidden) {
        if (config.get("head_dim") == null && hidden % heads != 0) {
            throw new BelayException(config.path() + ": 'num_attention_heads' " + heads
                    + " does not divide 'hidden_size' " + hidden + ", and there is no 'head_dim'");
        }
        int headSize = config.positive("head_dim", hidden / heads);
        if (headSize % 2 != 0) {
            throw new BelayException(config.path() + ": 'head_dim' " + headSize
                    + " is odd: the rotary embedding turns halves of a head");
        }
        return headSize;
    }

    private static double ropeTheta(JsonFile config, JsonNode rope) {
        return rope != null && rope.hasNonNull("rope_theta")
                ? RopeScaling.number(rope, "rope_theta", config.path())
                : config.positiveNumber("rope_theta", 10000);
    }

    private static void refuseOptions(JsonFile config) {
        for (String bias : List.of("attention_bias", "mlp_bias")) {
            if (config.flag(bias, false)) {
                throw new BelayException(config.path() + ": '" + bias + "': true is not supported");
            }
        }
        String activation = config.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw new BelayException(
                    config.path() + ": 'hidden_act': " + activation + " is not supported; known: silu");
        }
        if (config.get("quantization_config") != null) {
            throw new BelayException(
                    config.path()
                            + ": 'quantization_config': quantized weights are not supported; use the float32, float16 or bfloat16 release of the model");
        }
    }

    private static List<Integer> endTokens(JsonFile config, JsonFile generation) {
        String key = "eos_token_id";
        JsonFile file = generation != null && generation.get(key) != null ? generation : config;
        JsonNode node = file.get(key);
        List<Integer> tokens = new ArrayList<>();
        for (JsonNode token : node == null ? List.<JsonNode>of() : node.isArray() ? node : List.of(node)) {
            if (!token.isIntegralNumber() || !token.canConvertToInt()) {
                throw file.wrong(key, "a token id or a list of them", node);
            }
            tokens.add(token.intValue());
        }
        return List.copyOf(tokens);
    }

    /** Sizes that the attention operations need. */
    public AttentionShape attention() {
        return new AttentionShape(heads, kvHeads, headSize, headSize, (float) (1 / Math.sqrt(headSize)));
    }

    /** Whether a token ends a text. */
    public boolean isEnd(int token) {
        return endTokens.contains(token);
    }

    /** Rotary frequencies in radians per position, scaled, [headSize / 2]. */
    public double[] ropeFrequencies() {
        double[] frequencies = new double[headSize / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = ropeScaling.scale(1 / Math.pow(ropeTheta, 2.0 * i / headSize));
        }
        return frequencies;
    }

    /** Number of parameters that the forward pass uses; a tied output matrix counts once. */
    public long parameters() {
        long attention = 2L * hidden * heads * headSize + 2L * hidden * kvHeads * headSize;
        long layer = attention + 3L * hidden * feedForward + 2L * hidden;
        return layers * layer + hidden + (tiedEmbeddings ? 1L : 2L) * vocabulary * hidden;
    }
}
