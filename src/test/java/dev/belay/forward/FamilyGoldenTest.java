package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.Sampling;
import dev.belay.device.TestDevices;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelFolder;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the forward pass with what transformers computed for small random models, layer by layer. */
class FamilyGoldenTest {
    private static final int PROMPTS = 3;
    private static final Pattern EXPERT = Pattern.compile("(.*\\.mlp\\.experts\\.)(\\d+)\\.gate_proj\\.weight");

    @ParameterizedTest
    @MethodSource("dev.belay.forward.Golden#families")
    void hiddenStatesHeadOutputsAndLogits(String family) {
        assertGolden(Golden.path("families/" + family), family);
    }

    /** Compares a model's activations with those of a golden family. */
    private static void assertGolden(Path folder, String family) {
        with(folder, family, (model, golden, forward) -> {
            ModelConfig c = model.config();
            Set<HookPoint> points = new HashSet<>();
            for (int i = 0; i <= c.layers(); i++) {
                points.add(HookPoint.residual(i));
            }
            for (int l = 0; l < c.layers(); l++) {
                points.add(HookPoint.headOutput(l));
            }
            ActivationRecorder recorder = new ActivationRecorder(points, (text, position) -> true);
            recorder.nextBatch(List.of(0, 1, 2));
            HookReport report = new HookReport();
            Batch batch = batch(golden);
            float[] logits;
            try (KvCache cache = KvCache.passing(model.device(), c, batch.tokens())) {
                forward.run(batch, c.layers(), cache, new Hooks(HeadScales.none(), recorder, report), false);
                logits = read(forward.logits(batch.tokens()), batch.tokens() * c.vocabulary());
            }
            for (int i = 0; i <= c.layers(); i++) {
                for (int p = 0; p < PROMPTS; p++) {
                    String name = p + ".hidden." + i;
                    Golden.assertClose(
                            golden.floats(name), recorder.get(HookPoint.residual(i), p), Golden.TOLERANCE, name);
                    if (i < c.layers()) {
                        name = p + ".head_out." + i;
                        Golden.assertClose(
                                golden.floats(name), recorder.get(HookPoint.headOutput(i), p), Golden.TOLERANCE, name);
                    }
                }
            }
            int from = 0;
            for (int p = 0; p < PROMPTS; p++) {
                float[] expected = golden.floats(p + ".logits");
                float[] actual = Arrays.copyOfRange(logits, from, from + expected.length);
                Golden.assertClose(expected, actual, Golden.TOLERANCE, p + ".logits");
                from += expected.length;
            }
            assertEquals((long) batch.tokens() * (c.layers() + 1), report.residualTokens());
            assertEquals((long) batch.tokens() * c.layers(), report.headOutputTokens());
        });
    }

    /** Mistral within a model that also sees images, with names as transformers 4 and as 5 writes them. */
    @ParameterizedTest
    @CsvSource({"language_model.model.,language_model.,", "model.language_model.,'',model.", "language_model.,'',''"})
    void theLanguageModelOfMistral3(String body, String head, String images, @TempDir Path folder) {
        ModelFolder.copy("mistral", folder).toMistral3(body, head, images == null ? "" : images);
        assertGolden(folder, "mistral");
        with(folder, "mistral", (model, golden, forward) -> {
            assertEquals(List.of(), model.weights().unused());
            assertEquals(List.of(2), model.config().endTokens());
        });
    }

    /** A base model's files leave out {@code model.}, as transformers writes them of LlamaModel and its like. */
    @ParameterizedTest
    @CsvSource({
        "llama,LlamaModel",
        "qwen2,Qwen2Model",
        "qwen3-moe,Qwen3MoeModel",
        "phi3,Phi3Model",
        "smollm3-slide,SmolLM3Model"
    })
    void filesOfABaseModel(String family, String architecture, @TempDir Path folder) {
        ModelFolder.copy(family, folder)
                .edit("config.json", json -> json.putArray("architectures").add(architecture))
                .weights(tensors -> {
                    for (String name : List.copyOf(tensors.keySet())) {
                        tensors.put(name.replaceFirst("^model\\.", ""), tensors.remove(name));
                    }
                });
        assertGolden(folder, family);
        with(
                folder,
                family,
                (model, golden, forward) ->
                        assertEquals(List.of(), model.weights().unused()));
    }

    /** All experts of a layer in two tensors, as transformers 5 has them in memory, and writes them where it is asked to. */
    @ParameterizedTest
    @ValueSource(strings = {"qwen3-moe", "moe-mixed"})
    void expertsInOneTensor(String family, @TempDir Path folder) {
        ModelFolder.copy(family, folder).weights(tensors -> {
            Map<String, List<ModelFolder.Values>> fused = new LinkedHashMap<>();
            for (String name : List.copyOf(tensors.keySet())) {
                Matcher expert = EXPERT.matcher(name);
                if (expert.matches() && expert.group(2).equals("0")) {
                    List<ModelFolder.Values> gateUp = new ArrayList<>();
                    List<ModelFolder.Values> down = new ArrayList<>();
                    for (int e = 0; tensors.containsKey(expert.group(1) + e + ".up_proj.weight"); e++) {
                        gateUp.add(tensors.remove(expert.group(1) + e + ".gate_proj.weight"));
                        gateUp.add(tensors.remove(expert.group(1) + e + ".up_proj.weight"));
                        down.add(tensors.remove(expert.group(1) + e + ".down_proj.weight"));
                    }
                    fused.put(expert.group(1) + "gate_up_proj", gateUp);
                    fused.put(expert.group(1) + "down_proj", down);
                }
            }
            fused.forEach((name, parts) -> tensors.put(name, together(parts, name.endsWith("gate_up_proj") ? 2 : 1)));
        });
        assertGolden(folder, family);
        with(
                folder,
                family,
                (model, golden, forward) ->
                        assertEquals(List.of(), model.weights().unused()));
    }

    /** Matrices one behind the other; {@code each} of them are one expert's. */
    private static ModelFolder.Values together(List<ModelFolder.Values> parts, int each) {
        long[] shape = parts.getFirst().shape();
        int size = parts.getFirst().numbers().length;
        float[] numbers = new float[parts.size() * size];
        for (int i = 0; i < parts.size(); i++) {
            System.arraycopy(parts.get(i).numbers(), 0, numbers, i * size, size);
        }
        return new ModelFolder.Values(new long[] {parts.size() / each, each * shape[0], shape[1]}, numbers);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "mistral", "phi3", "qwen2", "qwen3", "qwen3-moe"})
    void ablatingEveryHeadInRowsOfOneBatch(String family) {
        with(family, (model, golden, forward) -> {
            ModelConfig c = model.config();
            for (int p = 0; p < PROMPTS; p++) {
                int[] ids = ids(golden, p);
                Batch batch = new Batch();
                List<HeadMask> masks = new ArrayList<>();
                for (int l = 0; l < c.layers(); l++) {
                    for (int h = 0; h < c.heads(); h++) {
                        batch.addText(ids, batch.tokens(), TextSpan.plain(ids.length));
                        batch.readLast();
                        masks.add(new HeadMask(c.layers(), c.heads(), PositionScope.ALL, false).ablate(l, h));
                    }
                }
                Hooks hooks = Hooks.scaling(HeadScales.perRow(masks));
                try (KvCache cache = KvCache.passing(model.device(), c, batch.tokens());
                        ForwardPass wide = new ForwardPass(model, batch.tokens())) {
                    DeviceBuffer states = wide.run(batch, c.layers(), cache, hooks, true);
                    float[] actual = read(states, c.layers() * c.heads() * c.hidden());
                    Golden.assertClose(golden.floats(p + ".ablate"), actual, Golden.TOLERANCE, p + ".ablate");
                }
                assertEquals(c.layers() * c.heads(), hooks.report().heads());
            }
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama",
                "llama31-rope",
                "mistral",
                "phi3",
                "qwen2",
                "qwen3",
                "qwen3-moe",
                "llama-longrope",
                "llama-dynamic"
            })
    void greedyTokens(String family) {
        with(family, (model, golden, forward) -> {
            List<Generator.Prompt> prompts = new ArrayList<>();
            for (int p = 0; p < PROMPTS; p++) {
                int[] ids = ids(golden, p);
                prompts.add(new Generator.Prompt(p, ids, TextSpan.plain(ids.length)));
            }
            Generator generator = new Generator(forward, null, Generator.Closing.NONE, Sampling.GREEDY, 12, true);
            List<Generator.Continuation> continuations = new ArrayList<>();
            generator.generate(prompts, (prompt, continuation) -> continuations.add(continuation));
            for (int p = 0; p < PROMPTS; p++) {
                assertArrayEquals(
                        toInts(golden.longs(p + ".greedy")),
                        continuations.get(p).tokens(),
                        "prompt " + p);
            }
        });
    }

    private interface Check {
        void on(Model model, SafetensorsFile golden, ForwardPass forward);
    }

    private static void with(String family, Check check) {
        with(Golden.path("families/" + family), family, check);
    }

    private static void with(Path folder, String family, Check check) {
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(folder, device, l -> {});
                SafetensorsFile golden =
                        SafetensorsFile.open(Golden.path("families/" + family + "/golden.safetensors"));
                ForwardPass forward = new ForwardPass(model, 128)) {
            check.on(model, golden, forward);
        }
    }

    private static Batch batch(SafetensorsFile golden) {
        Batch batch = new Batch();
        for (int p = 0; p < PROMPTS; p++) {
            int[] ids = ids(golden, p);
            batch.addText(ids, batch.tokens(), TextSpan.plain(ids.length));
        }
        return batch;
    }

    private static int[] ids(SafetensorsFile golden, int prompt) {
        return toInts(golden.longs(prompt + ".input_ids"));
    }

    private static int[] toInts(long[] values) {
        return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
    }

    private static float[] read(DeviceBuffer buffer, int count) {
        float[] values = new float[count];
        buffer.read(0, values, 0, count);
        return values;
    }
}
