package dev.belay.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.forward.Golden;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.Consumer;

/** A copy of a golden model folder that a test may damage. */
public record ModelFolder(Path path) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Copies a family's configuration and weights into {@code target}. */
    public static ModelFolder copy(String family, Path target) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(Golden.path("families/" + family))) {
            for (Path file : files) {
                if (!file.getFileName().toString().startsWith("golden")) {
                    Files.copy(file, target.resolve(file.getFileName().toString()));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new ModelFolder(target);
    }

    /** Changes a JSON file. */
    public ModelFolder edit(String name, Consumer<ObjectNode> change) {
        edit(path, name, change);
        return this;
    }

    /** Changes a JSON file of a copy that was made before. */
    static void edit(Path folder, String name, Consumer<ObjectNode> change) {
        Path file = folder.resolve(name);
        try {
            ObjectNode json = (ObjectNode) JSON.readTree(file.toFile());
            change.accept(json);
            JSON.writeValue(file.toFile(), json);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A tensor's shape and its numbers. */
    public record Values(long[] shape, float[] numbers) {}

    /** Writes the weights again, as float32 into one file, after a change. */
    public ModelFolder weights(Consumer<SequencedMap<String, Values>> change) {
        SequencedMap<String, Values> tensors = new LinkedHashMap<>();
        try (SafetensorsModel files = SafetensorsModel.open(path)) {
            for (String name : files.names()) {
                tensors.put(name, new Values(files.tensor(name).shape(), files.floats(name)));
            }
            for (Path file : files.files()) {
                Files.delete(file);
            }
            Files.deleteIfExists(path.resolve("model.safetensors.index.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        change.accept(tensors);
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(path.resolve("model.safetensors"));
        tensors.forEach((name, values) -> file.tensor(name, TensorType.F32, values.shape()));
        try (SafetensorsWriter out = file.open()) {
            tensors.forEach((name, values) -> out.write(name, values.numbers()));
        }
        return this;
    }

    /**
     * Makes a Mistral model the language model of one that also sees images.
     *
     * @param body what stands before {@code layers}
     * @param head what stands before {@code lm_head}
     * @param images what stands before {@code vision_tower}
     */
    public ModelFolder toMistral3(String body, String head, String images) {
        edit("config.json", json -> {
            ObjectNode text = json.deepCopy();
            text.remove(List.of("architectures", "torch_dtype", "eos_token_id"));
            text.put("tie_word_embeddings", true);
            json.retain("torch_dtype", "eos_token_id", "tie_word_embeddings");
            json.putArray("architectures").add("Mistral3ForConditionalGeneration");
            json.put("model_type", "mistral3").put("projector_hidden_act", "gelu");
            json.putObject("vision_config").put("hidden_act", "gelu").put("hidden_size", 8);
            json.set("text_config", text);
        });
        return weights(tensors -> {
            for (String name : List.copyOf(tensors.keySet())) {
                Values values = tensors.remove(name);
                tensors.put(
                        name.startsWith("lm_head.") ? head + name : body + name.substring("model.".length()), values);
            }
            Values patch = new Values(new long[] {2}, new float[2]);
            tensors.put(images + "vision_tower.patch_conv.weight", patch);
            tensors.put(images + "multi_modal_projector.norm.weight", patch);
        });
    }

    /** Removes a file. */
    public ModelFolder delete(String name) {
        try {
            Files.delete(path.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return this;
    }
}
