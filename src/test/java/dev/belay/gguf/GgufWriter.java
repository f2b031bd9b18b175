package dev.belay.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Writes GGUF files of version 3. */
final class GgufWriter {
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

    GgufWriter tensor(String name, int type, byte[] data, long... shape) {
        tensors.add(new Entry(name, type, shape, data));
        return this;
    }

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

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
            offset += (t.data.length + 31) / 32 * 32;
        }
        for (Entry t : tensors) {
            out.writeBytes(new byte[(32 - out.size() % 32) % 32]);
            out.writeBytes(t.data);
        }
        return out.toByteArray();
    }

    Path write(Path file) throws IOException {
        return Files.write(file, bytes());
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
