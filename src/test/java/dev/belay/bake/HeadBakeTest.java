package dev.belay.bake;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.Closeness;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Golden;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelFolder;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HeadBakeTest {
    @TempDir
    Path folder;

    private static SortedMap<Integer, List<Integer>> heads(ModelConfig config) {
        return new TreeMap<>(Map.of(0, List.of(1), config.layers() - 1, List.of(0, 2)));
    }

    private static float[] states(Path model, SortedMap<Integer, List<Integer>> masked, float gamma) {
        try (Device device = TestDevices.open(DType.F32);
                Model opened = Model.load(model, device, l -> {});
                ForwardPass forward = new ForwardPass(opened, 64)) {
            ModelConfig config = opened.config();
            int[] ids = new Random(2).ints(30, 5, config.vocabulary()).toArray();
            HeadMask mask = new HeadMask(config.layers(), config.heads(), PositionScope.ALL, false);
            masked.forEach((layer, chosen) -> chosen.forEach(head -> mask.scale(layer, head, gamma)));
            float[] states = new float[ids.length * config.hidden()];
            new TextRunner(forward)
                    .run(
                            List.of(new TextRunner.Text(ids, TextSpan.plain(ids.length))),
                            config.layers(),
                            masked.isEmpty() ? null : mask,
                            null,
                            false,
                            (texts, buffer) -> buffer.read(0, states, 0, states.length),
                            n -> {});
            return states;
        }
    }

    @ParameterizedTest
    @CsvSource({"llama,0", "llama,0.5", "qwen2,0", "phi3,0", "qwen3-moe,0", "llama-bias,0", "llama-bias,2"})
    void aBakedModelComputesWhatTheMaskDoes(String family, float gamma) {
        Path model = Golden.path("families/" + family);
        ModelConfig config = ModelConfig.read(model);
        SortedMap<Integer, List<Integer>> heads = heads(config);
        Path baked = folder.resolve("baked");
        new HeadBake(model, config, heads, gamma).copy(baked);
        float[] expected = states(model, heads, gamma);
        float[] actual = states(baked, new TreeMap<>(), 1);
        Closeness.assertSame(expected, actual, 1e-5, config.hidden(), family);
        assertTrue(!Arrays.equals(states(model, new TreeMap<>(), 1), actual), "nothing changed");
    }

    /** Every file is there; every byte is as it was but those of the heads' columns, which are zeros. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen2"})
    void onlyTheColumnsOfTheHeadsChange(String family) throws IOException {
        Path model = Golden.path("families/" + family);
        ModelConfig config = ModelConfig.read(model);
        Path baked = folder.resolve("baked");
        new HeadBake(model, config, heads(config), 0).copy(baked);
        int size = config.headSize();
        int checked = 0;
        try (Stream<Path> files = Files.list(model)) {
            for (Path file : files.toList()) {
                byte[] expected = Files.readAllBytes(file);
                if (file.getFileName().toString().matches("model.*\\.safetensors")) {
                    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
                        for (var entry : heads(config).entrySet()) {
                            String name = "model.layers." + entry.getKey() + ".self_attn.o_proj.weight";
                            if (!tensors.has(name)) {
                                continue;
                            }
                            TensorInfo tensor = tensors.tensor(name);
                            int bytes = tensor.type().bytes();
                            int width = (int) tensor.shape()[1];
                            for (int row = 0; row < tensor.shape()[0]; row++) {
                                for (int head : entry.getValue()) {
                                    int from = (int) tensor.offset() + (row * width + head * size) * bytes;
                                    Arrays.fill(expected, from, from + size * bytes, (byte) 0);
                                    checked++;
                                }
                            }
                        }
                    }
                }
                assertArrayEquals(expected, Files.readAllBytes(baked.resolve(file.getFileName())), file.toString());
            }
        }
        assertEquals(3 * config.hidden(), checked);
    }

    @ParameterizedTest
    @CsvSource({"llama,0", "qwen2,0.25"})
    void anAdapterAddsTheSameChange(String family, float gamma) throws IOException {
        Path model = Golden.path("families/" + family);
        ModelConfig config = ModelConfig.read(model);
        SortedMap<Integer, List<Integer>> heads = heads(config);
        HeadBake bake = new HeadBake(model, config, heads, gamma);
        bake.copy(folder.resolve("baked"));
        bake.adapter(folder.resolve("adapter"));
        JsonNode json = new ObjectMapper()
                .readTree(folder.resolve("adapter/adapter_config.json").toFile());
        assertEquals(
                "[0," + (config.layers() - 1) + "]",
                json.get("layers_to_transform").toString());
        int width = config.heads() * config.headSize();
        try (SafetensorsModel original = SafetensorsModel.open(model);
                SafetensorsModel baked = SafetensorsModel.open(folder.resolve("baked"));
                SafetensorsFile adapter = SafetensorsFile.open(folder.resolve("adapter/adapter_model.safetensors"))) {
            assertEquals(4, adapter.names().size());
            for (var entry : heads.entrySet()) {
                String name = "model.layers." + entry.getKey() + ".self_attn.o_proj";
                int rank = entry.getValue().size() * config.headSize();
                assertEquals(rank, json.get("rank_pattern").get(name).asInt());
                assertEquals(rank, json.get("alpha_pattern").get(name).asInt());
                float[] a = adapter.floats("base_model.model." + name + ".lora_A.weight");
                float[] b = adapter.floats("base_model.model." + name + ".lora_B.weight");
                float[] sum = original.floats(name + ".weight");
                for (int d = 0; d < config.hidden(); d++) {
                    for (int i = 0; i < width; i++) {
                        for (int r = 0; r < rank; r++) {
                            sum[d * width + i] += b[d * rank + r] * a[r * width + i];
                        }
                    }
                }
                assertArrayEquals(baked.floats(name + ".weight"), sum, 1e-7f);
            }
        }
    }

    /**
     * However the file calls the tensors, transformers 5 has the modules {@code model.language_model.layers…}: PEFT 0.21 was seen to find
     * these names and no others, and to leave the o_proj of the layers that see images as they are.
     */
    @ParameterizedTest
    @CsvSource({"language_model.model.,language_model.,''", "model.language_model.,'',model."})
    void anAdapterOfAModelThatSeesImagesIsForItsText(String body, String head, String images) throws IOException {
        Path model = Files.createDirectory(folder.resolve("model"));
        ModelFolder.copy("mistral", model).toMistral3(body, head, images);
        ModelConfig config = ModelConfig.read(model);
        new HeadBake(model, config, new TreeMap<>(Map.of(1, List.of(0))), 0).adapter(folder.resolve("adapter"));
        JsonNode json = new ObjectMapper()
                .readTree(folder.resolve("adapter/adapter_config.json").toFile());
        String name = "model.language_model.layers.1.self_attn.o_proj";
        assertEquals("[\"self_attn.o_proj\"]", json.get("target_modules").toString());
        assertEquals("[1]", json.get("layers_to_transform").toString());
        assertEquals(
                "{\"" + name + "\":" + config.headSize() + "}",
                json.get("rank_pattern").toString());
        assertEquals(json.get("rank_pattern"), json.get("alpha_pattern"));
        try (SafetensorsFile adapter = SafetensorsFile.open(folder.resolve("adapter/adapter_model.safetensors"))) {
            String tensor = "base_model.model." + name + ".lora_";
            assertEquals(
                    List.of(tensor + "A.weight", tensor + "B.weight"),
                    adapter.names().stream().sorted().toList());
        }
    }
}
