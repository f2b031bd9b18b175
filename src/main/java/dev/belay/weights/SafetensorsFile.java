package dev.belay.weights;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.SequencedSet;

/**
 * One safetensors file, memory-mapped read-only as a whole (64-bit offsets, no copy). May be used from any thread; its
 * segments die with {@link #close()}.
 */
public final class SafetensorsFile implements TensorSource {
    private final Path path;
    private final Arena arena;
    private final MemorySegment content;
    private final SafetensorsHeader header;
    private final SequencedMap<String, TensorInfo> byName = new LinkedHashMap<>();

    private SafetensorsFile(Path path, Arena arena, MemorySegment content) {
        this.path = path;
        this.arena = arena;
        this.content = content;
        this.header = SafetensorsHeader.read(path, content);
        header.tensors().forEach(tensor -> byName.put(tensor.name(), tensor));
    }

    /**
     * Maps a file and checks every claim of its header.
     *
     * @throws BelayException if the file cannot be read or is not a whole, consistent safetensors file; names the file, the
     *     tensor and the reason
     */
    public static SafetensorsFile open(Path path) {
        if (Files.isDirectory(path)) {
            throw new BelayException("cannot read " + path + ": it is a folder; name a safetensors file");
        }
        Arena arena = Arena.ofShared();
        boolean opened = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            MemorySegment content = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            SafetensorsFile file = new SafetensorsFile(path, arena, content);
            opened = true;
            return file;
        } catch (IOException e) {
            throw new BelayException("cannot read " + path + ": " + OutputFile.reason(e), e);
        } finally {
            if (!opened) {
                arena.close();
            }
        }
    }

    @Override
    public Path path() {
        return path;
    }

    /** The tensors in the order of their data. */
    public List<TensorInfo> tensors() {
        return header.tensors();
    }

    /** The entry {@code __metadata__} of the header; empty if there is none. */
    public Map<String, String> metadata() {
        return header.metadata();
    }

    @Override
    public SequencedSet<String> names() {
        return Collections.unmodifiableSequencedSet(byName.sequencedKeySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(byName.get(name));
    }

    @Override
    public MemorySegment segment(String name) {
        TensorInfo tensor = tensor(name);
        return content.asSlice(tensor.offset(), tensor.bytes());
    }

    /** The whole file, header included. */
    MemorySegment content() {
        return content;
    }

    /** Where the data begins, in bytes from the beginning of the file. */
    long headerBytes() {
        return header.bytes();
    }

    @Override
    public void close() {
        arena.close();
    }
}
