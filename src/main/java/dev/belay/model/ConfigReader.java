package dev.belay.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Reads {@code config.json} as transformers 4 and 5 write it. */
final class ConfigReader {
    /** Keys of options that the forward pass does not know; null, 0 and false mean that there is none. */
    private static final List<String> OPTIONS = List.of(
            "final_logit_softcapping",
            "attn_logit_softcapping",
            "logits_soft_cap",
            "attn_logits_soft_cap",
            "attention_scale",
            "query_pre_attn_scalar",
            "dim_model_base",
            "clip_qkv",
            "attention_chunk_size",
            "alibi",
            "use_alibi",
            "parallel_attn",
            "use_parallel_residual",
            "use_bidirectional_attention",
            "shared_expert_intermediate_size",
            "n_shared_experts");

    /** Keys of norms of queries and keys, which only families with norms of heads have. */
    private static final List<String> HEAD_NORMS = List.of("qk_norm", "use_qk_norm", "qk_layernorm");

    /** Keys of factors that the forward pass does not know; null and 1 leave everything as it is. */
    private static final List<String> MULTIPLIERS = List.of(
            "attention_multiplier",
            "embedding_multiplier",
            "residual_multiplier",
            "lm_head_multiplier",
            "logits_scaling",
            "logit_scale",
            "scale_emb",
            "scale_depth");

    /** Far beyond every model, and small enough that no product of sizes overflows. */
    private static final int MOST_LAYERS = 1 << 12;

    private static final int WIDEST = 1 << 18;
    private static final int MOST_TOKENS = 1 << 24;
    private static final int MOST_POSITIONS = 1 << 30;

    /** Texts for which rotary frequencies are tried. */
    private static final int LONG_TEXT = 1 << 20;

    private final JsonFile config;
    private final Family family;

    private ConfigReader(JsonFile file) {
        family = family(file);
        config = family.nested() == null ? file : text(file);
    }

    /** The configuration of the language model, with what the file says of the whole. */
    private JsonFile text(JsonFile file) {
        JsonFile text = file.within("text_config", "tie_word_embeddings");
        JsonNode type = file.get("text_config").path("model_type");
        if (!type.isMissingNode() && !type.asText().equals(family.nested())) {
            throw new BelayException(file.path() + ": 'text_config': 'model_type': " + type.asText()
                    + " is not supported for " + family.architecture() + "; known: " + family.nested());
        }
        return text;
    }

    static ModelConfig read(Path folder) {
        if (Files.isRegularFile(folder) && folder.toString().endsWith(".gguf")) {
            throw new BelayException(folder + " is a GGUF file, not a model folder; make one of it with"
                    + " belay convert " + folder + " -o DIR");
        }
        if (!Files.isDirectory(folder)) {
            throw new BelayException(
                    folder + ": no such model folder; give a folder with config.json and safetensors files");
        }
        if (Files.notExists(folder.resolve("config.json")) && Files.exists(folder.resolve("adapter_config.json"))) {
            throw new BelayException(folder + " is a LoRA adapter, not a model: it has adapter_config.json but no"
                    + " config.json; merge it into the model that it is for, or bake without --as lora");
        }
        Path generation = folder.resolve("generation_config.json");
        return new ConfigReader(JsonFile.read(folder.resolve("config.json")))
                .read(Files.exists(generation) ? JsonFile.read(generation) : null);
    }

    private ModelConfig read(JsonFile generation) {
        refuseOptions();
        int heads = size("num_attention_heads", null, WIDEST);
        int hidden = size("hidden_size", null, WIDEST);
        int headSize = headSize(heads, hidden);
        int layers = size("num_hidden_layers", null, MOST_LAYERS);
        Experts experts = experts();
        List<LayerKind> kinds = kinds(layers, headSize, experts);
        return new ModelConfig(
                config.text("model_type", "unknown"),
                family,
                layers,
                heads,
                kvHeads(heads),
                headSize,
                hidden,
                size("intermediate_size", null, WIDEST),
                size("vocab_size", null, MOST_TOKENS),
                (float) config.positiveNumber("rms_norm_eps", preset("rms_norm_eps", 1e-6)),
                kinds,
                kinds.stream().anyMatch(LayerKind::experts) ? experts : null,
                bias(family.queryKeyValueBias(), "attention_bias"),
                bias(family.outputBias(), "attention_bias"),
                bias(family.feedForwardBias(), "mlp_bias"),
                longest(kinds),
                config.flag("tie_word_embeddings", family.defaults().containsKey("tie_word_embeddings")),
                config.text("dtype", config.text("torch_dtype", "unknown")),
                endTokens(generation),
                generation == null ? 0 : generation.positive("max_new_tokens", 0));
    }

    /** A positive integer of at most {@code largest}. */
    private int size(String key, Integer fallback, int largest) {
        int size = config.positive(key, fallback);
        if (size > largest) {
            throw new BelayException(config.path() + ": '" + key + "' " + size + " is more than " + largest
                    + ", which no model has; copy the file again");
        }
        return size;
    }

    private static Family family(JsonFile config) {
        JsonNode named = config.get("architectures");
        if (named != null && !(named.isArray() && named.valueStream().allMatch(JsonNode::isTextual))) {
            throw new BelayException(config.path() + ": 'architectures' is " + named
                    + ", not a list of names such as [\"LlamaForCausalLM\"]; copy the file again");
        }
        String architecture = named != null && !named.isEmpty() ? named.get(0).asText() : null;
        return Family.of(architecture, config.text("model_type", ""))
                .orElseThrow(() -> new BelayException(config.path() + ": 'architectures': "
                        + (architecture == null ? "none" : architecture) + " is not supported; known: "
                        + String.join(
                                ", ",
                                Family.ALL.stream().map(Family::architecture).toList())));
    }

    /** What the family takes for a key that is not there. */
    private double preset(String key, double otherwise) {
        return family.defaults().get(key) instanceof Number number ? number.doubleValue() : otherwise;
    }

    private int preset(String key, int otherwise) {
        return (int) preset(key, (double) otherwise);
    }

    private int positions() {
        return size("max_position_embeddings", preset("max_position_embeddings", 2048), MOST_POSITIONS);
    }

    /** Longest text: rotary scaling may stretch the positions that the configuration names. */
    private int longest(List<LayerKind> kinds) {
        long longest = kinds.stream()
                .filter(kind -> kind.rope() != null)
                .mapToLong(kind -> kind.rope().scaling().longest(positions()))
                .min()
                .orElse(positions());
        return (int) Math.min(longest, MOST_POSITIONS);
    }

    private int kvHeads(int heads) {
        // A null is a value: as many as there are heads.
        int absent = config.has("num_key_value_heads") ? heads : preset("num_key_value_heads", heads);
        int kvHeads = config.positive("num_key_value_heads", absent);
        if (heads % kvHeads != 0) {
            throw new BelayException(config.path() + ": 'num_key_value_heads' " + kvHeads
                    + " does not divide 'num_attention_heads' " + heads);
        }
        return kvHeads;
    }

    private int headSize(int heads, int hidden) {
        int preset = preset("head_dim", 0);
        if (config.get("head_dim") == null && preset == 0 && hidden % heads != 0) {
            throw new BelayException(config.path() + ": 'num_attention_heads' " + heads
                    + " does not divide 'hidden_size' " + hidden + ", and there is no 'head_dim'");
        }
        int headSize = size("head_dim", preset > 0 ? preset : Math.max(1, hidden / heads), Math.max(1, WIDEST / heads));
        if (headSize % 2 != 0) {
            throw new BelayException(config.path() + ": 'head_dim' " + headSize
                    + " is odd: the rotary embedding turns halves of a head");
        }
        return headSize;
    }

    private boolean bias(Family.Bias bias, String key) {
        boolean configured = config.flag(key, false);
        return bias == Family.Bias.ALWAYS || bias == Family.Bias.AS_CONFIGURED && configured;
    }

    private Experts experts() {
        if (!family.experts()) {
            return null;
        }
        String count = config.get("num_experts") != null ? "num_experts" : "num_local_experts";
        int experts = size(count, 128, MOST_LAYERS);
        int top = config.positive("num_experts_per_tok", 8);
        if (top > experts) {
            throw new BelayException(
                    config.path() + ": 'num_experts_per_tok' " + top + " is more than '" + count + "' " + experts);
        }
        return new Experts(
                experts, top, size("moe_intermediate_size", 768, WIDEST), config.flag("norm_topk_prob", false));
    }

    private List<LayerKind> kinds(int layers, int headSize, Experts experts) {
        List<String> types = texts("layer_types", layers);
        List<Integer> rotated = family.unrotatedLayers() ? rotated(layers) : null;
        Set<Integer> dense = new HashSet<>(integers("mlp_only_layers"));
        Map<String, Rope> ropes = new HashMap<>();
        int step = config.positive("decoder_sparse_step", 1);
        List<LayerKind> kinds = new ArrayList<>();
        for (int l = 0; l < layers; l++) {
            boolean turns = rotated == null || rotated.get(l) != 0;
            boolean mixture = experts != null && !dense.contains(l) && (l + 1) % step == 0;
            String type = types == null ? null : types.get(l);
            kinds.add(new LayerKind(
                    window(l, type, turns),
                    turns ? ropes.computeIfAbsent(String.valueOf(type), _ -> rope(type, headSize)) : null,
                    mixture));
        }
        checkRopes(kinds);
        return List.copyOf(kinds);
    }

    private List<Integer> rotated(int layers) {
        List<Integer> listed = integers("no_rope_layers");
        if (config.get("no_rope_layers") != null) {
            if (listed.size() < layers) {
                throw new BelayException(config.path() + ": 'no_rope_layers' must have an entry for each of " + layers
                        + " layers, has " + listed.size());
            }
            return listed.subList(0, layers);
        }
        int interval = config.positive("no_rope_layer_interval", 4);
        List<Integer> rotated = new ArrayList<>();
        for (int l = 0; l < layers; l++) {
            rotated.add((l + 1) % interval == 0 ? 0 : 1);
        }
        return rotated;
    }

    /** The window of layer {@code l}; 0 = all keys. */
    private int window(int l, String type, boolean turns) {
        if (family.mask() == Family.Mask.FULL) {
            return 0;
        }
        // A null is a value: no window.
        int window = config.has("sliding_window") ? config.positive("sliding_window", 0) : preset("sliding_window", 0);
        boolean used = config.flag("use_sliding_window", false);
        boolean named = "sliding_attention".equals(type);
        boolean slides = switch (family.mask()) {
            case FULL -> false;
            case WINDOW -> true;
            case WINDOW_IF_USED -> used;
            case LAYER_TYPES -> used && (type == null ? l >= config.whole("max_window_layers", 28) : named);
            case UNROTATED_LAYERS -> type == null ? used && !turns : named;
        };
        return slides ? window : 0;
    }

    private Rope rope(String type, int headSize) {
        JsonNode node = ropeSettings();
        if (node != null && node.path("full_attention").isObject()) {
            String layer = type == null ? "full_attention" : type;
            if (!node.path(layer).isObject()) {
                throw new BelayException(config.path() + ": 'rope_parameters' has nothing for '" + layer + "'");
            }
            node = node.get(layer);
        }
        double theta = config.positiveNumber("rope_theta", preset("rope_theta", 10000.0));
        double part = config.positiveNumber("partial_rotary_factor", 1);
        if (node != null) {
            RopeSettings settings = new RopeSettings(node, family, config.path());
            theta = settings.number("rope_theta", theta);
            part = settings.number("partial_rotary_factor", part);
            refuseLost(node, "rope_theta", theta);
            refuseLost(node, "partial_rotary_factor", part);
        }
        if (part > 1 || part != 1 && !family.partialRotary()) {
            throw new BelayException(config.path() + ": 'partial_rotary_factor': " + part + " is not supported for "
                    + family.architecture());
        }
        int size = (int) (headSize * part);
        if (size % 2 != 0 || size == 0) {
            throw new BelayException(config.path() + ": 'partial_rotary_factor': " + part + " of 'head_dim' " + headSize
                    + " is " + size + ": the rotary embedding turns an even number of dimensions");
        }
        int original =
                config.positive("original_max_position_embeddings", preset("original_max_position_embeddings", 0));
        Rope rope = new Rope(theta, size, RopeScaling.of(node, positions(), original, size, family, config.path()));
        checkNumbers(rope);
        return rope;
    }

    /** {@code rope_scaling} where there is something in it, else {@code rope_parameters}; null where there is neither. */
    private JsonNode ropeSettings() {
        JsonNode parameters = config.object("rope_parameters");
        JsonNode scaling = config.object("rope_scaling");
        return scaling == null || scaling.isEmpty() ? parameters : scaling;
    }

    /** Refuses a number of {@code rope_parameters} that {@code rope_scaling} beside it leaves out, and so puts out of force. */
    private void refuseLost(JsonNode settings, String key, double taken) {
        JsonNode lost = config.object("rope_parameters") == null
                ? null
                : config.object("rope_parameters").get(key);
        if (lost != null && lost.isNumber() && !settings.hasNonNull(key) && lost.doubleValue() != taken) {
            throw new BelayException(config.path() + ": 'rope_scaling' stands for 'rope_parameters' and has no '" + key
                    + "', so that " + taken + " counts, not " + lost + "; put all rope settings into one of the two");
        }
    }

    /** Settings that are numbers each may still give frequencies that are none. */
    private void checkNumbers(Rope rope) {
        boolean numbers = Double.isFinite(rope.scaling().magnitude());
        for (int length : new int[] {1, positions(), positions() + 1, LONG_TEXT}) {
            for (double f : rope.scaling().frequencies(rope.theta(), rope.size(), length)) {
                numbers &= f >= 0 && f * LONG_TEXT < Float.MAX_VALUE;
            }
        }
        if (!numbers) {
            throw new BelayException(config.path() + ": 'rope_theta' " + rope.theta() + " and the rope settings give"
                    + " frequencies that are no numbers; copy the file again");
        }
    }

    /** Layers that differ in their rotary embedding may not depend on the length of the text: the tables are laid out alike. */
    private void checkRopes(List<LayerKind> kinds) {
        boolean differ = false;
        boolean dependOnLength = false;
        Rope first = null;
        for (LayerKind kind : kinds) {
            Rope rope = kind.rope();
            if (rope != null) {
                first = first == null ? rope : first;
                // Without a set: the first hash of a record takes longer than all else here.
                differ |= rope != first && !rope.equals(first);
                dependOnLength |= rope.scaling().dependsOnLength();
            }
        }
        if (differ && dependOnLength) {
            throw new BelayException(config.path()
                    + ": 'rope_parameters': dynamic and longrope are only supported where all layers have the same");
        }
    }

    private void refuseOptions() {
        for (Map.Entry<String, Family.Bias> option : Map.of(
                        "attention_bias", family.queryKeyValueBias(), "mlp_bias", family.feedForwardBias())
                .entrySet()) {
            if (config.flag(option.getKey(), false) && option.getValue() == Family.Bias.NEVER) {
                throw new BelayException(config.path() + ": '" + option.getKey() + "': true is not supported for "
                        + family.architecture());
            }
        }
        for (String key : List.of("hidden_act", "hidden_activation")) {
            String activation = config.text(key, "silu");
            if (!activation.equals("silu") && !activation.equals("swish")) {
                throw new BelayException(
                        config.path() + ": '" + key + "': " + activation + " is not supported; known: silu");
            }
        }
        JsonNode quantization = config.get("quantization_config");
        if (quantization != null) {
            throw new BelayException(config.path() + ": 'quantization_config': quantized weights ("
                    + quantization.path("quant_method").asText("unknown method")
                    + ") are not supported; use the float32, float16 or bfloat16 release of the model");
        }
        refuse(OPTIONS, 0);
        refuse(MULTIPLIERS, 1);
        if (!family.headNorms()) {
            refuse(HEAD_NORMS, 0);
        }
        if (!family.experts()) {
            for (String key : List.of("num_experts", "num_local_experts", "n_routed_experts")) {
                if (config.get(key) != null && config.get(key).asInt() > 0) {
                    throw new BelayException(config.path() + ": '" + key + "': " + config.get(key)
                            + " is not supported for " + family.architecture());
                }
            }
        }
    }

    /** Refuses keys that are there with anything but {@code neutral} or false. */
    private void refuse(List<String> keys, double neutral) {
        for (String key : keys) {
            JsonNode value = config.get(key);
            if (value != null
                    && !(value.isNumber() && value.doubleValue() == neutral)
                    && !(value.isBoolean() && !value.booleanValue())) {
                throw new BelayException(config.path() + ": '" + key + "': " + value + " is not supported");
            }
        }
    }

    private List<Integer> integers(String key) {
        List<Integer> values = new ArrayList<>();
        JsonNode node = config.get(key);
        if (node != null && !node.isArray()) {
            throw config.wrong(key, "a list of integers", node);
        }
        for (JsonNode value : node == null ? List.<JsonNode>of() : node) {
            if (!value.isIntegralNumber() || !value.canConvertToInt()) {
                throw config.wrong(key, "a list of integers", node);
            }
            values.add(value.intValue());
        }
        return values;
    }

    private List<String> texts(String key, int count) {
        JsonNode node = config.get(key);
        if (node == null) {
            return null;
        }
        if (!node.isArray() || node.size() != count) {
            throw config.wrong(key, "a list of " + count + " names, one for each layer", node);
        }
        List<String> values = new ArrayList<>();
        for (JsonNode value : node) {
            String text = value.asText();
            if (!text.equals("full_attention") && !text.equals("sliding_attention")) {
                throw new BelayException(config.path() + ": '" + key + "': " + text
                        + " is not supported; known: full_attention, sliding_attention");
            }
            values.add(text);
        }
        return values;
    }

    private List<Integer> endTokens(JsonFile generation) {
        String key = "eos_token_id";
        JsonFile file = generation != null && generation.get(key) != null ? generation : config;
        JsonNode node = file.get(key);
        List<Integer> tokens = new ArrayList<>();
        for (JsonNode token : node == null ? List.<JsonNode>of() : node.isArray() ? node : List.of(node)) {
            if (!token.isIntegralNumber() || !token.canConvertToInt() || token.intValue() < 0) {
                throw file.wrong(key, "a token id or a list of them", node);
            }
            tokens.add(token.intValue());
        }
        return List.copyOf(tokens);
    }
}
