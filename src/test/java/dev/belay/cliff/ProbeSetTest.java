package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.TestDevices;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Several probes of several layers, in one forward pass, against each state read from the device. */
class ProbeSetTest {
    private static final int WIDTH = 256;
    /** Layers in no order, one of them twice; the last is after the final norm. */
    private static final int[] LAYERS = {6, 2, LinearProbe.LAST, 0};

    private static final List<LinearProbe> PROBES = probes();
    private static final List<String> NAMES = List.of("a", "b", "c", "d");

    private int embeds;

    private static List<LinearProbe> probes() {
        Random random = new Random(3);
        return IntStream.of(LAYERS)
                .mapToObj(layer -> {
                    float[] weight = new float[WIDTH];
                    for (int j = 0; j < WIDTH; j++) {
                        weight[j] = (float) random.nextGaussian() / 8;
                    }
                    return new LinearProbe(weight, (float) random.nextGaussian(), layer, Map.of());
                })
                .toList();
    }

    /** The device under test, counting how often a batch begins. */
    private Device counting() {
        Device device = TestDevices.open(DType.F32);
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, args) -> {
                    embeds += method.getName().equals("embed") ? 1 : 0;
                    try {
                        return method.invoke(device, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void everyTokenIsScoredByEveryProbeInOnePass() {
        List<ProbeText> texts = TinyCliff.probes("attacks.jsonl").subList(0, 3);
        // All texts in a batch, one text at a time, and each text in pieces.
        for (int batchTokens : new int[] {1024, 50, 20}) {
            try (TinyCliff tiny = new TinyCliff(counting(), batchTokens);
                    ProbeSet set = new ProbeSet(tiny.forward, PROBES, NAMES)) {
                embeds = 0;
                double[][][] scores = set.scores(texts, n -> {});
                int passes = embeds;
                tiny.scorer.traces(texts, Plateau.MAX, n -> {});
                assertEquals(2 * passes, embeds, "batches of several probes and of one");
                assertEquals(batchTokens == 1024 ? 1 : texts.size(), passes);
                check(tiny, texts, scores);
                double[][] finals = set.finalScores(texts, n -> {});
                for (int t = 0; t < texts.size(); t++) {
                    for (int n = 0; n < LAYERS.length; n++) {
                        double[] own = scores[t][n];
                        assertEquals(own[own.length - 1], finals[t][n], 1e-5, t + ", " + n);
                    }
                }
            }
        }
    }

    private static void check(TinyCliff tiny, List<ProbeText> texts, double[][][] scores) {
        Set<HookPoint> points = Set.of(HookPoint.residual(0), HookPoint.residual(2), HookPoint.residual(6));
        ActivationRecorder recorder = new ActivationRecorder(points, (text, position) -> true);
        new TextRunner(tiny.forward)
                .run(ProbeScorer.texts(texts), 6, null, recorder, false, (batch, states) -> {}, n -> {});
        for (int t = 0; t < texts.size(); t++) {
            int tokens = texts.get(t).ids().length;
            for (int n = 0; n < LAYERS.length; n++) {
                assertEquals(tokens, scores[t][n].length);
                float[] states = recorder.get(HookPoint.residual(PROBES.get(n).layerIn(6, "")), t);
                assertEquals(tokens * WIDTH, states.length);
                for (int position = 0; position < tokens; position++) {
                    double expected = PROBES.get(n).score(states, position * WIDTH);
                    String where = "text " + t + ", probe " + n + ", position " + position;
                    assertEquals(expected, scores[t][n][position], 1e-6, where);
                }
            }
        }
    }

    @Test
    void aProbeAmongOthersScoresAsAlone() {
        List<ProbeText> texts = TinyCliff.probes("attacks.jsonl").subList(0, 3);
        try (TinyCliff tiny = new TinyCliff(200);
                ProbeSet all = new ProbeSet(tiny.forward, PROBES, NAMES)) {
            double[][][] together = all.scores(texts, n -> {});
            for (int n = 0; n < LAYERS.length; n++) {
                try (ProbeScorer alone = new ProbeScorer(tiny.forward, PROBES.get(n), NAMES.get(n))) {
                    List<RefusalTrace> traces = alone.traces(texts, Plateau.MAX, i -> {});
                    for (int t = 0; t < texts.size(); t++) {
                        assertArrayEquals(traces.get(t).scores(), together[t][n], "text " + t + ", probe " + n);
                    }
                }
            }
        }
    }

    @Test
    void aProbeThatDoesNotFitIsNamed() {
        try (TinyCliff tiny = new TinyCliff(200)) {
            List<LinearProbe> probes = List.of(PROBES.get(0), new LinearProbe(new float[3], 0, 1, Map.of()));
            String message = assertThrows(
                            BelayException.class, () -> new ProbeSet(tiny.forward, probes, List.of("good", "bad")))
                    .getMessage();
            assertTrue(message.startsWith("probe bad has width 3"), message);
        }
    }
}
