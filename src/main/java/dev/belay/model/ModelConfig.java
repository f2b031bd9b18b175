package dev.belay.model;

import dev.belay.device.AttentionShape;
import dev.belay.weights.TensorSource;
import java.nio.file.Path;
import java.util.List;

/**
 * The shape of a model, from {@code config.json}.
 *
 * @param family {@code model_type}
 * @param description what sets its family apart
 * @param layers L
 * @param heads query heads, H
 * @param kvHeads key/value heads, KV
 * @param headSize HD
 * @param hidden D
 * @param feedForward F, of layers without experts
 * @param vocabulary V
 * @param normEps added to the mean square in RMS norm
 * @param kinds what differs from layer to layer
 * @param experts the mixtures of experts, or null where no layer has one
 * @param queryKeyValueBias whether queries, keys and values have a bias
 * @param outputBias whether the output projection of attention has one
 * @param feedForwardBias whether the products of the feed-forward block have one
 * @param positions longest text that the model was made for
 * @param tiedEmbeddings whether the output matrix is the embedding table
 * @param storedType number type that the configuration names, or "unknown"
 * @param endTokens token ids that end a text
 * @param maxNewTokens {@code max_new_tokens} of generation_config.json, or 0
 */
public record ModelConfig(
        String family,
        Family description,
        int layers,
        int heads,
        int kvHeads,
        int headSize,
        int hidden,
        int feedForward,
        int vocabulary,
        float normEps,
        List<LayerKind> kinds,
        Experts experts,
        boolean queryKeyValueBias,
        boolean outputBias,
        boolean feedForwardBias,
        int positions,
        boolean tiedEmbeddings,
        String storedType,
        List<Integer> endTokens,
        int maxNewTokens) {

    /**
     * Reads {@code config.json} and, where there is one, {@code generation_config.json} of a model folder.
     *
     * @throws BelayException if a file is missing or malformed, or the architecture or one of its options is not supported
     */
    public static ModelConfig read(Path folder) {
        return ConfigReader.read(folder);
    }

    /**
     * This configuration as the files have it: an output matrix that is not the embedding table counts, whatever
     * {@code tie_word_embeddings} says, as in transformers.
     */
    public ModelConfig with(TensorSource tensors) {
        return tiedEmbeddings && ModelWeights.hasOwnHead(tensors) ? untied() : this;
    }

    private ModelConfig untied() {
        return new ModelConfig(
                family,
                description,
                layers,
                heads,
                kvHeads,
                headSize,
                hidden,
                feedForward,
                vocabulary,
                normEps,
                kinds,
                experts,
                queryKeyValueBias,
                outputBias,
                feedForwardBias,
                positions,
                false,
                storedType,
                endTokens,
                maxNewTokens);
    }

    /** Name in {@code architectures}. */
    public String architecture() {
        return description.architecture();
    }

    /** Sizes that the attention operations of layer {@code l} need. */
    public AttentionShape attention(int l) {
        Rope rope = kinds.get(l).rope();
        int rotated = rope == null ? 0 : rope.size();
        return new AttentionShape(heads, kvHeads, headSize, rotated, (float) (1 / Math.sqrt(headSize)));
    }

    /** Sizes of attention that are the same in every layer. */
    public AttentionShape attention() {
        return attention(0);
    }

    /** Whether a token ends a text. */
    public boolean isEnd(int token) {
        return endTokens.contains(token);
    }

    /** Whether the keys of a text that grows to this length are to be computed again; see {@link RopeScaling#switches}. */
    public boolean renewsKeys(int length) {
        return description.renewsKeys()
                && kinds.stream()
                        .anyMatch(kind ->
                                kind.rope() != null && kind.rope().scaling().switches(length));
    }

    /** Whether texts of these lengths are rotated alike. */
    public boolean rotatesAlike(int length, int other) {
        return kinds.stream()
                .filter(kind -> kind.rope() != null)
                .map(kind -> kind.rope().scaling())
                .allMatch(scaling -> scaling.variant(length) == scaling.variant(other));
    }

    /** Rotary embedding of the first layer that has one, or null. */
    public Rope rope() {
        return kinds.stream()
                .map(LayerKind::rope)
                .filter(rope -> rope != null)
                .findFirst()
                .orElse(null);
    }

    /** Parameters in weight matrices; a tied output matrix counts once. */
    public long matrixParameters() {
        long attention = 2L * hidden * heads * headSize + 2L * hidden * kvHeads * headSize;
        long total = (tiedEmbeddings ? 1L : 2L) * vocabulary * hidden;
        for (LayerKind kind : kinds) {
            total += attention
                    + (kind.experts()
                            ? experts.count() * (3L * experts.feedForward() + 1) * hidden
                            : 3L * hidden * feedForward);
        }
        return total;
    }

    /** Parameters in norms and biases. */
    public long vectorParameters() {
        long layer = 2L * hidden;
        layer += queryKeyValueBias ? (long) (heads + 2 * kvHeads) * headSize : 0;
        layer += outputBias ? hidden : 0;
        layer += feedForwardBias ? 2L * feedForward + hidden : 0;
        layer += description.headNorms() ? 2L * headSize : 0;
        return layers * layer + hidden;
    }

    /** Number of parameters that the forward pass uses; a tied output matrix counts once. */
    public long parameters() {
        return matrixParameters() + vectorParameters();
    }
}
