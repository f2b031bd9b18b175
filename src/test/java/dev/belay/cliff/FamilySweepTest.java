package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Golden;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A sweep's scores are those of a whole pass with the head masked, in every family: windows, biases, experts, partial rotation. */
class FamilySweepTest {
    private static final double SAME = 1e-5;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-bias",
                "llama-yarn",
                "mistral",
                "moe-mixed",
                "phi3",
                "phi3-longrope",
                "qwen2",
                "qwen3",
                "qwen3-moe",
                "smollm3-slide"
            })
    void equalsWholePasses(String family) {
        try (Device device = TestDevices.open(DType.F32);
                Model model = Model.load(Golden.path("families/" + family), device, l -> {});
                ForwardPass forward = new ForwardPass(model, 100)) {
            ModelConfig config = model.config();
            Random random = new Random(3);
            List<ProbeText> texts = List.of(text("a", random, config, 34, 27), text("b", random, config, 21, 19));
            float[] weight = new float[config.hidden()];
            for (int i = 0; i < weight.length; i++) {
                weight[i] = (float) random.nextGaussian() / weight.length;
            }
            LinearProbe probe = new LinearProbe(weight, 0.1f, LinearProbe.LAST, Map.of());
            try (ProbeScorer scorer = new ProbeScorer(forward, probe, "random")) {
                for (PositionScope scope : List.of(PositionScope.ALL, PositionScope.CLOSING)) {
                    for (boolean renormalize : new boolean[] {false, true}) {
                        compare(scorer, config, texts, new AblationSweep(scorer, scope, renormalize));
                    }
                }
            }
        }
    }

    private static void compare(ProbeScorer scorer, ModelConfig config, List<ProbeText> texts, AblationSweep sweep) {
        AblationSweep.Result result = sweep.run(texts, sweep.emptyMask(), n -> {});
        assertEquals(scorer.finalScores(texts, null, n -> {}).mean(), result.base(), SAME);
        for (int l = 0; l < config.layers(); l++) {
            for (int h = 0; h < config.heads(); h++) {
                HeadMask mask = sweep.emptyMask().ablate(l, h);
                double expected = scorer.finalScores(texts, mask, n -> {}).mean();
                assertEquals(
                        expected, result.scores()[l][h], SAME, sweep.emptyMask().scope() + ", head " + l + "," + h);
            }
        }
    }

    private static ProbeText text(String id, Random random, ModelConfig config, int length, int closing) {
        return new ProbeText(id, random.ints(length, 5, config.vocabulary()).toArray(), 4, closing);
    }
}
