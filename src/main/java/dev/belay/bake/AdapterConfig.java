package dev.belay.bake;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;

/** adapter_config.json of a LoRA adapter on the output projections of some layers. */
final class AdapterConfig {
    private static final ObjectMapper JSON = new ObjectMapper();

    private AdapterConfig() {}

    /** The output projection of a layer, as transformers calls it. */
    static String module(ModelConfig config, int layer) {
        return config.description().module("layers." + layer + ".self_attn.o_proj");
    }

    static void write(Path target, Path model, ModelConfig config, SortedMap<Integer, List<Integer>> heads) {
        int most = heads.values().stream().mapToInt(List::size).max().orElse(0) * config.headSize();
        ObjectNode json = JSON.createObjectNode();
        json.put("peft_type", "LORA").put("task_type", "CAUSAL_LM");
        json.put("base_model_name_or_path", model.toString());
        // The alpha of a layer is its rank, so that the product counts once.
        json.put("r", most).put("lora_alpha", most).put("lora_dropout", 0.0).put("bias", "none");
        json.put("fan_in_fan_out", false).put("inference_mode", true).put("use_rslora", false);
        // Where the model also sees images, the layers that look at them have an o_proj too.
        json.putArray("target_modules").add(config.description().nested() == null ? "o_proj" : "self_attn.o_proj");
        ArrayNode layers = json.putArray("layers_to_transform");
        json.put("layers_pattern", "layers");
        ObjectNode ranks = json.putObject("rank_pattern");
        ObjectNode alphas = json.putObject("alpha_pattern");
        heads.forEach((layer, chosen) -> {
            layers.add(layer);
            String module = module(config, layer);
            ranks.put(module, chosen.size() * config.headSize());
            alphas.put(module, chosen.size() * config.headSize());
        });
        try {
            OutputFile.writeText(target, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
