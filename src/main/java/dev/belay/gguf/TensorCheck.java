package dev.belay.gguf;

import dev.belay.BelayException;
import dev.belay.model.ModelConfig;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Whether a GGUF file has the tensors of the model that its metadata describe, all of them and no others, before any is written. */
final class TensorCheck {
    private final GgufFile file;
    private final Map<String, long[]> expected = new LinkedHashMap<>();

    private TensorCheck(GgufFile file, ModelConfig config) {
        this.file = file;
        expected.put("token_embd.weight", new long[] {config.vocabulary(), config.hidden()});
        for (int l = 0; l < config.layers(); l++) {
            layer(config, "blk." + l + ".");
        }
        expected.put("output_norm.weight", new long[] {config.hidden()});
        if (!config.tiedEmbeddings()) {
            expected.put("output.weight", new long[] {config.vocabulary(), config.hidden()});
        }
    }

    private void layer(ModelConfig c, String name) {
        long queries = (long) c.heads() * c.headSize();
        long keys = (long) c.kvHeads() * c.headSize();
        expected.put(name + "attn_norm.weight", new long[] {c.hidden()});
        expected.put(name + "ffn_norm.weight", new long[] {c.hidden()});
        matrix(name + "attn_q", queries, c.hidden(), c.queryKeyValueBias());
        matrix(name + "attn_k", keys, c.hidden(), c.queryKeyValueBias());
        matrix(name + "attn_v", keys, c.hidden(), c.queryKeyValueBias());
        matrix(name + "attn_output", c.hidden(), queries, c.outputBias());
        if (c.description().headNorms()) {
            expected.put(name + "attn_q_norm.weight", new long[] {c.headSize()});
            expected.put(name + "attn_k_norm.weight", new long[] {c.headSize()});
        }
        matrix(name + "ffn_gate", c.feedForward(), c.hidden(), c.feedForwardBias());
        matrix(name + "ffn_up", c.feedForward(), c.hidden(), c.feedForwardBias());
        matrix(name + "ffn_down", c.hidden(), c.feedForward(), c.feedForwardBias());
    }

    private void matrix(String name, long rows, long columns, boolean biased) {
        expected.put(name + ".weight", new long[] {rows, columns});
        if (biased) {
            expected.put(name + ".bias", new long[] {rows});
        }
    }

    /**
     * Compares the tensors of a file with those of a model.
     *
     * @throws BelayException naming the first tensor that is missing, has another shape, or is one too many
     */
    static void of(GgufFile file, ModelConfig config) {
        TensorCheck check = new TensorCheck(file, config);
        String model = "a model of this kind with " + config.layers() + " layers";
        check.expected.forEach((name, shape) -> check.require(name, shape, model));
        for (GgufTensor tensor : file.tensors()) {
            if (!check.expected.containsKey(tensor.name()) && !GgufConfig.isConfiguration(tensor.name())) {
                TensorNames.of(file.path(), tensor.name());
                throw new BelayException(file.path() + " has the tensor " + tensor.name() + ", which " + model
                        + " does not have; it cannot be converted");
            }
        }
    }

    private void require(String name, long[] shape, String model) {
        GgufTensor tensor = file.tensor(name);
        if (tensor == null) {
            throw new BelayException(
                    file.path() + " has no tensor " + name + ", which " + model + " has; download it again");
        }
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw new BelayException(file.path() + ": " + name + " has shape " + Arrays.toString(tensor.shape())
                    + ", but its metadata say " + Arrays.toString(shape) + "; download it again");
        }
    }
}
