package dev.belay.bake;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.io.OutputFolder;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelWeights;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorColumns;
import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorSource;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Heads ablated for good, at every position: a head's output z[l,h] times γ is the same as its columns of W_O times γ, so that any
 * engine serves the repaired model.
 */
public final class HeadBake {
    private final Path model;
    private final ModelConfig config;
    private final float gamma;
    /** The heads of each layer, ascending. */
    private final SortedMap<Integer, List<Integer>> heads;

    /**
     * @param model the model's folder
     * @param heads of each layer that has any, the heads, ascending
     * @param gamma the factor on their outputs
     */
    public HeadBake(Path model, ModelConfig config, SortedMap<Integer, List<Integer>> heads, float gamma) {
        this.model = model;
        this.config = config;
        this.heads = new TreeMap<>(heads);
        this.gamma = gamma;
    }

    /**
     * Writes a copy of the folder's files in which only those columns of W_O differ; shards, other tensors, configuration and tokenizer
     * stay as they are, to the byte.
     *
     * @param target a new or empty folder
     * @throws BelayException if a file cannot be read or written
     */
    public void copy(Path target) {
        try (TensorSource tensors = tensors()) {
            heads.keySet().forEach(layer -> ModelWeights.checkOutputProjection(tensors, config, layer));
        }
        try (OutputFolder folder = OutputFolder.create(target)) {
            try (DirectoryStream<Path> files = Files.newDirectoryStream(model)) {
                for (Path file : files) {
                    if (Files.isRegularFile(file)) {
                        Files.copy(file.toRealPath(), folder.path().resolve(file.getFileName()));
                    }
                }
            } catch (IOException e) {
                throw new BelayException("cannot copy " + model + " to " + target + ": " + OutputFile.reason(e), e);
            }
            try (SafetensorsModel tensors = SafetensorsModel.open(folder.path())) {
                tensors.files().forEach(this::scale);
            }
            folder.commit();
        }
    }

    private void scale(Path shard) {
        heads.forEach((layer, chosen) -> {
            String name = ModelWeights.outputProjectionName(layer);
            Optional<TensorInfo> here;
            try (TensorSource file = config.description().tensors(SafetensorsFile.open(shard))) {
                here = file.find(name);
            }
            if (here.isPresent()) {
                List<Integer> columns =
                        chosen.stream().map(h -> h * config.headSize()).toList();
                TensorColumns.scale(shard, here.get().name(), columns, config.headSize(), gamma);
            }
        });
    }

    /**
     * Writes the same change as a LoRA adapter on o_proj, as PEFT reads it: ΔW = B·A with A choosing the features of the heads and
     * B = (γ − 1) times their columns of W_O; the rank is the head size times the layer's heads.
     *
     * @param target a new or empty folder
     * @throws BelayException if a file cannot be read or written
     */
    public void adapter(Path target) {
        try (OutputFolder folder = OutputFolder.create(target);
                TensorSource tensors = tensors()) {
            SafetensorsWriter.Declaration file =
                    SafetensorsWriter.to(folder.path().resolve("adapter_model.safetensors"));
            heads.forEach((layer, chosen) -> {
                ModelWeights.checkOutputProjection(tensors, config, layer);
                TensorType type =
                        tensors.tensor(ModelWeights.outputProjectionName(layer)).type();
                int rank = chosen.size() * config.headSize();
                file.tensor(name(layer, "A"), type, rank, width());
                file.tensor(name(layer, "B"), type, config.hidden(), rank);
            });
            try (SafetensorsWriter out = file.open()) {
                heads.forEach((layer, chosen) -> write(tensors, layer, chosen, out));
            }
            AdapterConfig.write(folder.path().resolve("adapter_config.json"), model, config, heads);
            folder.commit();
        }
    }

    private int width() {
        return config.heads() * config.headSize();
    }

    private TensorSource tensors() {
        return config.description().tensors(SafetensorsModel.open(model));
    }

    private String name(int layer, String part) {
        return "base_model.model." + AdapterConfig.module(config, layer) + ".lora_" + part + ".weight";
    }

    private void write(TensorSource tensors, int layer, List<Integer> chosen, SafetensorsWriter out) {
        int size = config.headSize();
        int rank = chosen.size() * size;
        int width = width();
        float[] whole = ModelWeights.outputProjection(tensors, config, layer);
        float[] a = new float[rank * width];
        float[] b = new float[config.hidden() * rank];
        for (int r = 0; r < rank; r++) {
            int column = chosen.get(r / size) * size + r % size;
            a[r * width + column] = 1;
            for (int d = 0; d < config.hidden(); d++) {
                b[d * rank + r] = (gamma - 1) * whole[d * width + column];
            }
        }
        out.write(name(layer, "A"), a);
        out.write(name(layer, "B"), b);
    }
}
