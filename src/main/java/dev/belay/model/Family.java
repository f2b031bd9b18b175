package dev.belay.model;

import dev.belay.weights.TensorSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What sets a family of models apart from Llama. To add one, copy the description that comes closest and put it into {@link #ALL};
 * nothing else in the engine knows families.
 *
 * @param architecture name in {@code architectures} of config.json
 * @param type {@code model_type}, which names the family where {@code architectures} does not
 * @param projections how the weights of the projections are stored
 * @param queryKeyValueBias whether queries, keys and values have a bias
 * @param outputBias whether the output projection of attention has one
 * @param feedForwardBias whether the products of the feed-forward block have one
 * @param headNorms whether every head of queries and keys is RMS-normed
 * @param mask which keys a token sees
 * @param partialRotary whether {@code partial_rotary_factor} counts
 * @param yarnIsLongRope whether the rope type yarn is another name of longrope
 * @param renewsKeys whether a text's keys are computed again where it grows beyond the original length of longrope
 * @param unrotatedLayers whether {@code no_rope_layers} counts
 * @param experts whether feed-forward blocks may be mixtures of experts
 * @param nested {@code model_type} of its {@code text_config}, where config.json is that of a model that also sees images and tensors have
 *     {@code language_model} in their names; null where there is only text
 * @param defaults values of keys that config.json may leave out, where they are not those of Llama
 */
public record Family(
        String architecture,
        String type,
        Projections projections,
        Bias queryKeyValueBias,
        Bias outputBias,
        Bias feedForwardBias,
        boolean headNorms,
        Mask mask,
        boolean partialRotary,
        boolean yarnIsLongRope,
        boolean renewsKeys,
        boolean unrotatedLayers,
        boolean experts,
        String nested,
        Map<String, Object> defaults) {
    /** Stands before {@code layers} in the modules' names of a nested family, as transformers 5 has them. */
    static final String LANGUAGE_MODEL = "model.language_model.";

    /** How projections are stored. */
    public enum Projections {
        /** {@code q_proj}, {@code k_proj}, {@code v_proj}, {@code gate_proj}, {@code up_proj}. */
        SEPARATE,
        /** {@code qkv_proj}, {@code gate_up_proj}. */
        FUSED
    }

    /** Whether there is a bias. */
    public enum Bias {
        NEVER,
        ALWAYS,
        /** As {@code attention_bias}, or {@code mlp_bias}, says. */
        AS_CONFIGURED
    }

    /** Which keys a token sees. */
    public enum Mask {
        /** All before it; {@code sliding_window} means nothing. */
        FULL,
        /** The last {@code sliding_window} in every layer, where it is set. */
        WINDOW,
        /** That in every layer, where {@code use_sliding_window} is true. */
        WINDOW_IF_USED,
        /** That in the layers that {@code layer_types} names, or without it those from {@code max_window_layers} on. */
        LAYER_TYPES,
        /** That in the layers that {@code layer_types} names, or without it, where {@code use_sliding_window} is true, those not rotated. */
        UNROTATED_LAYERS
    }

    private static final Family LLAMA = new Family(
            "LlamaForCausalLM",
            "llama",
            Projections.SEPARATE,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            false,
            Mask.FULL,
            false,
            false,
            false,
            false,
            false,
            null,
            Map.of());

    private static final Family MISTRAL = new Family(
            "MistralForCausalLM",
            "mistral",
            Projections.SEPARATE,
            Bias.NEVER,
            Bias.NEVER,
            Bias.NEVER,
            false,
            Mask.WINDOW,
            false,
            false,
            false,
            false,
            false,
            null,
            Map.of("num_key_value_heads", 8, "max_position_embeddings", 131072, "sliding_window", 4096));

    private static final Family MISTRAL3 = MISTRAL.within("Mistral3ForConditionalGeneration", "mistral3");

    private static final Family QWEN2 = new Family(
            "Qwen2ForCausalLM",
            "qwen2",
            Projections.SEPARATE,
            Bias.ALWAYS,
            Bias.NEVER,
            Bias.NEVER,
            false,
            Mask.LAYER_TYPES,
            false,
            false,
            false,
            false,
            false,
            null,
            Map.of("num_key_value_heads", 32, "max_position_embeddings", 32768, "sliding_window", 4096));

    private static final Family QWEN3 = new Family(
            "Qwen3ForCausalLM",
            "qwen3",
            Projections.SEPARATE,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            Bias.NEVER,
            true,
            Mask.LAYER_TYPES,
            false,
            false,
            false,
            false,
            false,
            null,
            Map.of(
                    "num_key_value_heads",
                    32,
                    "head_dim",
                    128,
                    "max_position_embeddings",
                    32768,
                    "sliding_window",
                    4096));

    private static final Family QWEN3_MOE = new Family(
            "Qwen3MoeForCausalLM",
            "qwen3_moe",
            Projections.SEPARATE,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            Bias.NEVER,
            true,
            Mask.WINDOW_IF_USED,
            false,
            false,
            false,
            false,
            true,
            null,
            Map.of("num_key_value_heads", 4, "max_position_embeddings", 32768, "sliding_window", 4096));

    private static final Family PHI3 = new Family(
            "Phi3ForCausalLM",
            "phi3",
            Projections.FUSED,
            Bias.NEVER,
            Bias.NEVER,
            Bias.NEVER,
            false,
            Mask.WINDOW,
            true,
            true,
            true,
            false,
            false,
            null,
            Map.of("rms_norm_eps", 1e-5, "max_position_embeddings", 4096, "original_max_position_embeddings", 4096));

    private static final Family SMOLLM3 = new Family(
            "SmolLM3ForCausalLM",
            "smollm3",
            Projections.SEPARATE,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            Bias.AS_CONFIGURED,
            false,
            Mask.UNROTATED_LAYERS,
            false,
            false,
            false,
            true,
            false,
            null,
            Map.of(
                    "num_key_value_heads",
                    4,
                    "max_position_embeddings",
                    32768,
                    "rope_theta",
                    2e6,
                    "tie_word_embeddings",
                    true));

    /** The families that the engine knows. */
    public static final List<Family> ALL = List.of(LLAMA, MISTRAL, MISTRAL3, QWEN2, QWEN3, QWEN3_MOE, PHI3, SMOLLM3);

    /** This family as the language model of one that also sees images; {@code lm_head} may be left out there. */
    private Family within(String outer, String outerType) {
        Map<String, Object> changed = new HashMap<>(defaults);
        changed.put("tie_word_embeddings", true);
        return new Family(
                outer,
                outerType,
                projections,
                queryKeyValueBias,
                outputBias,
                feedForwardBias,
                headNorms,
                mask,
                partialRotary,
                yarnIsLongRope,
                renewsKeys,
                unrotatedLayers,
                experts,
                type,
                Map.copyOf(changed));
    }

    /** The files' tensors under the names that a causal language model of text alone has; closed with them. */
    public TensorSource tensors(TensorSource files) {
        return new LanguageTensors(files, nested != null);
    }

    /** The name of a module in transformers, without the {@code model.} of a model of text alone. */
    public String module(String name) {
        return (nested == null ? "model." : LANGUAGE_MODEL) + name;
    }

    /** The family with that architecture, or a base model that calls itself so, or where it is null the one with that type. */
    static Optional<Family> of(String architecture, String type) {
        return ALL.stream()
                .filter(family -> architecture == null
                        ? family.type.equals(type)
                        : family.architecture.equals(architecture)
                                || family.base().equals(architecture))
                .findFirst();
    }

    /** The architecture without the output matrix, whose files have the same but for that. */
    private String base() {
        return architecture.replaceFirst("For(CausalLM|ConditionalGeneration)$", "Model");
    }
}
