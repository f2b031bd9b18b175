package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model folder that is damaged says what is wrong with which file, in one line. */
class ModelLoadTest {
    private static final String KEYS = "model.layers.1.self_attn.k_proj.weight";

    @TempDir
    Path folder;

    @BeforeEach
    void copy() {
        ModelFolder.copy("llama", folder);
    }

    private String loadFails() {
        try (Device device = TestDevices.open(DType.F32)) {
            String message = assertThrows(BelayException.class, () -> Model.load(folder, device, l -> {}))
                    .getMessage();
            assertFalse(message.contains("\n"), message);
            return message;
        }
    }

    /** Writes the weights again; {@code change} gives the shape of each tensor, or null to leave it out. */
    private void rewrite(Function<String, long[]> change) {
        rewrite(change, UnaryOperator.identity(), UnaryOperator.identity());
    }

    /** Also gives a tensor the numbers of another one, {@code source}, and another name, {@code rename}. */
    private void rewrite(Function<String, long[]> change, UnaryOperator<String> source, UnaryOperator<String> rename) {
        Path old = folder.resolve("model.safetensors");
        Path changed = folder.resolve("changed");
        try (SafetensorsFile file = SafetensorsFile.open(old)) {
            SafetensorsWriter writer = new Rewriter(file, change, source, rename).write(changed);
            writer.close();
        }
        move(changed, old);
    }

    private record Rewriter(
            SafetensorsFile file,
            Function<String, long[]> change,
            UnaryOperator<String> source,
            UnaryOperator<String> rename) {
        SafetensorsWriter write(Path target) {
            SafetensorsWriter.Declaration declaration = SafetensorsWriter.to(target);
            List<String> kept = new ArrayList<>();
            for (String name : file.names()) {
                long[] shape = change.apply(name);
                if (shape != null) {
                    long[] declared = shape.length == 0 ? file.tensor(name).shape() : shape;
                    declaration = declaration.tensor(rename.apply(name), TensorType.F32, declared);
                    kept.add(name);
                }
            }
            SafetensorsWriter writer = declaration.open();
            kept.forEach(name -> writer.write(rename.apply(name), file.floats(source.apply(name))));
            return writer;
        }
    }

    private static void move(Path from, Path to) {
        try {
            Files.move(from, to, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aWholeFolderLoads() {
        rewrite(name -> new long[0]);
        List<Integer> layers = new ArrayList<>();
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, layers::add)) {
            assertEquals(List.of(1, 2, 3), layers);
            assertEquals(folder, model.folder());
            assertEquals(64, model.weights().layer(1).keyValue().rows());
        }
    }

    @Test
    void aMissingTensor() {
        rewrite(name -> name.equals(KEYS) ? null : new long[0]);
        assertEquals(
                folder + ": has no tensor \"" + KEYS + "\" (of its 29 tensors); is this the right file?", loadFails());
    }

    /** Without tied embeddings there must be an output matrix; with them none is needed. */
    @Test
    void aMissingOutputMatrix() {
        rewrite(name -> name.equals("lm_head.weight") ? null : new long[0]);
        assertTrue(loadFails().contains("has no tensor \"lm_head.weight\""));
        ModelFolder.edit(folder, "config.json", json -> json.put("tie_word_embeddings", true));
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {})) {
            assertEquals(model.weights().embedding(), model.weights().head());
        }
    }

    /** An output matrix beside tied embeddings counts where it is another one, as in transformers. */
    @Test
    void anOutputMatrixBesideTiedEmbeddings() {
        ModelFolder.edit(folder, "config.json", json -> json.put("tie_word_embeddings", true));
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {})) {
            assertNotEquals(model.weights().embedding(), model.weights().head());
            assertEquals(List.of(), model.weights().unused());
        }
        rewrite(
                name -> new long[0],
                name -> name.equals("lm_head.weight") ? "model.embed_tokens.weight" : name,
                UnaryOperator.identity());
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {})) {
            assertEquals(model.weights().embedding(), model.weights().head());
            assertEquals(List.of(), model.weights().unused());
        }
    }

    /** Tensors that count for nothing are named, but for frequencies that old files hold. */
    @Test
    void tensorsThatAreNotUsed() {
        ModelFolder.edit(folder, "config.json", json -> json.put("num_hidden_layers", 2));
        rewrite(
                name -> new long[0],
                UnaryOperator.identity(),
                name -> name.equals("model.layers.2.input_layernorm.weight")
                        ? "model.layers.0.self_attn.rotary_emb.inv_freq"
                        : name);
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {})) {
            assertEquals(8, model.weights().unused().size());
            assertTrue(model.weights().unused().contains("model.layers.2.mlp.up_proj.weight"));
        }
    }

    @Test
    void aWrongShape() {
        rewrite(name -> name.equals(KEYS) ? new long[] {64, 32} : new long[0]);
        assertEquals(folder + ": tensor \"" + KEYS + "\" has shape [64, 32] but [32, 64] is expected", loadFails());
        copyAgain();
        rewrite(name -> name.equals("model.norm.weight") ? new long[] {64, 1} : new long[0]);
        assertEquals(folder + ": tensor \"model.norm.weight\" has shape [64, 1] but [64] is expected", loadFails());
    }

    @Test
    void aConfigurationOfAnotherSize() {
        ModelFolder.edit(folder, "config.json", json -> json.put("vocab_size", 161));
        assertEquals(
                folder + ": tensor \"model.embed_tokens.weight\" has shape [160, 64] but [161, 64] is expected",
                loadFails());
    }

    private void copyAgain() {
        try {
            Files.delete(folder.resolve("model.safetensors"));
            Files.delete(folder.resolve("config.json"));
            Files.delete(folder.resolve("generation_config.json"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        copy();
    }

    @Test
    void truncatedWeights() throws IOException {
        Path weights = folder.resolve("model.safetensors");
        for (long left : new long[] {Files.size(weights) - 1, 300_000, 100, 5, 0}) {
            try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
                file.setLength(left);
            }
            String message = loadFails();
            assertTrue(message.startsWith(weights + ": "), left + " bytes: " + message);
        }
    }

    @Test
    void noWeightsAtAll() throws IOException {
        Files.delete(folder.resolve("model.safetensors"));
        assertTrue(loadFails().contains("holds neither model.safetensors nor model.safetensors.index.json"));
    }

    /** Two shards and an index that names both load; without one of them the index and the shard are named. */
    @Test
    void aMissingOrTruncatedShard() throws IOException {
        Path single = folder.resolve("model.safetensors");
        ObjectNode index = new ObjectMapper().createObjectNode();
        ObjectNode map = index.putObject("weight_map");
        String[] shards = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
        try (SafetensorsFile file = SafetensorsFile.open(single)) {
            file.names().forEach(name -> map.put(name, shards[name.contains("layers.2") ? 1 : 0]));
            for (String shard : shards) {
                Function<String, long[]> mine =
                        name -> map.get(name).textValue().equals(shard) ? new long[0] : null;
                new Rewriter(file, mine, UnaryOperator.identity(), UnaryOperator.identity())
                        .write(folder.resolve(shard))
                        .close();
            }
        }
        Files.delete(single);
        Path indexFile = folder.resolve("model.safetensors.index.json");
        Files.writeString(indexFile, index.toString());
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {})) {
            assertEquals(3, model.config().layers());
        }
        Path second = folder.resolve(shards[1]);
        try (RandomAccessFile file = new RandomAccessFile(second.toFile(), "rw")) {
            file.setLength(file.length() - 4);
        }
        assertTrue(loadFails().startsWith(second + ": "));
        Files.delete(second);
        assertEquals(
                indexFile + ": names \"" + shards[1] + "\", which is not in the folder; fetch the missing shard",
                loadFails());
    }

    @ParameterizedTest
    @CsvSource({KEYS + ", I32", KEYS + ", F64", "model.norm.weight, I32"})
    void weightsOfATypeThatIsNotComputedWith(String changedName, TensorType changedType) {
        Path weights = folder.resolve("model.safetensors");
        Path changed = folder.resolve("changed");
        try (SafetensorsFile file = SafetensorsFile.open(weights)) {
            SafetensorsWriter.Declaration declaration = SafetensorsWriter.to(changed);
            for (String name : file.names()) {
                TensorType type = name.equals(changedName) ? changedType : TensorType.F32;
                declaration = declaration.tensor(name, type, file.tensor(name).shape());
            }
            try (SafetensorsWriter writer = declaration.open()) {
                for (String name : file.names()) {
                    if (name.equals(changedName) && !changedType.isFloating()) {
                        writer.write(name, new long[(int) file.tensor(name).elements()]);
                    } else {
                        writer.write(name, file.floats(name));
                    }
                }
            }
        }
        move(changed, weights);
        assertEquals(
                folder + ": tensor \"" + changedName + "\" has type " + changedType
                        + ", which Belay does not compute with; convert the model to F32, F16 or BF16",
                loadFails());
    }
}
