package dev.belay.gguf;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.util.List;
import java.util.Map;

/** The config.json of a GGUF file. */
final class GgufConfig {
    private static final Map<String, String> ARCHITECTURES =
            Map.of("llama", "LlamaForCausalLM", "qwen2", "Qwen2ForCausalLM", "qwen3", "Qwen3ForCausalLM");
    private static final String ROPE_FACTORS = "rope_freqs.weight";
    /** llama3's scaling, of which all published models have the same but for the factor. */
    private static final double LOW_FREQUENCIES = 1;

    private static final double HIGH_FREQUENCIES = 4;
    private static final int ORIGINAL_CONTEXT = 8192;
    private static final double SAME_FACTOR = 1e-3;

    private final GgufFile file;
    private final String architecture;

    GgufConfig(GgufFile file) {
        this.file = file;
        architecture = file.text("general.architecture");
        if (!ARCHITECTURES.containsKey(architecture)) {
            throw new BelayException(file.path() + " is a model of the architecture '" + GgufFile.shown(architecture)
                    + "'; llama, qwen2 and qwen3 can be converted");
        }
        if (file.has(key("expert_count")) && file.whole(key("expert_count")) > 0) {
            throw new BelayException(file.path() + " is a mixture of experts, which cannot be converted");
        }
    }

    private String key(String name) {
        return architecture + "." + name;
    }

    /** Whether rows of queries and keys are in llama.cpp's order of rotated pairs. */
    boolean permuted() {
        return architecture.equals("llama");
    }

    int heads() {
        return positive(key("attention.head_count"));
    }

    int keyHeads() {
        return file.has(key("attention.head_count_kv")) ? positive(key("attention.head_count_kv")) : heads();
    }

    int headSize() {
        return file.has(key("attention.key_length"))
                ? positive(key("attention.key_length"))
                : positive(key("embedding_length")) / heads();
    }

    private int positive(String key) {
        int value = file.whole(key);
        if (value == 0) {
            throw new BelayException(file.path() + ": " + key + " is 0");
        }
        return value;
    }

    /** Whether a tensor goes into the configuration and not into the weights. */
    static boolean isConfiguration(String tensor) {
        return tensor.equals(ROPE_FACTORS);
    }

    ObjectNode json() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.putArray("architectures").add(ARCHITECTURES.get(architecture));
        json.put("model_type", architecture).put("hidden_act", "silu").put("torch_dtype", "bfloat16");
        json.put("hidden_size", positive(key("embedding_length")));
        json.put("intermediate_size", positive(key("feed_forward_length")));
        json.put("num_hidden_layers", positive(key("block_count")));
        json.put("num_attention_heads", heads())
                .put("num_key_value_heads", keyHeads())
                .put("head_dim", headSize());
        json.put("max_position_embeddings", positive(key("context_length")));
        json.put("rms_norm_eps", shortest(file.number(key("attention.layer_norm_rms_epsilon"))));
        json.put("rope_theta", shortest(file.number(key("rope.freq_base"), 10000)));
        json.put("vocab_size", vocabulary());
        json.put("tie_word_embeddings", file.tensor("output.weight") == null);
        if (permuted()) {
            json.put("attention_bias", file.tensor("blk.0.attn_q.bias") != null);
            json.put("mlp_bias", file.tensor("blk.0.ffn_gate.bias") != null);
        }
        if (architecture.equals("qwen2")) {
            json.put("use_sliding_window", false);
        }
        int rotated = file.whole(key("rope.dimension_count"), headSize());
        if (rotated != headSize()) {
            throw new BelayException(file.path() + " rotates " + rotated + " of " + headSize()
                    + " features of a head, which models of this architecture do not");
        }
        refuseOthers();
        scaling(json);
        token(json, "bos_token_id", "tokenizer.ggml.bos_token_id");
        token(json, "eos_token_id", "tokenizer.ggml.eos_token_id");
        return json;
    }

    private void token(ObjectNode json, String name, String key) {
        if (file.has(key)) {
            json.put(name, file.whole(key));
        }
    }

    private long vocabulary() {
        GgufTensor embedding = file.tensor("token_embd.weight");
        if (embedding == null) {
            throw new BelayException(file.path() + " has no tensor token_embd.weight; is it a whole language model?");
        }
        if (embedding.shape().length != 2) {
            throw new BelayException(file.path() + ": token_embd.weight has " + embedding.shape().length
                    + " axes, not one of tokens and one of features; download the file again");
        }
        return embedding.rows();
    }

    /** The decimal number that a float32 stands for: 1e-5 rather than 9.999999747378752e-6. */
    private static double shortest(double value) {
        return Double.parseDouble(Float.toString((float) value));
    }

    /** As llama.cpp reads it: a factor without a type is linear scaling, also under its old name; without a factor nothing is scaled. */
    private void scaling(ObjectNode json) {
        String type = file.text(key("rope.scaling.type"), "linear");
        double factor = type.equals("none") ? 1 : shortest(factor());
        refuse("rope.scaling.attn_factor", 1);
        refuse("rope.scaling.alpha", 0);
        refuse("rope.scaling.yarn_attn_factor", 1);
        refuse("rope.scaling.yarn_log_multiplier", 0);
        refuse("rope.scaling.yarn_ext_factor", type.equals("yarn") ? 1 : 0);
        boolean scaled = factor != 0 && factor != 1;
        if (!type.matches("none|linear|yarn")) {
            throw new BelayException(file.path() + " scales its rotary embedding by '" + GgufFile.shown(type)
                    + "'; linear, yarn and llama3 can be converted");
        }
        if (file.tensor(ROPE_FACTORS) != null) {
            if (scaled) {
                throw new BelayException(file.path() + " scales its rotary embedding by " + ROPE_FACTORS
                        + " and by the " + type + " factor " + factor + "; only one of the two can be converted");
            }
            llama3(json);
        } else if (scaled) {
            ObjectNode scaling = json.putObject("rope_scaling");
            scaling.put("rope_type", type).put("factor", factor);
            if (type.equals("yarn")) {
                yarn(scaling);
            }
        }
    }

    private double factor() {
        return file.number(key("rope.scaling.factor"), file.number(key("rope.scale_linear"), 0));
    }

    private void yarn(ObjectNode scaling) {
        String original = key("rope.scaling.original_context_length");
        scaling.put(
                "original_max_position_embeddings",
                file.has(original) ? file.whole(original) : positive(key("context_length")));
        for (String name : List.of("beta_fast", "beta_slow")) {
            if (file.has(key("rope.scaling.yarn_" + name))) {
                scaling.put(name, shortest(file.number(key("rope.scaling.yarn_" + name))));
            }
        }
    }

    /** Refuses what changes the numbers and models of these architectures do not have. */
    private void refuseOthers() {
        for (String name : List.of("logit_scale", "embedding_scale", "residual_scale")) {
            refuse(name, 1);
        }
        for (String name : List.of(
                "attn_logit_softcapping",
                "final_logit_softcapping",
                "attention.scale",
                "attention.clamp_kqv",
                "attention.max_alibi_bias")) {
            refuse(name, 0);
        }
        refuse("attention.value_length", headSize());
        int window = file.whole(key("attention.sliding_window"), 0);
        if (window > 0 && window < positive(key("context_length"))) {
            throw new BelayException(file.path() + ": " + key("attention.sliding_window") + " " + window
                    + " cannot be converted, only one that is not shorter than the context");
        }
        refuse("attention.causal", true);
        refuse("use_parallel_residual", false);
    }

    private void refuse(String name, boolean usual) {
        if (file.flag(key(name), usual) != usual) {
            throw new BelayException(
                    file.path() + ": " + key(name) + " " + !usual + " cannot be converted, only " + usual);
        }
    }

    /** Refuses a setting that config.json has no key for; negative ones mean the usual. */
    private void refuse(String name, double usual) {
        double value = file.number(key(name), usual);
        if (value != usual && value >= 0) {
            throw new BelayException(
                    file.path() + ": " + key(name) + " " + shortest(value) + " cannot be converted, only " + usual);
        }
    }

    /** The factors of llama3's scaling are in the file one by one: finds the one they come from. */
    private void llama3(ObjectNode json) {
        GgufTensor tensor = file.tensor(ROPE_FACTORS);
        float[] factors = file.rows(tensor, 0, tensor.rows());
        double factor = 1;
        for (float value : factors) {
            factor = Math.max(factor, value);
        }
        double base = shortest(file.number(key("rope.freq_base"), 10000));
        for (int i = 0; i < factors.length; i++) {
            double turns = ORIGINAL_CONTEXT * Math.pow(base, -2.0 * i / headSize()) / (2 * Math.PI);
            double smooth = Math.clamp((turns - LOW_FREQUENCIES) / (HIGH_FREQUENCIES - LOW_FREQUENCIES), 0, 1);
            double expected = 1 / ((1 - smooth) / factor + smooth);
            if (factors.length != headSize() / 2 || Math.abs(expected / factors[i] - 1) > SAME_FACTOR) {
                throw new BelayException(
                        file.path() + ": the factors in " + ROPE_FACTORS + " are not those of llama3's scaling");
            }
        }
        ObjectNode scaling = json.putObject("rope_scaling");
        scaling.put("rope_type", "llama3").put("factor", shortest(factor));
        scaling.put("low_freq_factor", LOW_FREQUENCIES).put("high_freq_factor", HIGH_FREQUENCIES);
        scaling.put("original_max_position_embeddings", ORIGINAL_CONTEXT);
    }

    /** generation_config.json: every token that ends a text. */
    ObjectNode generation() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        token(json, "bos_token_id", "tokenizer.ggml.bos_token_id");
        List<Integer> ends = List.of("eos", "eot", "eom").stream()
                .map(name -> "tokenizer.ggml." + name + "_token_id")
                .filter(file::has)
                .map(file::whole)
                .distinct()
                .toList();
        ends.forEach(json.withArray("/eos_token_id")::add);
        return json;
    }
}
