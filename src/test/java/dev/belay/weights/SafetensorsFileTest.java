package dev.belay.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsFileTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden");

    @TempDir
    private Path folder;

    /** A file with this header, its true length, and {@code dataBytes} zero bytes of data. */
    static Path file(Path path, String json, int dataBytes) throws IOException {
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + text.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(text.length).put(text);
        return Files.write(path, bytes.array());
    }

    private static void assertRefused(Path path, String... parts) {
        String message = assertThrows(BelayException.class, () -> SafetensorsFile.open(path))
                .getMessage();
        assertEquals(1, message.lines().count(), message);
        assertTrue(message.contains(path.toString()), message);
        for (String part : parts) {
            assertTrue(message.contains(part), () -> message + " lacks " + part);
        }
    }

    @Test
    void readsWhatPythonWrote() {
        try (SafetensorsFile file = SafetensorsFile.open(GOLDEN.resolve("tiny-cliff/golden.safetensors"))) {
            assertEquals(23, file.tensors().size());
            assertEquals("probe.labels", file.tensors().getFirst().name());
            assertEquals(1744, file.tensors().getFirst().offset());
            assertEquals(Map.of(), file.metadata());
            assertEquals(128 * 256, file.require("probe.states", 128, 256).elements());
            assertEquals(256, file.floats("probe.weight").length);
            long refused = 0;
            for (long label : file.longs("probe.labels")) {
                refused += label;
            }
            assertEquals(64, refused);
        }
    }

    @Test
    void readsBfloat16() {
        try (SafetensorsFile file = SafetensorsFile.open(Path.of("models/tiny-cliff/model.safetensors"))) {
            assertEquals(Map.of("format", "pt"), file.metadata());
            assertEquals(TensorType.BF16, file.require("model.norm.weight", 256).type());
            for (float value : file.floats("model.norm.weight")) {
                assertTrue(value > 0.01f && value < 100f, "a norm weight of " + value);
            }
        }
    }

    @Test
    void convertsEveryFloatingType() throws IOException {
        String json = "{\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                + "\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
                + "\"h\":{\"dtype\":\"F16\",\"shape\":[1,1],\"data_offsets\":[12,14]},"
                + "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[14,16]},"
                + "\"none\":{\"dtype\":\"I64\",\"shape\":[3,0],\"data_offsets\":[16,16]}}   ";
        Path path = file(folder.resolve("types.safetensors"), json, 16);
        byte[] bytes = Files.readAllBytes(path);
        ByteBuffer.wrap(bytes, bytes.length - 16, 16)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putDouble(-1.25)
                .putFloat(3.5f)
                .putShort((short) 0x3C01)
                .putShort((short) 0xC049);
        Files.write(path, bytes);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertArrayEquals(new float[] {-1.25f}, file.floats("d"));
            assertArrayEquals(new float[] {3.5f}, file.floats("s"));
            assertArrayEquals(new float[] {1.0009765625f}, file.floats("h"));
            assertArrayEquals(new float[] {-3.140625f}, file.floats("b"));
            assertArrayEquals(new long[0], file.longs("none"));
            assertEquals(1, file.tensor("s").elements());
            assertTrue(file.segment("s").isReadOnly());
            assertEquals(List.of("d", "s", "h", "b", "none"), List.copyOf(file.names()));
        }
    }

    @Test
    void namesTheTensorThatIsMissingOrDifferent() {
        try (SafetensorsFile file = SafetensorsFile.open(GOLDEN.resolve("families/llama/model.safetensors"))) {
            assertFalse(file.has("model.norm.bias"));
            assertTrue(assertThrows(BelayException.class, () -> file.segment("model.norm.bias"))
                    .getMessage()
                    .contains("\"model.norm.bias\""));
            String shape = assertThrows(BelayException.class, () -> file.require("model.norm.weight", 1, 64))
                    .getMessage();
            assertTrue(shape.contains("[64] but [1, 64] is expected"), shape);
            String type = assertThrows(BelayException.class, () -> file.longs("model.norm.weight"))
                    .getMessage();
            assertTrue(type.contains("F32"), type);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "F8_E4M3 | [4]                | [0,4]   | F8_E4M3",
                "F33     | [1]                | [0,4]   | F33",
                "F32     | [-1]               | [0,4]   | shape [-1]",
                "F32     | [1.5]              | [0,4]   | shape [1.5]",
                "F32     | [99999999999999999999] | [0,4] | shape",
                "F32     | 4                  | [0,4]   | has no list shape",
                "F32     | [4294967296,4294967296] | [0,4] | overflows",
                "F32     | [1]                | [4,0]   | data_offsets [4,0]",
                "F32     | [1]                | [0]     | data_offsets [0]",
                "F32     | [1]                | [-4,0]  | data_offsets [-4,0]",
                "F32     | [1]                | [0,8]   | needs 4 bytes by its shape and type but its data_offsets give it 8",
                "F32     | [2]                | [0,8]   | ends at byte 8 of the data but the file holds only 4",
                "U8      | [3]                | [1,4]   | bytes from 0 on belong to no tensor",
                "U8      | [1]                | [9223372036854775806,9223372036854775807] | truncated",
            })
    void refusesALyingTensor(String dtype, String shape, String offsets, String part) throws IOException {
        String json = "{\"a.b\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":%s}}".formatted(dtype, shape, offsets);
        assertRefused(file(folder.resolve("lie.safetensors"), json, 4), "tensor \"a.b\"", part);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"a\":1 | is not valid",
                "[1]                                    | not a JSON object",
                "` {}` | not a JSON object",
                "{}{}                                   | is not valid",
                "{\"__metadata__\":{\"a\":1}}           | entry \"a\" is not a string",
                "{\"__metadata__\":[]}                  | __metadata__ is not a JSON object",
                "{\"a\":[]}                             | tensor \"a\" is not described",
                "{\"a\":{\"shape\":[],\"data_offsets\":[0,0]}} | tensor \"a\" has no dtype",
                "{\"a\\n\":1}                           | tensor \"a?\"",
            })
    void refusesALyingHeader(String json, String part) throws IOException {
        assertRefused(file(folder.resolve("lie.safetensors"), json, 0), part);
    }

    @Test
    void refusesDuplicatesOverlapsAndTails() throws IOException {
        Path path = folder.resolve("lie.safetensors");
        String a = "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
        String b = "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]}";
        assertRefused(file(path, "{" + a + "," + a + "}", 4), "'a'");
        assertRefused(file(path, "{" + b + "," + a + "}", 5), "tensor \"b\" overlaps tensor \"a\"");
        assertRefused(file(path, "{" + a + "}", 5), "holds 5 bytes of data but its tensors take only 4");
        file(path, "{" + a + "}", 4);
        byte[] whole = Files.readAllBytes(path);
        for (int length = 0; length < whole.length; length++) {
            Files.write(path, Arrays.copyOf(whole, length));
            assertRefused(path);
        }
    }

    @Test
    void refusesALyingLength() throws IOException {
        Path path = folder.resolve("lie.safetensors");
        for (long length : new long[] {0, 3, 100_000_001, -1, Long.MIN_VALUE}) {
            Files.write(
                    path,
                    ByteBuffer.allocate(10)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(length)
                            .put(new byte[] {'{', '}'})
                            .array());
            assertRefused(path, Long.toUnsignedString(length));
        }
        Files.write(
                path,
                ByteBuffer.allocate(10)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(2)
                        .put(new byte[] {'{', (byte) 0xFF})
                        .array());
        assertRefused(path, "UTF-8");
        assertRefused(folder, "folder");
        assertRefused(folder.resolve("absent.safetensors"), "no such file");
    }

    @Test
    void readsBeyondTwoGibibytes() throws IOException {
        long first = (1L << 31) + 12;
        String json = "{\"big\":{\"dtype\":\"U8\",\"shape\":[" + first + "],\"data_offsets\":[0," + first + "]},"
                + "\"far\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[" + first + "," + (first + 8) + "]}}";
        Path path = file(folder.resolve("sparse.safetensors"), json, 0);
        try (RandomAccessFile sparse = new RandomAccessFile(path.toFile(), "rw")) {
            long end = sparse.length() + first + 8;
            sparse.setLength(end);
            sparse.seek(end - 4);
            sparse.write(new byte[] {0, 0, (byte) 0x80, (byte) 0xBF});
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertTrue(file.tensor("far").offset() > Integer.MAX_VALUE);
            assertArrayEquals(new float[] {0f, -1f}, file.floats("far"));
            assertEquals(first, file.segment("big").byteSize());
        }
    }
}
