package dev.belay.weights;

import dev.belay.BelayException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * The weights of a model folder: {@code model.safetensors}, or the shards that {@code model.safetensors.index.json} names.
 * With an index only the tensors it names are visible. May be used from any thread.
 */
public final class SafetensorsModel implements TensorSource {
    private final Path modelDir;
    private final List<SafetensorsFile> shards = new ArrayList<>();
    private final SequencedMap<String, SafetensorsFile> shardOf = new LinkedHashMap<>();
    private long parameters;
    private long bytes;

    private SafetensorsModel(Path modelDir) {
        this.modelDir = modelDir;
    }

    /**
     * Maps all files of a model and checks them against each other.
     *
     * @throws BelayException if the folder, the index or a file cannot be read or is inconsistent: a missing shard, a tensor
     *     that its shard lacks, a tensor in two shards
     */
    public static SafetensorsModel open(Path modelDir) {
        ShardIndex index = ShardIndex.of(modelDir);
        SafetensorsModel model = new SafetensorsModel(modelDir);
        boolean opened = false;
        try {
            for (Path shard : index.shards()) {
                model.add(SafetensorsFile.open(shard));
            }
            model.matchIndex(index);
            model.count();
            opened = true;
            return model;
        } finally {
            if (!opened) {
                model.close();
            }
        }
    }

    private void add(SafetensorsFile shard) {
        shards.add(shard);
        for (String name : shard.names()) {
            SafetensorsFile other = shardOf.put(name, shard);
            if (other != null) {
                throw new BelayException(modelDir + ": tensor " + Quoted.of(name) + " is in two shards, "
                        + other.path().getFileName() + " and " + shard.path().getFileName());
            }
        }
    }

    private void matchIndex(ShardIndex index) {
        for (Map.Entry<String, Path> entry : index.fileOf().entrySet()) {
            SafetensorsFile shard = shardOf.get(entry.getKey());
            if (shard == null || !shard.path().equals(entry.getValue())) {
                throw new BelayException(index.source() + ": tensor " + Quoted.of(entry.getKey()) + " is not in "
                        + entry.getValue().getFileName() + ", which the index names for it; fetch the model again");
            }
        }
        if (!index.fileOf().isEmpty()) {
            shardOf.keySet().retainAll(index.fileOf().keySet());
        }
    }

    private void count() {
        for (String name : shardOf.keySet()) {
            TensorInfo tensor = tensor(name);
            parameters += tensor.elements();
            bytes += tensor.bytes();
        }
    }

    @Override
    public Path path() {
        return modelDir;
    }

    /** The files, in the order of their names. */
    public List<Path> files() {
        return shards.stream().map(SafetensorsFile::path).toList();
    }

    /** The number of elements of all tensors. */
    public long parameters() {
        return parameters;
    }

    /** The bytes of all tensors, without headers. */
    public long bytes() {
        return bytes;
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(shardOf.sequencedKeySet());
    }

    /** The tensor of that name; its offset counts from the beginning of its own shard. */
    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(shardOf.get(name)).flatMap(shard -> shard.find(name));
    }

    @Override
    public MemorySegment segment(String name) {
        tensor(name);
        return shardOf.get(name).segment(name);
    }

    @Override
    public void close() {
        shards.forEach(SafetensorsFile::close);
        shards.clear();
    }
}
