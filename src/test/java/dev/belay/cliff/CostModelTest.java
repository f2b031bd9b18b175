package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DevicePeaks;
import dev.belay.device.DryDevice;
import dev.belay.device.ProfiledDevice;
import dev.belay.device.Sampling;
import dev.belay.device.TestDevices;
import dev.belay.device.Work;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.Golden;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Experts;
import dev.belay.model.JsonFile;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelFolder;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the cost model says of work on tiny-cliff, against the profile of the same work really done, and against formulas. */
class CostModelTest {
    // tiny-cliff's shape.
    private static final long LAYERS = 6;
    private static final long HEADS = 8;
    private static final long KV_HEADS = 4;
    private static final long SIZE = 32;
    private static final long HIDDEN = 256;
    private static final long FEED_FORWARD = 512;
    private static final long QUERIES = HEADS * SIZE;
    private static final long KEYS = KV_HEADS * SIZE;

    private static final DevicePeaks PEAKS = new DevicePeaks(1e10, 1e11);

    @TempDir
    Path folder;

    private DType dtype = DType.F32;

    /** FLOPs and bytes of a profile's operations. */
    private record Counted(double flops, double bytes) {}

    private Counted really(int batchTokens, Consumer<TinyCliff> work) {
        Path file = folder.resolve("profile.json");
        try (Device device = TestDevices.open(dtype);
                TinyCliff tiny = new TinyCliff(new ProfiledDevice(device, file), batchTokens)) {
            work.accept(tiny);
        }
        return counted(file);
    }

    private static Counted counted(Path file) {
        double flops = 0;
        double bytes = 0;
        for (JsonNode event : JsonFile.parse(file).get("traceEvents")) {
            flops += event.get("args").path("flops").doubleValue();
            bytes += event.get("args").path("bytes").doubleValue();
        }
        return new Counted(flops, bytes);
    }

    private static void assertSame(Counted expected, Work actual) {
        assertTrue(expected.flops() > 0 && expected.bytes() > 0);
        assertEquals(expected.flops(), actual.flops());
        assertEquals(expected.bytes(), actual.bytes());
    }

    private Work predicted(int batchTokens, Function<CostModel, Work> work) {
        try (Device device = TestDevices.open(dtype);
                CostModel model = new CostModel(TinyCliff.FOLDER, device, PEAKS, batchTokens, LinearProbe.LAST)) {
            return work.apply(model);
        }
    }

    /** With batches that hold all transcripts or one, all heads of a layer or few; with heads of other layers ablated before. */
    @ParameterizedTest
    @CsvSource({
        "F32,all,2048,false,0",
        "F32,all,110,false,2",
        "F32,closing,2048,false,1",
        "BF16,closing,110,true,2",
        "F32,last:5,300,false,0",
        "BF16,all,40,true,2"
    })
    void aSweep(DType type, String positions, int batchTokens, boolean renormalize, int ablated) {
        dtype = type;
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 5);
        PositionScope scope = PositionScope.parse(positions);
        List<CostModel.Head> chosen =
                List.of(new CostModel.Head(0, 5), new CostModel.Head(3, 1)).subList(0, ablated);
        Counted counted = really(batchTokens, tiny -> {
            AblationSweep sweep = new AblationSweep(tiny.scorer, scope, renormalize);
            HeadMask mask = sweep.emptyMask();
            sweep.run(attacks, mask, n -> {});
            for (CostModel.Head head : chosen) {
                mask.ablate(head.layer(), head.head());
                sweep.run(attacks, mask, n -> {});
            }
        });
        assertSame(counted, predicted(batchTokens, m -> m.greedy(attacks, scope, renormalize, chosen)));
        if (ablated == 0) {
            assertSame(counted, predicted(batchTokens, m -> m.causal(attacks, scope, renormalize)));
        }
    }

    @Test
    void aGreedySelection() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 3);
        List<CostModel.Head> chosen = new ArrayList<>();
        Counted counted = really(512, tiny -> {
            AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.ALL, false);
            GreedySelection.run(sweep, attacks, 3, n -> {})
                    .steps()
                    .forEach(s -> chosen.add(new CostModel.Head(s.layer(), s.head())));
        });
        Work work = predicted(512, m -> m.greedy(attacks, PositionScope.ALL, false, chosen.subList(0, 2)));
        assertSame(counted, work);
        // A head of a lower layer is the dearer one to sweep: that which is left out counts.
        List<CostModel.Head> high = List.of(new CostModel.Head(5, 0), new CostModel.Head(5, 1));
        assertNotEquals(
                work.flops(),
                predicted(512, m -> m.greedy(attacks, PositionScope.ALL, false, high))
                        .flops());
    }

    @Test
    void attributionTracesAndGeneration() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 4);
        assertSame(
                really(110, tiny -> {
                    tiny.scorer.finalScores(attacks, null, n -> {});
                    HeadAttribution.direct(tiny.forward, tiny.probe, tiny.scorer.layer(), attacks, n -> {});
                }),
                predicted(110, m -> m.direct(attacks)));
        assertSame(
                really(110, tiny -> tiny.scorer.traces(attacks, Plateau.MAX, n -> {})),
                predicted(110, m -> m.trace(attacks)));
        List<Generator.Prompt> prompts = new ArrayList<>();
        for (int n : new int[] {9, 30, 17}) {
            prompts.add(new Generator.Prompt(prompts.size(), new int[n], TextSpan.plain(n)));
        }
        assertSame(
                really(
                        110,
                        tiny -> new Generator(tiny.forward, null, Generator.Closing.NONE, Sampling.GREEDY, 7, true)
                                .generate(prompts, (prompt, continuation) -> {})),
                predicted(110, m -> m.generate(prompts, 7)));
    }

    /** Attention of each of {@code queries} last tokens of a text of {@code tokens}: two products and two sums a number of a key. */
    private static long attention(long tokens, long queries) {
        long keys = 0;
        for (long t = tokens - queries; t < tokens; t++) {
            keys += t + 1;
        }
        return 4 * keys * QUERIES;
    }

    private static long feedForward(long tokens) {
        return tokens * (4 * HIDDEN + 2 * 3 * HIDDEN * FEED_FORWARD + 5 * FEED_FORWARD);
    }

    /** A layer over a text of {@code tokens}, which goes on with its {@code read} last. */
    private static long layer(long tokens, long read) {
        long norm = 4 * tokens * HIDDEN;
        long project = 2 * HIDDEN * (read * QUERIES + tokens * 2 * KEYS);
        long rotate = 3 * SIZE * (read * HEADS + tokens * KV_HEADS);
        return norm + project + rotate + attention(tokens, read) + 2 * read * QUERIES * HIDDEN + feedForward(read);
    }

    /** The layers from {@code first} on, of which the last computes one token, and the probe. */
    private static long above(long first, long tokens) {
        long layers = first < LAYERS ? (LAYERS - 1 - first) * layer(tokens, tokens) + layer(tokens, 1) : 0;
        return layers + 4 * HIDDEN + 2 * HIDDEN;
    }

    /** One text, all positions: by the formula of docs/performance.md, every operation counted. */
    @Test
    void aSweepByHand() {
        long tokens = 23;
        long flops = above(0, tokens);
        for (long l = 0; l < LAYERS; l++) {
            long changed = l == LAYERS - 1 ? 1 : tokens;
            flops += 2 * changed * QUERIES * HIDDEN;
            long head = 2 * changed * SIZE * HIDDEN + 3 * changed * HIDDEN + feedForward(changed);
            flops += HEADS * (head + above(l + 1, tokens));
        }
        ProbeText text = new ProbeText("x", new int[(int) tokens], 0, (int) tokens);
        Work work = predicted(300, m -> m.causal(List.of(text), PositionScope.ALL, false));
        assertEquals(flops, work.flops());
        assertEquals(
                flops,
                really(300, tiny -> {
                            AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.ALL, false);
                            sweep.run(List.of(text), sweep.emptyMask(), n -> {});
                        })
                        .flops());
    }

    /** The experts of as many tokens: the router, what the chosen compute, and the weights of those that evenly spread tokens reach. */
    private static Counted mixture(ModelConfig c, long tokens) {
        Experts experts = c.experts();
        long hidden = c.hidden();
        long inner = experts.feedForward();
        long pairs = tokens * experts.top();
        double flops = 2 * tokens * hidden * experts.count() + 2 * tokens * experts.count();
        flops += pairs * (2 * 3 * inner * hidden + 5 * inner + 2 * hidden);
        double missed = Math.pow(1 - (double) experts.top() / experts.count(), tokens);
        double weights =
                experts.count() * hidden + Math.rint(4 * experts.count() * (1 - missed) * 3 * inner * hidden) / 4;
        // Inputs and logits of the router, its choice; inputs and results of gate and up, of the activation, of down,
        // and of the sum.
        long numbers = tokens * (hidden + 2 * experts.count()) + 2 * pairs;
        numbers += pairs * (hidden + 2 * inner + 3 * inner + inner + hidden + hidden) + 2 * tokens * hidden;
        return new Counted(flops, 4 * (weights + numbers));
    }

    /** One token reaches k experts of a layer, many reach all of them, though the device that counts routes all alike. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 5, 60})
    void expertsAreThoseThatRoutingReaches(int tokens) {
        Path moe = Golden.path("families/moe-mixed");
        try (Device device = TestDevices.open(DType.F32);
                DryDevice dry = new DryDevice(device, PEAKS);
                Model model = Model.outline(moe, dry);
                ForwardPass forward = new ForwardPass(model, 64)) {
            ModelConfig c = model.config();
            dry.work();
            forward.feedForwardBlock(1, tokens);
            Work plain = dry.work();
            assertEquals(
                    tokens * (4.0 * c.hidden() + 6.0 * c.hidden() * c.feedForward() + 5.0 * c.feedForward()),
                    plain.flops());
            forward.feedForwardBlock(2, tokens);
            Work mixed = dry.work();
            Counted expected = mixture(c, tokens);
            double norm = 4.0 * tokens * c.hidden();
            assertEquals(expected.flops() + norm, mixed.flops());
            assertEquals(expected.bytes() + 4.0 * (2 * tokens + 1) * c.hidden(), mixed.bytes());
        }
    }

    /** Prefill and decoding of a model with experts: the profile says the same. */
    @Test
    void generationWithExperts() {
        Path moe = Golden.path("families/moe-mixed");
        List<Generator.Prompt> prompts = new ArrayList<>();
        for (int n : new int[] {9, 30, 17}) {
            prompts.add(new Generator.Prompt(prompts.size(), new int[n], TextSpan.plain(n)));
        }
        Path file = folder.resolve("profile.json");
        try (Device device = TestDevices.open(dtype);
                ProfiledDevice profiled = new ProfiledDevice(device, file);
                Model model = Model.load(moe, profiled, l -> {});
                ForwardPass forward = new ForwardPass(model, 64)) {
            new Generator(forward, null, Generator.Closing.NONE, Sampling.GREEDY, 7, true)
                    .generate(prompts, (prompt, continuation) -> {});
        }
        try (Device device = TestDevices.open(dtype);
                CostModel model = new CostModel(moe, device, PEAKS, 64, LinearProbe.LAST)) {
            assertSame(counted(file), model.generate(prompts, 7));
        }
    }

    /** No operation is faster than the slower of memory and products, so the time lies between the larger and the sum of both. */
    @Test
    void timeAndMemory() {
        ProbeText text = new ProbeText("x", new int[40], 0, 40);
        Work work = predicted(256, m -> m.causal(List.of(text), PositionScope.ALL, false));
        double products = work.flops() / PEAKS.flopsPerSecond();
        double memory = work.bytes() / PEAKS.bytesPerSecond();
        assertTrue(work.seconds() >= Math.max(products, memory), work.toString());
        assertTrue(work.seconds() <= products + memory, work.toString());
        // 3,804,416 float32 parameters, and a batch's activations, at least the widest of them.
        long weights = 4 * 3_804_416;
        assertTrue(work.memory() > weights + 256 * 2 * FEED_FORWARD * 4, work.toString());
        Work wide = predicted(512, m -> m.causal(List.of(text), PositionScope.ALL, false));
        // Every further token of a batch: ten activations, and keys and values of one layer.
        long token = 5 * HIDDEN + (QUERIES + 2 * KEYS) + 2 * QUERIES + 3 * FEED_FORWARD + 2 * KEYS;
        assertEquals(256 * token * 4, wide.memory() - work.memory());
    }

    @Test
    void headsAreSpreadOverTheLayers() {
        try (Device device = TestDevices.open(dtype);
                CostModel model = new CostModel(TinyCliff.FOLDER, device, PEAKS, 64, LinearProbe.LAST)) {
            assertEquals(
                    List.of(new CostModel.Head(1, 0), new CostModel.Head(3, 0), new CostModel.Head(5, 0)),
                    model.spread(3));
            assertEquals(48, model.spread(48).stream().distinct().count());
            assertEquals(List.of(), model.spread(0));
        }
    }

    /** An output matrix of its own beside tied embeddings takes memory, one with the same numbers does not. */
    @Test
    void theMemoryOfAnOutputMatrixBesideTiedEmbeddings() {
        ModelFolder model =
                ModelFolder.copy("llama", folder).edit("config.json", json -> json.put("tie_word_embeddings", true));
        long own = memoryOfATrace();
        model.weights(tensors -> tensors.put("lm_head.weight", tensors.get("model.embed_tokens.weight")));
        assertEquals(160 * 64 * Float.BYTES, own - memoryOfATrace());
    }

    private long memoryOfATrace() {
        try (Device device = TestDevices.open(dtype);
                CostModel model = new CostModel(folder, device, PEAKS, 64, LinearProbe.LAST)) {
            return model.trace(List.of(new ProbeText("1", new int[] {5, 6, 7, 8}, 1, 3)))
                    .memory();
        }
    }
}
