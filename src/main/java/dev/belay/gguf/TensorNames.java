package dev.belay.gguf;

import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names of tensors: GGUF's and those of a model folder. */
final class TensorNames {
    private static final Pattern BLOCK = Pattern.compile("blk\\.(\\d{1,6})\\.(\\w+)\\.(weight|bias)");
    private static final Map<String, String> WHOLE = Map.of(
            "token_embd.weight", "model.embed_tokens.weight",
            "output_norm.weight", "model.norm.weight",
            "output.weight", "lm_head.weight");
    private static final Map<String, String> IN_BLOCK = Map.ofEntries(
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("ffn_norm", "post_attention_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_output", "self_attn.o_proj"),
            Map.entry("attn_q_norm", "self_attn.q_norm"),
            Map.entry("attn_k_norm", "self_attn.k_norm"),
            Map.entry("ffn_gate", "mlp.gate_proj"),
            Map.entry("ffn_up", "mlp.up_proj"),
            Map.entry("ffn_down", "mlp.down_proj"));

    private TensorNames() {}

    /**
     * The name in a model folder.
     *
     * @throws BelayException if there is no such tensor in the models that can be converted
     */
    static String of(Path path, String name) {
        Matcher block = BLOCK.matcher(name);
        String inFolder = WHOLE.get(name);
        if (block.matches() && IN_BLOCK.containsKey(block.group(2))) {
            inFolder = "model.layers." + block.group(1) + "." + IN_BLOCK.get(block.group(2)) + "." + block.group(3);
        }
        if (inFolder == null) {
            throw new BelayException(path + " has the tensor " + name
                    + ", which no dense Llama, Qwen2 or Qwen3 model has; this kind of model cannot be converted");
        }
        return inFolder;
    }

    /** Whether it is a query's or a key's projection, weight or bias. */
    static boolean isQuery(String name) {
        return name.matches("blk\\.\\d+\\.attn_q\\.(weight|bias)");
    }

    static boolean isKey(String name) {
        return name.matches("blk\\.\\d+\\.attn_k\\.(weight|bias)");
    }
}
