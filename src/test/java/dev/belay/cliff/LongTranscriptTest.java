package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Devices;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.PositionScope;
import dev.belay.model.MemoryPlan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelFolder;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Transcripts longer than a batch may be, together with shorter ones, give the numbers that they give in one piece. */
class LongTranscriptTest {
    private static final double SAME = 1e-5;
    private static final int PIECE = 40;

    private record Numbers(
            List<RefusalTrace> traces,
            double[] finals,
            double[][] direct,
            AblationSweep.Result all,
            AblationSweep.Result closing,
            float[][] states) {}

    private static Numbers numbers(List<ProbeText> texts, int batchTokens) {
        try (TinyCliff tiny = new TinyCliff(batchTokens)) {
            AblationSweep all = new AblationSweep(tiny.scorer, PositionScope.ALL, true);
            AblationSweep closing = new AblationSweep(tiny.scorer, PositionScope.CLOSING, false);
            return new Numbers(
                    tiny.scorer.traces(texts, Plateau.MAX, n -> {}),
                    tiny.scorer
                            .finalScores(texts, closing.emptyMask().ablate(0, 0), n -> {})
                            .scores(),
                    HeadAttribution.direct(tiny.forward, tiny.probe, tiny.scorer.layer(), texts, n -> {}),
                    all.run(texts, all.emptyMask(), n -> {}),
                    closing.run(texts, closing.emptyMask().ablate(0, 1), n -> {}),
                    ProbeStates.last(tiny.forward, texts, tiny.scorer.layer() - 1, n -> {}));
        }
    }

    @Test
    void equalThoseInOnePiece() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 3);
        long longer = attacks.stream().filter(p -> p.ids().length > PIECE).count();
        assertTrue(longer > 0, "no transcript is longer than " + PIECE + " tokens");
        Numbers whole = numbers(attacks, 1024);
        Numbers pieces = numbers(attacks, PIECE);
        for (int i = 0; i < attacks.size(); i++) {
            assertEquals(whole.traces().get(i).id(), pieces.traces().get(i).id());
            assertArrayEquals(
                    whole.traces().get(i).scores(), pieces.traces().get(i).scores(), SAME);
            assertArrayEquals(whole.states()[i], pieces.states()[i], (float) SAME);
        }
        assertArrayEquals(whole.finals(), pieces.finals(), SAME);
        for (int l = 0; l < whole.direct().length; l++) {
            assertArrayEquals(whole.direct()[l], pieces.direct()[l], SAME);
            assertArrayEquals(whole.all().scores()[l], pieces.all().scores()[l], SAME);
            assertArrayEquals(whole.closing().scores()[l], pieces.closing().scores()[l], SAME);
        }
        assertEquals(whole.all().changedHeadTokens(), pieces.all().changedHeadTokens());
        assertEquals(whole.closing().changedHeadTokens(), pieces.closing().changedHeadTokens());
    }

    /** A long text in a model of three layers and 4 heads, whose scores in one piece would be 1 GiB. */
    private static double[] scores(Path model, ProbeText text, int batchTokens) {
        try (Device device = Devices.open("cpu", DType.F32);
                Model opened = Model.load(model, device, l -> {});
                ForwardPass forward = new ForwardPass(opened, batchTokens);
                ProbeScorer scorer =
                        new ProbeScorer(forward, probe(opened.config().hidden()), "a random probe")) {
            return scorer.traces(List.of(text), Plateau.MAX, n -> {}).getFirst().scores();
        }
    }

    private static LinearProbe probe(int width) {
        Random random = new Random(4);
        float[] weight = new float[width];
        for (int i = 0; i < width; i++) {
            weight[i] = (float) random.nextGaussian() / 8;
        }
        return new LinearProbe(weight, 0, LinearProbe.LAST, Map.of());
    }

    private static long memory(Path model, ProbeText text, int batchTokens) {
        try (Device device = Devices.open("cpu", DType.F32);
                CostModel cost =
                        new CostModel(model, device, new DevicePeaks(1e10, 1e10), batchTokens, LinearProbe.LAST)) {
            return cost.trace(List.of(text)).memory();
        }
    }

    private static ProbeText thinking(int tokens) {
        int[] ids = new Random(3).ints(tokens + 20, 5, 160).toArray();
        return new ProbeText("long", ids, 16, tokens + 16);
    }

    /** On the processor: other devices are simulated here, which takes hours for such a text. */
    @Test
    void eightThousandTokensOfThinkingNeedTheMemoryOfABatch(@TempDir Path model) {
        ModelFolder.copy("llama", model).edit("config.json", json -> json.put("max_position_embeddings", 16384));
        ProbeText text = thinking(8192);
        double[] whole = scores(model, text, 16384);
        double[] pieces = scores(model, text, 256);
        assertEquals(8212, whole.length);
        assertArrayEquals(whole, pieces, SAME);
        assertTrue(Arrays.stream(whole).max().orElseThrow()
                        - Arrays.stream(whole).min().orElseThrow()
                > 0.1);

        // Beside a batch's activations only what each token keeps grows: its state, before and after a layer, its keys
        // and values in
        // one layer, and how it is rotated.
        ModelConfig c = ModelConfig.read(model);
        long kept = 4L * (2 * c.hidden() + 2 * c.kvHeads() * c.headSize() + c.headSize());
        long least = memory(model, thinking(1024), 256);
        assertEquals(kept * 1024, memory(model, thinking(2048), 256) - least);
        assertEquals(kept * (8192 - 1024), memory(model, text, 256) - least);
        MemoryPlan plan = MemoryPlan.of(c, Float.BYTES, 256);
        assertTrue(memory(model, text, 256) < plan.weights() + plan.batch() + kept * text.ids().length);
    }
}
