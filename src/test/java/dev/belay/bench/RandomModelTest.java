package dev.belay.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RandomModelTest {
    @TempDir
    Path folder;

    private Path write(ModelShape shape, String name, long seed) {
        Path model = folder.resolve(name);
        RandomModel.write(shape, model, seed, bytes -> {});
        return model;
    }

    private static byte[] weights(Path model) throws IOException {
        return Files.readAllBytes(model.resolve("model.safetensors"));
    }

    /** The numbers of parameters that the published models have. */
    @Test
    void theNamedShapesAreThoseOfTheModels() {
        assertEquals(134_515_008, ModelShape.of("smollm2-135m").parameters());
        assertEquals(596_049_920, ModelShape.of("qwen3-0.6b").parameters());
        assertEquals(8_030_261_248L, ModelShape.of("llama3-8b").parameters());
        BelayException e = assertThrows(BelayException.class, () -> ModelShape.of("gpt2"));
        assertEquals("unknown shape 'gpt2'; known: smollm2-135m, qwen3-0.6b, llama3-8b", e.getMessage());
    }

    @Test
    void theEngineLoadsALlama() {
        Path path = write(TinyShape.LLAMA, "llama", 0);
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(path, device, layer -> {})) {
            ModelConfig c = model.config();
            assertEquals("llama", c.family());
            assertEquals(2, c.layers());
            assertEquals(8, c.headSize());
            assertEquals(1e4, c.rope().theta());
            assertEquals(1e-5f, c.normEps());
            assertEquals(256, c.positions());
            assertTrue(c.tiedEmbeddings());
            assertEquals("bfloat16", c.storedType());
            assertEquals(List.of(2), c.endTokens());
            // Embedding, two layers of 9 tensors, final norm.
            assertEquals(20, model.tensors().names().size());
        }
    }

    @Test
    void aQwenHasNormsOfItsHeads() {
        try (SafetensorsFile file =
                SafetensorsFile.open(write(TinyShape.QWEN, "qwen", 0).resolve("model.safetensors"))) {
            assertTrue(file.tensor("model.layers.0.self_attn.q_norm.weight").hasShape(16));
            assertTrue(file.tensor("model.layers.0.self_attn.k_norm.weight").hasShape(16));
            assertTrue(file.tensor("model.layers.0.self_attn.q_proj.weight").hasShape(64, 32));
            assertTrue(file.tensor("model.layers.0.self_attn.v_proj.weight").hasShape(32, 32));
            assertTrue(file.tensor("model.layers.0.mlp.down_proj.weight").hasShape(32, 48));
            assertTrue(file.tensor("lm_head.weight").hasShape(64, 32));
            assertEquals(14, file.names().size());
            assertEquals("pt", file.metadata().get("format"));
        }
    }

    @Test
    void theNumbersAreNormallyDistributed() {
        float[] values = new float[1 << 16];
        MemorySegment numbers = MemorySegment.ofArray(new byte[values.length * Short.BYTES]);
        new NormalNumbers(0, 0.02).fill(numbers, NormalNumbers.key(5, "a"), 0);
        double sum = 0;
        double squares = 0;
        double fourths = 0;
        for (int i = 0; i < values.length; i++) {
            double x = Float.intBitsToFloat((numbers.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i) & 0xFFFF) << 16);
            sum += x / 0.02;
            squares += x * x / 0.0004;
            fourths += x * x * x * x / 0.00000016;
        }
        // Standard errors of 65,536 samples: 0.004, 0.006 and 0.04.
        assertEquals(0, sum / values.length, 0.02);
        assertEquals(1, squares / values.length, 0.02);
        assertEquals(3, fourths / values.length, 0.15);
    }

    @Test
    void normsAreNearOneAndMatricesNearZero() {
        Path path = write(TinyShape.LLAMA, "llama", 0);
        try (SafetensorsFile file = SafetensorsFile.open(path.resolve("model.safetensors"))) {
            for (String name : file.names()) {
                assertEquals(TensorType.BF16, file.tensor(name).type());
                float center = name.endsWith("norm.weight") ? 1 : 0;
                for (float value : file.floats(name)) {
                    assertEquals(center, value, 0.1f, name);
                }
            }
        }
    }

    /** A part of a key's numbers is the same whether the rest is asked for or not. */
    @Test
    void numbersDoNotDependOnThePartsTheyAreAskedForIn() {
        NormalNumbers numbers = new NormalNumbers(0, 1);
        long key = NormalNumbers.key(1, "w");
        byte[] whole = new byte[2 * 1000];
        byte[] tail = new byte[2 * (1000 - 412)];
        numbers.fill(MemorySegment.ofArray(whole), key, 0);
        numbers.fill(MemorySegment.ofArray(tail), key, 412);
        assertArrayEquals(Arrays.copyOfRange(whole, 2 * 412, 2 * 1000), tail);
    }

    @Test
    void aSeedAlwaysGivesTheSameFile() throws IOException, NoSuchAlgorithmException {
        byte[] first = weights(write(TinyShape.LLAMA, "a", 7));
        assertArrayEquals(first, weights(write(TinyShape.LLAMA, "b", 7)));
        assertFalse(Arrays.equals(first, weights(write(TinyShape.LLAMA, "c", 8))));
        // On every machine.
        assertEquals(
                "7fbd529a3718ac62d510d77d0b424dab100e86e50e53eea3e35219f9ecf223fd",
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(first)));
    }

    @Test
    void aFolderWithSomethingInItIsLeftAlone() throws IOException {
        Path model = Files.createDirectories(folder.resolve("model"));
        Files.write(model.resolve("notes"), "mine".getBytes(StandardCharsets.UTF_8));
        BelayException e =
                assertThrows(BelayException.class, () -> RandomModel.write(TinyShape.LLAMA, model, 0, bytes -> {}));
        assertTrue(e.getMessage().contains("is there and not empty"), e.getMessage());
        try (var files = Files.list(model)) {
            assertEquals(1, files.count());
        }
        assertEquals(1, RandomModel.run("smollm2-135m", model.toString()));
        assertEquals(1, RandomModel.run("smollm3", folder.resolve("new").toString()));
        assertEquals(0, RandomModel.run("llama3-8b", folder.resolve("config").toString(), "--config-only"));
        assertEquals(4096, ModelConfig.read(folder.resolve("config")).hidden());
        assertFalse(Files.exists(folder.resolve("config/model.safetensors")));
        assertEquals(2, RandomModel.run("smollm2-135m"));
        assertEquals(2, RandomModel.run("smollm2-135m", folder.resolve("new").toString(), "--seed", "x"));
        assertFalse(Files.exists(folder.resolve("new")));
    }
}
