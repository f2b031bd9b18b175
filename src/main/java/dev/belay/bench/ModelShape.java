package dev.belay.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.stream.LongStream;

/**
 * The sizes of a model, without its weights.
 *
 * @param name what it is called on a command line
 * @param architecture the class that transformers loads it with
 * @param family {@code model_type}
 * @param layers L
 * @param heads query heads, H
 * @param kvHeads key/value heads, KV
 * @param headSize HD
 * @param hidden D
 * @param feedForward F
 * @param vocabulary V
 * @param positions longest text that the model was made for
 * @param normEps added to the mean square in RMS norm
 * @param ropeTheta base of the rotary frequencies
 * @param tied whether the output matrix is the embedding table
 * @param headNorms whether the queries and keys of each head are normed
 * @param beginToken token id that begins a text
 * @param endToken token id that ends one
 */
public record ModelShape(
        String name,
        String architecture,
        String family,
        int layers,
        int heads,
        int kvHeads,
        int headSize,
        int hidden,
        int feedForward,
        int vocabulary,
        int positions,
        double normEps,
        double ropeTheta,
        boolean tied,
        boolean headNorms,
        int beginToken,
        int endToken) {
    private static final String LLAMA = "LlamaForCausalLM";

    /** The shapes that have a name. */
    public static final List<ModelShape> NAMED = List.of(
            new ModelShape(
                    "smollm2-135m", LLAMA, "llama", 30, 9, 3, 64, 576, 1536, 49152, 8192, 1e-5, 1e5, true, false, 1, 2),
            new ModelShape(
                    "qwen3-0.6b",
                    "Qwen3ForCausalLM",
                    "qwen3",
                    28,
                    16,
                    8,
                    128,
                    1024,
                    3072,
                    151936,
                    40960,
                    1e-6,
                    1e6,
                    true,
                    true,
                    151643,
                    151645),
            new ModelShape(
                    "llama3-8b",
                    LLAMA,
                    "llama",
                    32,
                    32,
                    8,
                    128,
                    4096,
                    14336,
                    128256,
                    8192,
                    1e-5,
                    5e5,
                    false,
                    false,
                    128000,
                    128001));

    /**
     * The shape of that name.
     *
     * @throws BelayException if there is none, with those that there are
     */
    public static ModelShape of(String name) {
        return NAMED.stream()
                .filter(shape -> shape.name.equals(name))
                .findFirst()
                .orElseThrow(
                        () -> new BelayException("unknown shape '" + name + "'; known: " + String.join(", ", names())));
    }

    /** The names of all. */
    public static List<String> names() {
        return NAMED.stream().map(ModelShape::name).toList();
    }

    /** Its tensors, as transformers names them, with their dimensions; a norm's weights have one. */
    public SequencedMap<String, long[]> tensors() {
        long queries = (long) heads * headSize;
        long keys = (long) kvHeads * headSize;
        SequencedMap<String, long[]> tensors = new LinkedHashMap<>();
        tensors.put("model.embed_tokens.weight", new long[] {vocabulary, hidden});
        for (int l = 0; l < layers; l++) {
            String layer = "model.layers." + l + ".";
            tensors.put(layer + "input_layernorm.weight", new long[] {hidden});
            tensors.put(layer + "self_attn.q_proj.weight", new long[] {queries, hidden});
            tensors.put(layer + "self_attn.k_proj.weight", new long[] {keys, hidden});
            tensors.put(layer + "self_attn.v_proj.weight", new long[] {keys, hidden});
            tensors.put(layer + "self_attn.o_proj.weight", new long[] {hidden, queries});
            if (headNorms) {
                tensors.put(layer + "self_attn.q_norm.weight", new long[] {headSize});
                tensors.put(layer + "self_attn.k_norm.weight", new long[] {headSize});
            }
            tensors.put(layer + "post_attention_layernorm.weight", new long[] {hidden});
            tensors.put(layer + "mlp.gate_proj.weight", new long[] {feedForward, hidden});
            tensors.put(layer + "mlp.up_proj.weight", new long[] {feedForward, hidden});
            tensors.put(layer + "mlp.down_proj.weight", new long[] {hidden, feedForward});
        }
        tensors.put("model.norm.weight", new long[] {hidden});
        if (!tied) {
            tensors.put("lm_head.weight", new long[] {vocabulary, hidden});
        }
        return tensors;
    }

    /** Number of weights in all tensors. */
    public long parameters() {
        return tensors().values().stream().mapToLong(ModelShape::elements).sum();
    }

    /** Elements of a tensor of these dimensions. */
    static long elements(long[] dimensions) {
        return LongStream.of(dimensions).reduce(1, (a, b) -> a * b);
    }

    /** Its {@code config.json}, in the spelling of transformers 4. */
    public String config() {
        ObjectNode json = new ObjectMapper().createObjectNode();
        json.putArray("architectures").add(architecture);
        json.put("attention_bias", false).put("attention_dropout", 0.0);
        json.put("bos_token_id", beginToken).put("eos_token_id", endToken);
        json.put("head_dim", headSize).put("hidden_act", "silu").put("hidden_size", hidden);
        json.put("initializer_range", RandomModel.DEVIATION).put("intermediate_size", feedForward);
        json.put("max_position_embeddings", positions).put("mlp_bias", false).put("model_type", family);
        json.put("num_attention_heads", heads).put("num_hidden_layers", layers);
        json.put("num_key_value_heads", kvHeads).put("rms_norm_eps", normEps);
        json.putNull("rope_scaling").put("rope_theta", ropeTheta);
        json.put("tie_word_embeddings", tied).put("torch_dtype", "bfloat16").put("transformers_version", "4.57.0");
        json.put("use_cache", true).put("vocab_size", vocabulary);
        if (headNorms) {
            // Qwen only, beside its head norms: mlp_bias is Llama's.
            json.remove("mlp_bias");
            json.putNull("sliding_window").put("use_sliding_window", false).put("max_window_layers", layers);
        }
        return json.toPrettyString() + "\n";
    }
}
