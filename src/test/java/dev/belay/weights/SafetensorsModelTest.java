package dev.belay.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsModelTest {
    private static final String ONE = "model-00001-of-00002.safetensors";
    private static final String TWO = "model-00002-of-00002.safetensors";

    @TempDir
    private Path folder;

    @BeforeEach
    void writeShards() throws IOException {
        SafetensorsWriter.to(folder.resolve(ONE))
                .floats("b", new float[] {1, 2}, 2)
                .save();
        SafetensorsWriter.to(folder.resolve(TWO))
                .floats("a", new float[] {3}, 1, 1)
                .longs("extra", new long[0], 0)
                .save();
        index("{\"metadata\":{\"total_size\":12},\"weight_map\":{\"a\":\"" + TWO + "\",\"b\":\"" + ONE + "\"}}");
        Files.writeString(folder.resolve("config.json"), "{}");
    }

    private void index(String json) throws IOException {
        Files.writeString(folder.resolve(ShardIndex.INDEX), json);
    }

    private void assertRefused(String... parts) {
        String message = assertThrows(BelayException.class, () -> SafetensorsModel.open(folder))
                .getMessage();
        assertEquals(1, message.lines().count(), message);
        for (String part : parts) {
            assertTrue(message.contains(part), () -> message + " lacks " + part);
        }
    }

    @Test
    void readsShards() {
        try (SafetensorsModel model = SafetensorsModel.open(folder)) {
            assertEquals(List.of("b", "a"), List.copyOf(model.names()));
            assertArrayEquals(new float[] {3}, model.floats("a"));
            assertEquals(8, model.segment("b").byteSize());
            assertEquals(3, model.parameters());
            assertEquals(12, model.bytes());
            assertEquals(2, model.files().size());
            assertThrows(BelayException.class, () -> model.segment("extra"));
        }
    }

    @Test
    void readsASingleFile() {
        try (SafetensorsModel model = SafetensorsModel.open(Path.of("models/tiny-cliff"))) {
            assertEquals(56, model.names().size());
            assertEquals(7_608_832, model.bytes());
            assertEquals(7_608_832 / 2, model.parameters());
        }
    }

    @Test
    void refusesAMissingShard() throws IOException {
        Files.delete(folder.resolve(TWO));
        assertRefused(TWO, "missing shard");
    }

    @Test
    void refusesATensorThatItsShardLacks() throws IOException {
        index("{\"weight_map\":{\"a\":\"" + ONE + "\",\"b\":\"" + ONE + "\"}}");
        assertRefused("tensor \"a\" is not in " + ONE);
        index("{\"weight_map\":{\"a\":\"" + ONE + "\",\"b\":\"" + TWO + "\"}}");
        assertRefused("is not in");
    }

    @Test
    void refusesATensorInTwoShards() {
        SafetensorsWriter.to(folder.resolve(TWO))
                .floats("a", new float[] {3}, 1)
                .floats("b", new float[] {3}, 1)
                .save();
        assertRefused("tensor \"b\" is in two shards, " + ONE + " and " + TWO);
    }

    @Test
    void refusesAMalformedIndex() throws IOException {
        for (String json : List.of("{", "[]", "{}", "{\"weight_map\":[]}", "{\"weight_map\":{}}", "")) {
            index(json);
            assertRefused(ShardIndex.INDEX);
        }
        index("{\"weight_map\":{\"a\":\"" + TWO + "\",\"a\":\"" + ONE + "\"}}");
        assertRefused("'a'");
        for (String file :
                List.of("3", "\"../x\"", "\"/etc/passwd\"", "\"..\"", "\"\"", "\"a\\\\b\"", "\"a\\u0000\"")) {
            index("{\"weight_map\":{\"a\":" + file + "}}");
            assertRefused("tensor \"a\"", "not the name of a file in the same folder");
        }
    }

    @Test
    void refusesAFolderWithoutWeights() throws IOException {
        Files.delete(folder.resolve(ShardIndex.INDEX));
        assertRefused("neither model.safetensors nor model.safetensors.index.json");
        assertTrue(assertThrows(BelayException.class, () -> SafetensorsModel.open(folder.resolve("absent")))
                .getMessage()
                .contains("no such folder"));
    }

    @Test
    void fingerprintTellsModelsApart() throws IOException {
        String first = ModelFingerprint.of(folder);
        assertEquals(64, first.length());
        assertEquals(first, ModelFingerprint.of(folder));
        Files.writeString(folder.resolve("config.json"), "{ }");
        String otherConfig = ModelFingerprint.of(folder);
        assertNotEquals(first, otherConfig);
        SafetensorsWriter.to(folder.resolve(ONE))
                .floats("b", new float[] {1, 3}, 2)
                .save();
        assertNotEquals(otherConfig, ModelFingerprint.of(folder));
        Files.delete(folder.resolve("config.json"));
        assertTrue(assertThrows(BelayException.class, () -> ModelFingerprint.of(folder))
                .getMessage()
                .contains("config.json"));
    }

    @Test
    void fingerprintSamplesLargeFilesToTheirEnd() throws IOException {
        float[] data = new float[1_500_000];
        Path single = folder.resolve("model.safetensors");
        SafetensorsWriter.to(single).floats("a", data, data.length).save();
        String before = ModelFingerprint.of(folder);
        data[data.length - 1] = 1;
        SafetensorsWriter.to(single).floats("a", data, data.length).save();
        assertNotEquals(before, ModelFingerprint.of(folder));
    }
}
