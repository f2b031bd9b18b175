package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.DType;
import dev.belay.device.TestDevices;
import dev.belay.forward.Golden;
import dev.belay.hooks.PositionScope;
import dev.belay.text.ProbeText;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The method's numbers on tiny-cliff in bfloat16, against the float32 golden: a score may be off by 2e-3. */
class CliffBfloat16Test {
    private static final double TOLERANCE = 2e-3;

    @ParameterizedTest
    @ValueSource(strings = {"all", "closing"})
    void causalSweep(String positions) {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 24);
        try (TinyCliff tiny = new TinyCliff(TestDevices.open(DType.BF16), 2048)) {
            AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.parse(positions), false);
            AblationSweep.Result result = sweep.run(attacks, sweep.emptyMask(), n -> {});
            float[] expected = tiny.golden.floats("heads.causal." + positions);
            float[] actual = new float[expected.length];
            int heads = result.scores()[0].length;
            for (int i = 0; i < actual.length; i++) {
                actual[i] = (float) result.scores()[i / heads][i % heads];
            }
            Golden.assertClose(expected, actual, TOLERANCE, "heads.causal." + positions);
        }
    }

    @Test
    void theHeadsThatSuppressRefusalAreTheSame() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 24);
        try (TinyCliff tiny = new TinyCliff(TestDevices.open(DType.BF16), 2048)) {
            AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.ALL, false);
            AblationSweep.Result result = sweep.run(attacks, sweep.emptyMask(), n -> {});
            List<String> top = HeadRanking.causal("all", result).ranking().subList(0, 3).stream()
                    .map(e -> e.layer() + "," + e.head())
                    .toList();
            assertEquals(List.of("0,5", "3,1", "0,4"), top);
        }
    }
}
