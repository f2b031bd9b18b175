package dev.belay.fuzz;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * A GGUF file from a description: {@code metadata}, an object from key to {@code {"TYPE": value}} or {@code {"TYPE[]": [values]}} with
 * the format's own type numbers, and {@code tensors}, each with name, type, shape (fastest axis first), offset and bytes of data. It
 * writes whatever the description says, sensible or not.
 */
final class GgufBytes {
    private static final int MOST_DATA = 1 << 16;

    private GgufBytes() {}

    static byte[] of(JsonNode description) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
        int32(out, description.path("version").asInt(3));
        JsonNode tensors = description.path("tensors");
        JsonNode metadata = description.path("metadata");
        int64(out, description.path("tensor_count").asLong(tensors.size()));
        int64(out, description.path("metadata_count").asLong(metadata.size()));
        for (Map.Entry<String, JsonNode> entry : metadata.properties()) {
            string(out, entry.getKey());
            for (Map.Entry<String, JsonNode> typed : entry.getValue().properties()) {
                value(out, typed.getKey(), typed.getValue());
                break;
            }
        }
        int data = 0;
        for (JsonNode tensor : tensors) {
            string(out, tensor.path("name").asText());
            int32(out, tensor.path("shape").size());
            tensor.path("shape").forEach(axis -> int64(out, axis.asLong()));
            int32(out, tensor.path("type").asInt());
            int64(out, tensor.path("offset").asLong());
            data = Math.max(
                    data, tensor.path("offset").asInt() + tensor.path("bytes").asInt());
        }
        out.writeBytes(new byte[(32 - out.size() % 32) % 32]);
        byte[] numbers = new byte[Math.clamp(data, 0, MOST_DATA)];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = (byte) (i * 37 % 61);
        }
        out.writeBytes(numbers);
        return out.toByteArray();
    }

    private static void value(ByteArrayOutputStream out, String type, JsonNode value) {
        int number = type.chars().filter(Character::isDigit).map(c -> c - '0').reduce(0, (a, b) -> a * 10 + b);
        if (!type.endsWith("[]")) {
            int32(out, number);
            scalar(out, number, value);
            return;
        }
        int32(out, 9);
        int32(out, number);
        int64(out, value.isArray() ? value.size() : value.asLong());
        value.forEach(item -> scalar(out, number, item));
    }

    private static void scalar(ByteArrayOutputStream out, int type, JsonNode value) {
        switch (type) {
            case 0, 1, 7 -> out.write(value.isBoolean() ? value.asBoolean() ? 1 : 0 : value.asInt());
            case 2, 3 ->
                out.writeBytes(buffer(2).putShort((short) value.asInt()).array());
            case 4, 5 -> int32(out, (int) value.asLong());
            case 6 -> int32(out, Float.floatToIntBits((float) value.asDouble()));
            case 8 -> string(out, value.asText());
            case 12 -> int64(out, Double.doubleToLongBits(value.asDouble()));
            default -> int64(out, value.asLong());
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

    private static ByteBuffer buffer(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
