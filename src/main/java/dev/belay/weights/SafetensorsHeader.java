package dev.belay.weights;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.belay.BelayException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The header of a safetensors file: 8 bytes of length (unsigned, little-endian), then that many bytes of JSON. Nothing in it
 * is believed before it has been checked: the tensors must tile the rest of the file exactly.
 *
 * @param tensors in the order of their data
 * @param metadata the entry {@code __metadata__}, empty if there is none
 * @param bytes the length of the header with its 8 bytes of length: where the data begins
 */
record SafetensorsHeader(List<TensorInfo> tensors, Map<String, String> metadata, long bytes) {
    static final String METADATA = "__metadata__";
    static final int LENGTH_BYTES = 8;
    /** The format's own limit on the JSON. */
    static final long LARGEST = 100_000_000;

    static final JsonMapper STRICT_JSON = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    /**
     * Reads and checks the header.
     *
     * @param file the file's name, for errors
     * @param content the whole file
     * @throws BelayException naming the file, the tensor and what is wrong with it
     */
    static SafetensorsHeader read(Path file, MemorySegment content) {
        return new Reader(file, content).read();
    }

    /** A tensor as declared: {@code begin} and {@code end} count from the end of the header. */
    private record Claim(String name, TensorType type, long[] shape, long begin, long end) {}

    private record Reader(Path file, MemorySegment content) {
        SafetensorsHeader read() {
            long dataStart = LENGTH_BYTES + length();
            Map<String, String> metadata = Map.of();
            List<Claim> claims = new ArrayList<>();
            for (Map.Entry<String, JsonNode> entry : json(dataStart).properties()) {
                if (entry.getKey().equals(METADATA)) {
                    metadata = metadata(entry.getValue());
                } else {
                    claims.add(claim(entry.getKey(), entry.getValue()));
                }
            }
            claims.sort(Comparator.comparingLong(Claim::begin).thenComparingLong(Claim::end));
            checkTiling(claims, dataStart);
            List<TensorInfo> tensors = claims.stream()
                    .map(c -> new TensorInfo(c.name, c.type, c.shape, dataStart + c.begin, c.end - c.begin))
                    .toList();
            return new SafetensorsHeader(tensors, metadata, dataStart);
        }

        private long length() {
            long size = content.byteSize();
            if (size < LENGTH_BYTES) {
                throw bad("is " + size + " bytes long, too short for a safetensors file; fetch it again");
            }
            // Not by a layout, whose handles take a while to make: every command waits for them.
            ByteBuffer start = content.asSlice(0, LENGTH_BYTES).asByteBuffer();
            long length = start.order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (length == 0 || Long.compareUnsigned(length, LARGEST) > 0) {
                throw bad("claims a header of " + Long.toUnsignedString(length)
                        + " bytes (1 to 100000000 are allowed); it is not a safetensors file");
            }
            if (length > size - LENGTH_BYTES) {
                throw bad("claims a header of " + length + " bytes but only " + (size - LENGTH_BYTES)
                        + " follow; it is truncated: fetch it again");
            }
            return length;
        }

        private JsonNode json(long dataStart) {
            ByteBuffer bytes =
                    content.asSlice(LENGTH_BYTES, dataStart - LENGTH_BYTES).asByteBuffer();
            if (bytes.get(0) != '{') {
                throw bad("its header is not a JSON object; it is not a safetensors file");
            }
            try {
                return STRICT_JSON.readTree(
                        StandardCharsets.UTF_8.newDecoder().decode(bytes).toString());
            } catch (CharacterCodingException e) {
                throw bad("its header is not UTF-8 text", e);
            } catch (JsonProcessingException e) {
                throw bad("its header is not valid: " + Quoted.line(e.getOriginalMessage()), e);
            }
        }

        private Map<String, String> metadata(JsonNode node) {
            if (!node.isObject()) {
                throw bad(METADATA + " is not a JSON object");
            }
            Map<String, String> metadata = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : node.properties()) {
                if (!entry.getValue().isTextual()) {
                    throw bad(METADATA + " entry " + Quoted.of(entry.getKey()) + " is not a string");
                }
                metadata.put(entry.getKey(), entry.getValue().textValue());
            }
            return Collections.unmodifiableMap(metadata);
        }

        private Claim claim(String name, JsonNode node) {
            if (!node.isObject()) {
                throw bad(name, "is not described by a JSON object");
            }
            TensorType type = type(name, node.path("dtype"));
            long[] shape = naturals(name, "shape", node.path("shape"));
            long[] offsets = naturals(name, "data_offsets", node.path("data_offsets"));
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw bad(
                        name,
                        "data_offsets " + Quoted.line(node.path("data_offsets").toString())
                                + " are not a beginning and an end");
            }
            long bytes = bytes(name, type, shape);
            if (offsets[1] - offsets[0] != bytes) {
                throw bad(
                        name,
                        "needs " + bytes + " bytes by its shape and type but its data_offsets give it "
                                + (offsets[1] - offsets[0]));
            }
            return new Claim(name, type, shape, offsets[0], offsets[1]);
        }

        private TensorType type(String name, JsonNode node) {
            if (!node.isTextual()) {
                throw bad(name, "has no dtype");
            }
            return TensorType.named(node.textValue())
                    .orElseThrow(() -> bad(
                            name,
                            "has type " + Quoted.line(node.textValue())
                                    + ", which Belay does not read; convert the model to F32, F16 or BF16"));
        }

        private long[] naturals(String name, String key, JsonNode node) {
            if (!node.isArray()) {
                throw bad(name, "has no list " + key);
            }
            long[] values = new long[node.size()];
            for (int i = 0; i < values.length; i++) {
                JsonNode value = node.get(i);
                if (!value.isIntegralNumber() || !value.canConvertToLong() || value.longValue() < 0) {
                    throw bad(
                            name,
                            key + " " + Quoted.line(node.toString()) + " are not all whole numbers from 0 to 2^63 - 1");
                }
                values[i] = value.longValue();
            }
            return values;
        }

        private long bytes(String name, TensorType type, long[] shape) {
            try {
                return byteSize(type, shape);
            } catch (ArithmeticException e) {
                throw bad(name, "has a shape whose size overflows 64 bits");
            }
        }

        /** The tensors, in the order of their data, must cover the file from {@code dataStart} to its end, once. */
        private void checkTiling(List<Claim> claims, long dataStart) {
            long dataBytes = content.byteSize() - dataStart;
            long covered = 0;
            String previous = "";
            for (Claim claim : claims) {
                if (claim.end > dataBytes) {
                    Claim last = Collections.max(claims, Comparator.comparingLong(Claim::end));
                    throw bad(
                            last.name,
                            "ends at byte " + last.end + " of the data but the file holds only " + dataBytes
                                    + " bytes of data; it is truncated: fetch it again");
                }
                if (claim.begin < covered) {
                    throw bad(claim.name, "overlaps tensor " + Quoted.of(previous));
                }
                if (claim.begin > covered) {
                    throw bad(
                            claim.name,
                            "begins at byte " + claim.begin + " of the data but bytes from " + covered
                                    + " on belong to no tensor");
                }
                covered = claim.end;
                previous = claim.name;
            }
            if (covered != dataBytes) {
                throw bad("holds " + dataBytes + " bytes of data but its tensors take only " + covered);
            }
        }

        private BelayException bad(String tensor, String what) {
            return bad("tensor " + Quoted.of(tensor) + " " + what);
        }

        private BelayException bad(String what) {
            return new BelayException(file + ": " + what);
        }

        private BelayException bad(String what, Exception cause) {
            return new BelayException(file + ": " + what, cause);
        }
    }

    /**
     * Bytes of a tensor.
     *
     * @throws ArithmeticException if they overflow a long
     */
    static long byteSize(TensorType type, long[] shape) {
        long bytes = type.bytes();
        for (long dimension : shape) {
            bytes = Math.multiplyExact(bytes, dimension);
        }
        return bytes;
    }
}
