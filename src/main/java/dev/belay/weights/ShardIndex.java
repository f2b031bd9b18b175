package dev.belay.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Which files hold a model's weights.
 *
 * @param source {@code model.safetensors}, or the index {@code model.safetensors.index.json}
 * @param shards the files, in the order of their names
 * @param fileOf the file of each tensor that the index names; empty without an index
 */
record ShardIndex(Path source, List<Path> shards, Map<String, Path> fileOf) {
    static final String SINGLE = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    /**
     * Looks for {@code model.safetensors}, then for the index.
     *
     * @throws BelayException if the folder has neither, or if the index is malformed, names a file outside the folder or a
     *     file that is missing
     */
    static ShardIndex of(Path modelDir) {
        if (!Files.isDirectory(modelDir)) {
            throw new BelayException("cannot read model " + modelDir + ": "
                    + (Files.exists(modelDir) ? "it is a file; name the folder that holds it" : "no such folder"));
        }
        Path single = modelDir.resolve(SINGLE);
        if (Files.exists(single)) {
            return new ShardIndex(single, List.of(single), Map.of());
        }
        Path index = modelDir.resolve(INDEX);
        if (!Files.exists(index)) {
            throw new BelayException("cannot read model " + modelDir + ": it holds neither " + SINGLE + " nor " + INDEX
                    + "; convert the weights to safetensors");
        }
        return read(modelDir, index);
    }

    private static ShardIndex read(Path modelDir, Path index) {
        JsonNode weightMap = json(index).path("weight_map");
        if (!weightMap.isObject() || weightMap.isEmpty()) {
            throw new BelayException(index + ": has no weight_map that names a file for each tensor");
        }
        Map<String, Path> fileOf = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
            fileOf.put(entry.getKey(), shard(modelDir, index, entry.getKey(), entry.getValue()));
        }
        return new ShardIndex(index, List.copyOf(new TreeSet<>(fileOf.values())), fileOf);
    }

    private static JsonNode json(Path index) {
        try {
            return SafetensorsHeader.STRICT_JSON.readTree(Files.readAllBytes(index));
        } catch (JsonProcessingException e) {
            throw new BelayException(index + ": is not valid: " + Quoted.line(e.getOriginalMessage()), e);
        } catch (IOException e) {
            throw new BelayException("cannot read " + index + ": " + OutputFile.reason(e), e);
        }
    }

    private static Path shard(Path modelDir, Path index, String tensor, JsonNode file) {
        if (!file.isTextual() || !isPlainName(file.textValue())) {
            throw new BelayException(index + ": tensor " + Quoted.of(tensor) + " is mapped to "
                    + Quoted.line(file.toString()) + ", which is not the name of a file in the same folder");
        }
        Path shard = modelDir.resolve(file.textValue());
        if (!Files.isRegularFile(shard)) {
            throw new BelayException(index + ": names " + Quoted.of(file.textValue())
                    + ", which is not in the folder; fetch the missing shard");
        }
        return shard;
    }

    private static boolean isPlainName(String name) {
        try {
            return !name.isEmpty()
                    && !name.equals(".")
                    && !name.equals("..")
                    && !name.contains("/")
                    && !name.contains("\\")
                    && Path.of(name).getNameCount() == 1;
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
