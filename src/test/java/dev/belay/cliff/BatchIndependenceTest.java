package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.SoftCuda;
import dev.belay.device.TestDevices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Golden;
import dev.belay.hooks.PositionScope;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A transcript has the same scores alone, in random ragged batches of any size, and in any shard of the data. */
class BatchIndependenceTest {
    /** cuBLASLt on a GPU adds in another order for another number of tokens. */
    private static final double SAME = TestDevices.name().equals("cpu") || SoftCuda.inUse() ? 1e-6 : 1e-5;

    private static final int TEXTS = 12;

    @ParameterizedTest
    @ValueSource(
            strings = {"llama", "mistral", "moe-mixed", "phi3-longrope", "qwen2", "qwen3", "qwen3-moe", "smollm3-slide"
            })
    void scoresDoNotDependOnTheBatch(String family) {
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(Golden.path("families/" + family), device, l -> {})) {
            ModelConfig config = model.config();
            Random random = new Random(family.hashCode());
            List<ProbeText> texts = new ArrayList<>();
            for (int i = 0; i < TEXTS; i++) {
                int length = 6 + random.nextInt(50);
                int[] ids = random.ints(length, 5, config.vocabulary()).toArray();
                texts.add(new ProbeText("t" + i, ids, 2, length - 1 - random.nextInt(4)));
            }
            float[] weight = new float[config.hidden()];
            for (int i = 0; i < weight.length; i++) {
                weight[i] = (float) random.nextGaussian() / weight.length;
            }
            LinearProbe probe = new LinearProbe(weight, 0.1f, LinearProbe.LAST, Map.of());

            // Room for one text at a time.
            Map<String, double[]> alone =
                    traces(model, probe, 56, texts.stream().map(List::of).toList());
            double[] heads =
                    meanSweep(model, probe, 56, texts.stream().map(List::of).toList(), TEXTS);
            for (int round = 0; round < 3; round++) {
                List<ProbeText> shuffled = new ArrayList<>(texts);
                Collections.shuffle(shuffled, random);
                int cut = 1 + random.nextInt(TEXTS - 1);
                List<List<ProbeText>> shards = List.of(shuffled.subList(0, cut), shuffled.subList(cut, TEXTS));
                int batchTokens = 20 + random.nextInt(400);
                String place =
                        family + ", " + batchTokens + " tokens a batch, shards of " + cut + " and " + (TEXTS - cut);
                traces(model, probe, batchTokens, shards)
                        .forEach((id, scores) -> assertArrayEquals(alone.get(id), scores, SAME, place + ", " + id));
                assertArrayEquals(heads, meanSweep(model, probe, batchTokens, shards, TEXTS), SAME, place);
            }
        }
    }

    private static Map<String, double[]> traces(
            Model model, LinearProbe probe, int batchTokens, List<List<ProbeText>> shards) {
        Map<String, double[]> scores = new HashMap<>();
        try (ForwardPass forward = new ForwardPass(model, batchTokens);
                ProbeScorer scorer = new ProbeScorer(forward, probe, "random")) {
            for (List<ProbeText> shard : shards) {
                scorer.traces(shard, Plateau.MAX, n -> {}).forEach(trace -> scores.put(trace.id(), trace.scores()));
            }
        }
        return scores;
    }

    /** The mean final score of all texts with each head ablated, from the means of the shards. */
    private static double[] meanSweep(
            Model model, LinearProbe probe, int batchTokens, List<List<ProbeText>> shards, int texts) {
        ModelConfig config = model.config();
        double[] mean = new double[config.layers() * config.heads()];
        try (ForwardPass forward = new ForwardPass(model, batchTokens);
                ProbeScorer scorer = new ProbeScorer(forward, probe, "random")) {
            AblationSweep sweep = new AblationSweep(scorer, PositionScope.CLOSING, false);
            for (List<ProbeText> shard : shards) {
                double[][] scores = sweep.run(shard, sweep.emptyMask(), n -> {}).scores();
                for (int i = 0; i < mean.length; i++) {
                    mean[i] += scores[i / config.heads()][i % config.heads()] * shard.size() / texts;
                }
            }
        }
        return mean;
    }
}
