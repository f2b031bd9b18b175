package dev.belay.gguf;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A GGUF file, mapped: its metadata, and its tensors as float32. */
final class GgufFile implements AutoCloseable {
    private static final int LONGEST_SHOWN = 60;

    private final Path path;
    private final Arena arena;
    private final MemorySegment bytes;
    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();

    /**
     * Opens a file and reads its header.
     *
     * @throws BelayException if it is no GGUF file of version 2 or 3, or is damaged
     */
    GgufFile(Path path) {
        this.path = path;
        if (!Files.isRegularFile(path)) {
            throw new BelayException("cannot read " + path + ": "
                    + (Files.isDirectory(path) ? "it is a folder; name the .gguf file in it" : "no such file"));
        }
        arena = Arena.ofConfined();
        try (FileChannel channel = FileChannel.open(path)) {
            bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
            new GgufHeader(path, bytes).read(metadata, tensors);
        } catch (IOException e) {
            arena.close();
            throw new BelayException("cannot read " + path + ": " + OutputFile.reason(e), e);
        } catch (RuntimeException e) {
            arena.close();
            throw e;
        }
    }

    Path path() {
        return path;
    }

    Collection<GgufTensor> tensors() {
        return tensors.values();
    }

    /** A tensor, or null. */
    GgufTensor tensor(String name) {
        return tensors.get(name);
    }

    /** Rows {@code from} to {@code to - 1} of a tensor. */
    float[] rows(GgufTensor tensor, long from, long to) {
        int width = tensor.width();
        float[] values = new float[Math.toIntExact((to - from) * width)];
        BlockType type = tensor.type();
        long at = tensor.offset() + type.bytes(from * width);
        for (int i = 0; i < values.length; i += type.elements(), at += type.bytes()) {
            type.unpack(bytes, at, values, i);
        }
        return values;
    }

    /** Text of the file for a message: one line, not too long. */
    static String shown(String text) {
        String line = text.replaceAll("\\p{Cntrl}", "?");
        return line.length() <= LONGEST_SHOWN ? line : line.substring(0, LONGEST_SHOWN) + "...";
    }

    boolean has(String key) {
        return metadata.containsKey(key);
    }

    String text(String key) {
        return value(key, String.class, "a string");
    }

    String text(String key, String fallback) {
        return has(key) ? text(key) : fallback;
    }

    /** A whole number from 0 to the largest int. */
    int whole(String key) {
        long value = value(key, Long.class, "a whole number");
        if (value < 0 || value > Integer.MAX_VALUE) {
            throw new BelayException(path + ": " + key + " is " + value + ", which is out of range");
        }
        return (int) value;
    }

    int whole(String key, int fallback) {
        return has(key) ? whole(key) : fallback;
    }

    double number(String key) {
        return value(key, Number.class, "a number").doubleValue();
    }

    double number(String key, double fallback) {
        return has(key) ? number(key) : fallback;
    }

    boolean flag(String key, boolean fallback) {
        return has(key) ? value(key, Boolean.class, "true or false") : fallback;
    }

    @SuppressWarnings("unchecked")
    List<String> texts(String key) {
        List<?> list = value(key, List.class, "a list");
        if (!list.isEmpty() && !(list.getFirst() instanceof String)) {
            throw new BelayException(path + ": " + key + " is no list of strings");
        }
        return (List<String>) list;
    }

    /** A list of numbers. */
    @SuppressWarnings("unchecked")
    List<Number> numbers(String key) {
        List<?> list = value(key, List.class, "a list");
        if (!list.isEmpty() && !(list.getFirst() instanceof Number)) {
            throw new BelayException(path + ": " + key + " is no list of numbers");
        }
        return (List<Number>) list;
    }

    private <T> T value(String key, Class<T> type, String what) {
        Object value = metadata.get(key);
        if (value == null) {
            throw new BelayException(path + " has no " + key + " in its metadata; is it a whole language model?");
        }
        if (!type.isInstance(value)) {
            throw new BelayException(path + ": " + key + " is not " + what);
        }
        return type.cast(value);
    }

    @Override
    public void close() {
        arena.close();
    }
}
