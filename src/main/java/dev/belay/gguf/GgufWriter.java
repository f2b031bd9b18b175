package dev.belay.gguf;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes GGUF files of version 3, little-endian, from what fits into memory. The data of every tensor, the last one too, is filled up to
 * the alignment, as llama.cpp reads it so.
 */
final class GgufWriter {
    private static final int ALIGNMENT = 32;

    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final List<Entry> tensors = new ArrayList<>();

    private record Entry(String name, int type, long[] shape, byte[] data) {}

    /** A metadata entry: a string, an int, a float, a boolean, or a list of these. */
    GgufWriter put(String key, Object value) {
        metadata.put(key, value);
        return this;
    }

    /** A float32 tensor, slowest axis first. */
    GgufWriter tensor(String name, float[] values, long... shape) {
        ByteBuffer data = buffer(4 * values.length);
        for (float value : values) {
            data.putFloat(value);
        }
        return tensor(name, 0, data.array(), shape);
    }

    /** A tensor of the type with this number, its data packed already; slowest axis first. It replaces one of the same name. */
    GgufWriter tensor(String name, int type, byte[] data, long... shape) {
        without(name);
        tensors.add(new Entry(name, type, shape, data));
        return this;
    }

    /** Leaves a tensor out. */
    GgufWriter without(String name) {
        tensors.removeIf(tensor -> tensor.name.equals(name));
        return this;
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The whole file. */
    byte[] bytes() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        int32(out, 3);
        int64(out, tensors.size());
        int64(out, metadata.size());
        metadata.forEach((key, value) -> {
            string(out, key);
            int32(out, type(value));
            value(out, value);
        });
        long offset = 0;
        for (Entry t : tensors) {
            string(out, t.name);
            int32(out, t.shape.length);
            for (int i = t.shape.length - 1; i >= 0; i--) {
                int64(out, t.shape[i]);
            }
            int32(out, t.type);
            int64(out, offset);
            offset += t.data.length + padding(t.data.length);
        }
        out.writeBytes(new byte[padding(out.size())]);
        for (Entry t : tensors) {
            out.writeBytes(t.data);
            out.writeBytes(new byte[padding(t.data.length)]);
        }
        return out.toByteArray();
    }

    private static int padding(int bytes) {
        return -bytes & (ALIGNMENT - 1);
    }

    /**
     * Writes the file.
     *
     * @throws BelayException if that fails
     */
    Path write(Path file) {
        try (OutputFile out = OutputFile.create(file)) {
            ByteBuffer bytes = ByteBuffer.wrap(bytes());
            try {
                while (bytes.hasRemaining()) {
                    out.channel().write(bytes);
                }
            } catch (IOException e) {
                throw out.failure(e);
            }
            out.commit();
        }
        return file;
    }

    private static int type(Object value) {
        return switch (value) {
            case Integer _ -> 4;
            case Float _ -> 6;
            case Boolean _ -> 7;
            case String _ -> 8;
            case List<?> _ -> 9;
            default -> throw new IllegalArgumentException(String.valueOf(value));
        };
    }

    private static void value(ByteArrayOutputStream out, Object value) {
        switch (value) {
            case Integer number -> int32(out, number);
            case Float number -> int32(out, Float.floatToIntBits(number));
            case Boolean truth -> out.write(truth ? 1 : 0);
            case String text -> string(out, text);
            case List<?> list -> {
                int32(out, type(list.getFirst()));
                int64(out, list.size());
                list.forEach(item -> value(out, item));
            }
            default -> throw new IllegalArgumentException(String.valueOf(value));
        }
    }

    private static void string(ByteArrayOutputStream out, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int64(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void int32(ByteArrayOutputStream out, int value) {
        out.writeBytes(buffer(4).putInt(value).array());
    }

    private static void int64(ByteArrayOutputStream out, long value) {
        out.writeBytes(buffer(8).putLong(value).array());
    }
}
