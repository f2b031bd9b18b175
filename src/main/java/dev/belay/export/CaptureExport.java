package dev.belay.export;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.weights.NpyWriter;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.TensorInfo;
import dev.belay.weights.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Captured states as NumPy arrays, out of the mapped file that {@code belay capture} wrote. */
public final class CaptureExport implements AutoCloseable {
    private static final Pattern STATES = Pattern.compile("(?:\\d+\\.)?hidden\\.(\\d+)");
    private static final JsonMapper JSON = new JsonMapper();

    private final SafetensorsFile file;
    private final JsonNode rows;
    private final long[] offsets;
    private final SortedSet<Integer> layers = new TreeSet<>();

    /**
     * Maps a file.
     *
     * @throws BelayException if it cannot be read, or is no file of {@code belay capture} with its tokens
     */
    public CaptureExport(Path path) {
        file = SafetensorsFile.open(path);
        try {
            for (String name : file.names()) {
                Matcher matcher = STATES.matcher(name);
                if (matcher.matches()) {
                    layers.add(Integer.valueOf(matcher.group(1)));
                }
            }
            rows = rows();
            if (layers.isEmpty() || !rows.isArray() || !file.has(TokenTable.OFFSETS)) {
                throw new BelayException(path + " has no hidden states with their tokens; make it with belay capture");
            }
            file.require(TokenTable.OFFSETS, rows.size() + 1L);
            offsets = file.longs(TokenTable.OFFSETS);
            file.require(TokenTable.IDS, vectors());
            file.require(TokenTable.POSITIONS, vectors());
            if (file.has(TokenTable.TEXT)) {
                file.require(TokenTable.TEXT_OFFSETS, vectors() + 1);
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    private JsonNode rows() {
        try {
            return JSON.readTree(file.metadata().getOrDefault("rows", "null"));
        } catch (JsonProcessingException e) {
            throw new BelayException(
                    file.path() + ": its metadata entry rows is no JSON; make it with belay capture", e);
        }
    }

    /** The numbers i of the states H[i] that the file has. */
    public SortedSet<Integer> layers() {
        return layers;
    }

    /** Number of texts. */
    public int texts() {
        return rows.size();
    }

    /** Number of states of each layer. */
    public long vectors() {
        return offsets[offsets.length - 1];
    }

    /**
     * Writes a float32 array [vectors, hidden] of H[layer], text after text; beside it {@code offsets}, int64 [texts + 1], with where each
     * text begins, {@code token_ids}, int32 [vectors], and JSON Lines with id, first position and token texts of each text.
     *
     * @throws BelayException if the file is inconsistent
     */
    public void npy(int layer, Path target) {
        NpySet names = new NpySet(target);
        boolean one = file.has("hidden." + layer);
        int tensors = one ? 1 : texts();
        long[] shape =
                file.tensor(one ? "hidden." + layer : "0.hidden." + layer).shape();
        long width = shape[shape.length - 1];
        try (NpyWriter states = new NpyWriter(target, TensorType.F32, vectors(), width);
                NpyWriter starts = new NpyWriter(names.beside(TokenTable.OFFSETS), TensorType.I64, offsets.length);
                NpyWriter ids = new NpyWriter(names.beside(TokenTable.IDS), TensorType.I32, vectors());
                OutputFile lines = OutputFile.create(names.rows())) {
            for (int t = 0; t < tensors; t++) {
                states.put(states(one ? "hidden." + layer : t + ".hidden." + layer, one ? vectors() : count(t), width));
            }
            for (long offset : offsets) {
                starts.put(offset);
            }
            for (int t = 0; t < texts(); t++) {
                for (long i = offsets[t]; i < offsets[t + 1]; i++) {
                    ids.put(whole(TokenTable.IDS, i));
                }
                lines.write(row(t) + "\n");
            }
            lines.commit();
            ids.commit();
            starts.commit();
            states.commit();
        }
    }

    private long count(int t) {
        return offsets[t + 1] - offsets[t];
    }

    private MemorySegment states(String name, long count, long width) {
        TensorInfo tensor = file.require(name, count, width);
        if (tensor.type() != TensorType.F32) {
            throw new BelayException(file.path() + ": " + tensor + " is not F32; make it with belay capture");
        }
        return file.segment(name);
    }

    private ObjectNode row(int t) {
        ObjectNode row = JSON.createObjectNode();
        row.put("id", rows.get(t).asText()).put("vectors", count(t));
        if (count(t) > 0) {
            row.put("first_position", whole(TokenTable.POSITIONS, offsets[t]));
        }
        if (file.has(TokenTable.TEXT)) {
            MemorySegment text = file.segment(TokenTable.TEXT);
            var texts = row.putArray("token_texts");
            for (long i = offsets[t]; i < offsets[t + 1]; i++) {
                long from = whole(TokenTable.TEXT_OFFSETS, i);
                long bytes = whole(TokenTable.TEXT_OFFSETS, i + 1) - from;
                texts.add(new String(text.asSlice(from, bytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
            }
        }
        return row;
    }

    private long whole(String name, long index) {
        return file.segment(name).get(ValueLayout.JAVA_LONG_UNALIGNED, index * Long.BYTES);
    }

    @Override
    public void close() {
        file.close();
    }
}
