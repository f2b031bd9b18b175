package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.forward.Golden;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.JsonFile;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the method's numbers on tiny-cliff with those of transformers and scikit-learn. */
class CliffGoldenTest {
    private static TinyCliff tiny;
    private static List<ProbeText> attacks;

    @BeforeAll
    static void open() {
        tiny = new TinyCliff(2048);
        attacks = TinyCliff.probes("attacks.jsonl");
    }

    @AfterAll
    static void close() {
        tiny.close();
    }

    @Test
    void lastHiddenStatesThatTheProbeIsTrainedOn() {
        List<ProbeText> texts = new ArrayList<>(TinyCliff.probes("refused.jsonl"));
        texts.addAll(TinyCliff.probes("complied.jsonl"));
        float[][] states = ProbeStates.last(tiny.forward, texts, tiny.scorer.layer(), n -> {});
        int width = states[0].length;
        float[] all = new float[states.length * width];
        for (int i = 0; i < states.length; i++) {
            System.arraycopy(states[i], 0, all, i * width, width);
        }
        Golden.assertClose(tiny.golden.floats("probe.states"), all, Golden.TOLERANCE, "probe.states");
    }

    @Test
    void refusalScoresAtEveryPosition() {
        List<RefusalTrace> traces = tiny.scorer.traces(attacks.subList(0, 8), Plateau.MAX, n -> {});
        for (int i = 0; i < traces.size(); i++) {
            String name = "trace." + i + ".score";
            Golden.assertClose(tiny.golden.floats(name), floats(traces.get(i).scores()), Golden.TOLERANCE, name);
        }
    }

    @Test
    void plateauFinalScoreAndMisalignmentOfEveryAttack() {
        List<RefusalTrace> max = tiny.scorer.traces(attacks, Plateau.MAX, n -> {});
        List<RefusalTrace> mean = tiny.scorer.traces(attacks, Plateau.MEAN, n -> {});
        JsonNode expected = JsonFile.read(Golden.path("tiny-cliff/golden.json")).get("attacks");
        assertEquals(48, expected.size());
        for (int i = 0; i < expected.size(); i++) {
            JsonNode e = expected.get(i);
            String id = e.get("id").asText();
            assertEquals(id, max.get(i).id());
            assertEquals(e.get("plateau_max").asDouble(), max.get(i).plateau(), Golden.TOLERANCE, id);
            assertEquals(e.get("plateau_mean").asDouble(), mean.get(i).plateau(), Golden.TOLERANCE, id);
            assertEquals(e.get("final").asDouble(), max.get(i).finalScore(), Golden.TOLERANCE, id);
            assertEquals(e.get("misalignment").asDouble(), max.get(i).misalignment(), Golden.TOLERANCE, id);
        }
    }

    @Test
    void directAttribution() {
        double[][] direct = HeadAttribution.direct(tiny.forward, tiny.probe, tiny.scorer.layer(), attacks, n -> {});
        Golden.assertClose(tiny.golden.floats("heads.direct"), flat(direct), Golden.TOLERANCE, "heads.direct");
        HeadRanking.Entry first = HeadRanking.direct(0, direct).ranking().getFirst();
        assertEquals("3,1", first.layer() + "," + first.head());
    }

    @ParameterizedTest
    @ValueSource(strings = {"all", "closing"})
    void causalSweep(String positions) {
        AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.parse(positions), false);
        AblationSweep.Result result = sweep.run(attacks.subList(0, 24), sweep.emptyMask(), n -> {});
        float[] expected = tiny.golden.floats("heads.causal." + positions);
        Golden.assertClose(expected, flat(result.scores()), Golden.TOLERANCE, "heads.causal." + positions);
        assertEquals(0.08382085120926301, result.base(), Golden.TOLERANCE);
        List<Integer> top = HeadRanking.causal(positions, result).ranking().subList(0, 3).stream()
                .map(e -> e.layer() * 8 + e.head())
                .toList();
        assertEquals(order(expected).subList(0, 3), top);
        assertTrue(result.changedHeadTokens() > 0);
    }

    /** The sweep is a short cut: every score must be what a whole forward pass with the same mask gives. */
    @ParameterizedTest
    @CsvSource({"all,false", "closing,false", "last:2,false", "all,true", "closing,true"})
    void sweepEqualsWholePasses(String positions, boolean renormalize) {
        List<ProbeText> few = attacks.subList(0, 3);
        try (TinyCliff small = new TinyCliff(110)) {
            AblationSweep sweep = new AblationSweep(small.scorer, PositionScope.parse(positions), renormalize);
            HeadMask chosen = sweep.emptyMask().ablate(3, 1).ablate(2, 0);
            AblationSweep.Result result = sweep.run(few, chosen, n -> {});
            assertEquals(small.scorer.finalScores(few, chosen, n -> {}).mean(), result.base(), 1e-6);
            for (int[] head : new int[][] {{0, 3}, {2, 4}, {3, 0}, {4, 7}, {5, 5}}) {
                HeadMask mask = chosen.copy().ablate(head[0], head[1]);
                double expected = small.scorer.finalScores(few, mask, n -> {}).mean();
                // Both are float32 passes in different order of summation; scores lie in [0, 1].
                assertEquals(expected, result.scores()[head[0]][head[1]], 2e-6, Arrays.toString(head));
            }
            assertEquals(result.base(), result.scores()[3][1], 0, "a head already ablated");
        }
    }

    @Test
    void greedySelectionRestoresTheFinalScore() {
        AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.ALL, false);
        List<ProbeText> some = attacks.subList(0, 12);
        GreedySelection.Result result = GreedySelection.run(sweep, some, 3, n -> {});
        List<GreedySelection.Step> steps = result.steps();
        HeadMask mask = sweep.emptyMask();
        steps.forEach(s -> mask.ablate(s.layer(), s.head()));
        assertEquals(3, mask.size());
        assertEquals(
                tiny.scorer.finalScores(some, mask, n -> {}).mean(),
                steps.getLast().score(),
                2e-6);
        assertTrue(steps.get(0).score() < steps.get(1).score()
                && steps.get(1).score() < steps.get(2).score());
        double best = Stream.of(result.single().scores())
                .flatMapToDouble(Arrays::stream)
                .max()
                .orElseThrow();
        assertEquals(best, steps.getFirst().score());
    }

    private static List<Integer> order(float[] scores) {
        return Stream.iterate(0, i -> i + 1)
                .limit(scores.length)
                .sorted((a, b) -> Float.compare(scores[b], scores[a]))
                .toList();
    }

    private static float[] flat(double[][] values) {
        return floats(Stream.of(values).flatMapToDouble(Arrays::stream).toArray());
    }

    private static float[] floats(double[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < result.length; i++) {
            result[i] = (float) values[i];
        }
        return result;
    }
}
