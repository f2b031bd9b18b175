package dev.belay.cli;

import static dev.belay.weights.TensorType.F32;

import dev.belay.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A model in the form of a guard whose next token depends on the last one alone: one-hot embeddings, layers of zeros, and an output
 * matrix that says which token follows which. It has tiny-cliff's tokenizer.
 */
final class GuardModel {
    private static final int SIZE = 1024;
    private static final int END = 1;

    /** Asks as Llama Guard 3 does; the last token, from which the verdict follows, depends on the response. */
    static final String TEMPLATE = "<|begin_of_text|><|User|>Task: Check if there is unsafe content.\n"
            + "S1: Violent Crimes.\nS2: Hate.\nUser: {{ messages[0].content | trim }}\nAgent: {{ messages[1].content | trim }}\n"
            + "{% if 'yes' in messages[1].content %}<|Assistant|>{% elif 'no' in messages[1].content %}<|User|>"
            + "{% else %}<think>{% endif %}";

    private GuardModel() {}

    static Path write(Path folder, String template) {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", new long[] {SIZE, SIZE});
        shapes.put("lm_head.weight", new long[] {SIZE, SIZE});
        shapes.put("model.norm.weight", new long[] {SIZE});
        String layer = "model.layers.0.";
        shapes.put(layer + "input_layernorm.weight", new long[] {SIZE});
        shapes.put(layer + "post_attention_layernorm.weight", new long[] {SIZE});
        for (String name : new String[] {"q_proj", "k_proj", "v_proj"}) {
            shapes.put(layer + "self_attn." + name + ".weight", new long[] {32, SIZE});
        }
        shapes.put(layer + "self_attn.o_proj.weight", new long[] {SIZE, 32});
        shapes.put(layer + "mlp.gate_proj.weight", new long[] {32, SIZE});
        shapes.put(layer + "mlp.up_proj.weight", new long[] {32, SIZE});
        shapes.put(layer + "mlp.down_proj.weight", new long[] {SIZE, 32});
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(folder.resolve("model.safetensors"));
        shapes.forEach((name, shape) -> file.tensor(name, F32, shape));
        try (SafetensorsWriter out = file.open()) {
            shapes.forEach((name, shape) -> out.write(name, values(name, shape)));
        }
        try {
            Files.copy(Cli.TINY.resolve("tokenizer.json"), folder.resolve("tokenizer.json"));
            Files.writeString(folder.resolve("chat_template.jinja"), template);
            Files.writeString(folder.resolve("config.json"), """
                    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "intermediate_size": 32,
                     "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 32,
                     "vocab_size": 1024, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
                     "hidden_act": "silu", "tie_word_embeddings": false, "bos_token_id": 0, "eos_token_id": 1,
                     "torch_dtype": "float32"}
                    """);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return folder;
    }

    private static float[] values(String name, long[] shape) {
        float[] values = new float[(int) (shape[0] * (shape.length > 1 ? shape[1] : 1))];
        switch (name) {
            case "model.embed_tokens.weight" -> {
                for (int i = 0; i < SIZE; i++) {
                    values[i * SIZE + i] = 1;
                }
            }
            case "lm_head.weight" -> {
                chain(values, 3, 91, 84, 89, 71, 462, 205, 57, 23, END); // u n s a fe \n S 1
                chain(values, 2, 514, END); // safe
                chain(values, 5, 94, END); // x
            }
            default -> {
                for (int i = 0; shape.length == 1 && i < SIZE; i++) {
                    values[i] = 1;
                }
            }
        }
        return values;
    }

    /** Has each of the tokens follow the one before it. */
    private static void chain(float[] head, int... tokens) {
        for (int i = 0; i + 1 < tokens.length; i++) {
            head[tokens[i + 1] * SIZE + tokens[i]] = 1;
        }
    }
}
