package dev.belay.gguf;

import static dev.belay.weights.TensorType.BF16;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.io.OutputFolder;
import dev.belay.model.ModelConfig;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.function.IntConsumer;

/** Writes a model folder from a GGUF file: config.json, generation_config.json, the tokenizer, and safetensors in bfloat16. */
public final class GgufConversion implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Numbers that are unpacked at a time. */
    private static final int PART = 1 << 22;

    private final GgufFile file;
    private final GgufConfig config;
    private final boolean withTokenizer;

    /**
     * Opens a file.
     *
     * @param withTokenizer whether to write the tokenizer too
     * @throws BelayException if it is no GGUF file, is damaged, or is a model that cannot be converted
     */
    public GgufConversion(Path path, boolean withTokenizer) {
        this.withTokenizer = withTokenizer;
        file = new GgufFile(path);
        try {
            config = new GgufConfig(file);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Tensors to write, for progress. */
    public int tensors() {
        return (int) file.tensors().stream()
                .filter(tensor -> !GgufConfig.isConfiguration(tensor.name()))
                .count();
    }

    /**
     * Writes the folder. It appears under its name only when it is whole.
     *
     * @param folder must not exist, or be empty
     * @param progress called with the number of tensors written
     * @throws BelayException if it cannot be written, or the file turns out to be damaged
     */
    public void write(Path folder, IntConsumer progress) {
        try (OutputFolder out = OutputFolder.create(folder)) {
            write(out.path(), "config.json", config.json());
            write(out.path(), "generation_config.json", config.generation());
            if (withTokenizer) {
                GgufTokenizer tokenizer = new GgufTokenizer(file);
                write(out.path(), "tokenizer.json", tokenizer.tokenizer());
                write(out.path(), "tokenizer_config.json", tokenizer.config());
            }
            TensorCheck.of(file, ModelConfig.read(out.path()));
            weights(out.path().resolve("model.safetensors"), progress);
            out.commit();
        }
    }

    private static void write(Path folder, String name, JsonNode json) {
        try {
            String text = JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json);
            OutputFile.writeText(folder.resolve(name), text + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private void weights(Path target, IntConsumer progress) {
        SafetensorsWriter.Declaration declaration = SafetensorsWriter.to(target);
        for (GgufTensor tensor : file.tensors()) {
            if (!GgufConfig.isConfiguration(tensor.name())) {
                declaration.tensor(TensorNames.of(file.path(), tensor.name()), BF16, tensor.shape());
            }
        }
        int done = 0;
        try (SafetensorsWriter out = declaration.open()) {
            for (GgufTensor tensor : file.tensors()) {
                if (!GgufConfig.isConfiguration(tensor.name())) {
                    copy(tensor, TensorNames.of(file.path(), tensor.name()), out);
                    progress.accept(++done);
                }
            }
        }
    }

    private void copy(GgufTensor tensor, String name, SafetensorsWriter out) {
        int heads = !config.permuted()
                ? 0
                : TensorNames.isQuery(tensor.name())
                        ? config.heads()
                        : TensorNames.isKey(tensor.name()) ? config.keyHeads() : 0;
        if (heads > 0) {
            // A bias is a column: its numbers are ordered as the rows of a weight are.
            long rows = tensor.shape()[0];
            int width = (int) (tensor.elements() / rows);
            int size = config.headSize();
            float[] all = file.rows(tensor, 0, tensor.rows());
            float[] head = new float[size * width];
            for (int h = 0; h < heads; h++) {
                for (int i = 0; i < size; i++) {
                    // The two halves of a head, whose features are rotated in pairs, lie in turn in the file.
                    int from = h * size + 2 * (i % (size / 2)) + i / (size / 2);
                    System.arraycopy(all, from * width, head, i * width, width);
                }
                out.write(name, head);
            }
            return;
        }
        long step = Math.max(1, PART / tensor.width());
        for (long row = 0; row < tensor.rows(); row += step) {
            out.write(name, file.rows(tensor, row, Math.min(tensor.rows(), row + step)));
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
