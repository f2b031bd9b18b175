package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelWeights;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What masks do to a forward pass, and that nothing else does. */
class InterventionTest {
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void emptyMasksGiveIdenticalBits(String name) {
        try (TestModel m = TestModel.open(name)) {
            int[] ids = m.text(1, 33);
            TextSpan span = TextSpan.plain(33);
            float[] expected = m.logits(ids, span, null);
            HeadMask ones = m.wholeLayer(1, 1f, PositionScope.ALL);
            HeadMask nowhere = m.wholeLayer(0, 0f, PositionScope.GENERATED);
            List<HeadMask> masks =
                    List.of(m.mask(PositionScope.ALL, false), m.mask(PositionScope.ALL, true), ones, nowhere);
            for (HeadMask mask : masks) {
                Hooks hooks = Hooks.scaling(HeadScales.shared(mask));
                Batch batch = new Batch();
                batch.addText(ids, 0, span);
                m.states(batch, hooks, false);
                float[] actual = TestModel.read(m.forward.logits(33), expected.length);
                assertArrayEquals(expected, actual, "mask " + masks.indexOf(mask));
                assertEquals(0, hooks.report().scaledHeadTokens());
                assertEquals(0, hooks.report().heads());
            }
        }
    }

    /** With all heads off the model is embeddings, feed-forward blocks and the final norm: bit for bit. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "tiny-cliff"})
    void fullMasksLeaveExactlyNoAttention(String name) {
        try (TestModel m = TestModel.open(name)) {
            int[] ids = m.text(2, 17);
            Batch batch = new Batch();
            batch.addText(ids, 0, TextSpan.plain(17));
            int size = 17 * m.config.hidden();
            m.forward.embed(batch, Hooks.none());
            for (int l = 0; l < m.config.layers(); l++) {
                m.forward.feedForwardBlock(l, 17);
            }
            float[] expected = TestModel.read(m.forward.finalNorm(17), size);
            for (boolean renormalize : new boolean[] {false, true}) {
                HeadMask all = m.mask(PositionScope.ALL, renormalize);
                for (int l = 0; l < m.config.layers(); l++) {
                    for (int h = 0; h < m.config.heads(); h++) {
                        all.ablate(l, h);
                    }
                }
                assertArrayEquals(expected, m.states(ids, TextSpan.plain(17), all), "renormalize " + renormalize);
            }
            float[] base = m.states(ids, TextSpan.plain(17), null);
            assertTrue(Closeness.largestDifference(base, expected) > 0.1, "the heads do something");
        }
    }

    /** One layer off: its residual stream goes on from the one before as if it had a feed-forward block only. */
    @Test
    void aFullMaskOfOneLayerSkipsItsAttentionExactly() {
        try (TestModel m = TestModel.open("llama");
                KvCache cache = KvCache.passing(m.device, m.config, 21)) {
            int[] ids = m.text(3, 21);
            int size = 21 * m.config.hidden();
            for (int l = 0; l < m.config.layers(); l++) {
                Batch batch = new Batch();
                batch.addText(ids, 0, TextSpan.plain(21));
                m.forward.run(batch, l, cache, Hooks.none(), false);
                m.forward.feedForwardBlock(l, 21);
                float[] expected = TestModel.read(m.forward.residual(), size);
                Hooks hooks = Hooks.scaling(HeadScales.shared(m.wholeLayer(l, 0f, PositionScope.ALL)));
                m.forward.embed(batch, hooks);
                m.forward.layers(batch, 0, l + 1, null, cache, hooks, false);
                assertArrayEquals(expected, TestModel.read(m.forward.residual(), size), "layer " + l);
                assertEquals(21L * m.config.heads(), hooks.report().scaledHeadTokens());
            }
        }
    }

    /**
     * Renormalized ablation in layer 0 against host arithmetic: x + W_O·(s·γ∘z), s = ‖z‖ / ‖γ∘z‖ for each token, then the
     * feed-forward block on the device.
     */
    @Test
    void renormalizeKeepsTheNormOfAllHeadsOfAToken() {
        try (TestModel m = TestModel.open("llama");
                KvCache cache = KvCache.passing(m.device, m.config, 12)) {
            int[] ids = m.text(4, 12);
            int width = m.config.heads() * m.config.headSize();
            ActivationRecorder recorder = new ActivationRecorder(
                    Set.of(HookPoint.residual(0), HookPoint.headOutput(0)), (text, position) -> true);
            recorder.nextBatch(List.of(0));
            HeadMask mask = m.mask(PositionScope.ALL, true).ablate(0, 1).scale(0, 3, 0.5f);
            Batch batch = new Batch();
            batch.addText(ids, 0, TextSpan.plain(12));
            Hooks hooks = new Hooks(HeadScales.shared(mask), recorder, new HookReport());
            m.forward.run(batch, 1, cache, hooks, false);
            float[] actual = TestModel.read(m.forward.residual(), 12 * m.config.hidden());
            float[] x = recorder.get(HookPoint.residual(0), 0);
            float[] z = recorder.get(HookPoint.headOutput(0), 0);
            float[] w = ModelWeights.outputProjection(m.model.tensors(), m.config, 0);
            for (int t = 0; t < 12; t++) {
                double[] scaled = renormalized(Arrays.copyOfRange(z, t * width, (t + 1) * width), mask, m);
                for (int d = 0; d < m.config.hidden(); d++) {
                    double sum = x[t * m.config.hidden() + d];
                    for (int i = 0; i < width; i++) {
                        sum += w[d * width + i] * scaled[i];
                    }
                    x[t * m.config.hidden() + d] = (float) sum;
                }
            }
            m.forward.residual().write(0, x, 0, x.length);
            m.forward.feedForwardBlock(0, 12);
            float[] expected = TestModel.read(m.forward.residual(), x.length);
            Closeness.assertSame(expected, actual, TestModel.SAME, m.config.hidden(), "H[1]");
        }
    }

    /** What captures head outputs gets them as they were before the factors, and changes no bit of what comes of them. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void capturingScaledHeadsChangesNoBit(boolean renormalize) {
        try (TestModel m = TestModel.open("llama")) {
            int[] ids = m.text(6, 70);
            TextSpan span = TextSpan.plain(70);
            HookPoint first = HookPoint.headOutput(0);
            HookPoint last = HookPoint.headOutput(m.config.layers() - 1);
            HeadMask mask = m.mask(PositionScope.ALL, renormalize).ablate(0, 1).scale(0, 3, -0.5f);
            mask.ablate(last.index(), 2);
            float[] expected = m.states(ids, span, mask);
            float[][] z = new float[2][];
            for (int i = 0; i < 2; i++) {
                ActivationRecorder recorder = new ActivationRecorder(Set.of(first, last), (text, position) -> true);
                recorder.nextBatch(List.of(0));
                Batch batch = new Batch();
                batch.addText(ids, 0, span);
                HeadScales scales = i == 0 ? HeadScales.none() : HeadScales.shared(mask);
                float[] states = m.states(batch, new Hooks(scales, recorder, new HookReport()), false);
                z[i] = recorder.get(first, 0);
                if (i == 1) {
                    assertArrayEquals(expected, states, "states");
                    assertEquals(z[0].length, recorder.get(last, 0).length, "numbers of the last layer");
                }
            }
            assertArrayEquals(z[0], z[1], "head outputs before the factors");
        }
    }

    private static double[] renormalized(float[] z, HeadMask mask, TestModel m) {
        double[] scaled = new double[z.length];
        double before = 0;
        double after = 0;
        for (int i = 0; i < z.length; i++) {
            scaled[i] = z[i] * (double) mask.factor(0, i / m.config.headSize());
            before += (double) z[i] * z[i];
            after += scaled[i] * scaled[i];
        }
        for (int i = 0; i < z.length; i++) {
            scaled[i] *= Math.sqrt(before / after);
        }
        return scaled;
    }

    /** A sweep is a batch: no mask, scaled, ablated and renormalized heads at different positions, side by side. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void rowsWithDifferentMasksEqualEachRowAlone(String name) {
        try (TestModel m = TestModel.open(name)) {
            List<HeadMask> masks = new ArrayList<>();
            masks.add(m.mask(PositionScope.ALL, true).ablate(0, 0).ablate(1, 3));
            masks.add(null);
            masks.add(m.mask(PositionScope.CLOSING, false).ablate(1, 1).scale(0, 2, -1.5f));
            masks.add(m.mask(PositionScope.parse("last:3"), true).scale(0, 1, 0.5f));
            masks.add(m.mask(PositionScope.ALL, false));
            masks.add(masks.getFirst());
            Batch batch = new Batch();
            List<int[]> texts = new ArrayList<>();
            List<TextSpan> spans = new ArrayList<>();
            for (int r = 0; r < masks.size(); r++) {
                texts.add(m.text(r, 9 + 5 * r));
                spans.add(TextSpan.probe(9 + 5 * r, 2, 5 + 5 * r));
                batch.addText(texts.get(r), batch.tokens(), spans.get(r));
            }
            float[] together = m.states(batch, Hooks.scaling(HeadScales.perRow(masks)), false);
            int from = 0;
            for (int r = 0; r < masks.size(); r++) {
                float[] alone = m.states(texts.get(r), spans.get(r), masks.get(r));
                float[] row = Arrays.copyOfRange(together, from, from + alone.length);
                Closeness.assertSame(alone, row, TestModel.SAME, m.config.hidden(), "row " + r);
                from += alone.length;
                if (masks.get(r) != null && masks.get(r).size() > 0) {
                    float[] base = m.states(texts.get(r), spans.get(r), null);
                    assertTrue(Closeness.largestDifference(base, alone) > 1e-3, "mask " + r + " does something");
                }
            }
        }
    }

    /** Tokens before the first scaled one keep their bits; those in the scope change. */
    @ParameterizedTest
    @ValueSource(strings = {"closing", "last:4", "generated"})
    void aScopeChangesNothingBeforeIt(String scope) {
        try (TestModel m = TestModel.open("llama")) {
            int[] ids = m.text(5, 20);
            TextSpan span = new TextSpan(scope.equals("generated") ? 16 : 20, 3, 16, 18);
            float[] base = m.states(ids, span, null);
            HeadMask mask = m.wholeLayer(0, 0f, PositionScope.parse(scope));
            float[] scaled = m.states(ids, span, mask);
            int width = m.config.hidden();
            assertArrayEquals(Arrays.copyOf(base, 16 * width), Arrays.copyOf(scaled, 16 * width));
            float[] first = Arrays.copyOfRange(scaled, 16 * width, 17 * width);
            float[] before = Arrays.copyOfRange(base, 16 * width, 17 * width);
            assertTrue(Closeness.largestDifference(before, first) > 1e-3, "position 16 changes");
        }
    }

    /** The report counts what happened: in the last layer, only the tokens that were computed. */
    @Test
    void theReportCountsHeadsLayersAndTokens() {
        try (TestModel m = TestModel.open("llama")) {
            Batch batch = new Batch();
            for (int r = 0; r < 3; r++) {
                batch.addText(m.text(r, 10 + r), batch.tokens(), TextSpan.probe(10 + r, 2, 7 + r));
                batch.readLast();
            }
            HeadMask closing = m.mask(PositionScope.CLOSING, false)
                    .ablate(0, 1)
                    .ablate(2, 0)
                    .scale(2, 3, 0.5f);
            HeadMask all = m.mask(PositionScope.ALL, false).ablate(0, 1).scale(1, 1, 1f);
            List<HeadMask> masks = Arrays.asList(closing, null, all);
            Hooks whole = Hooks.scaling(HeadScales.perRow(masks));
            m.states(batch, whole, false);
            // Row 0: 3 closing tokens × (1 head in layer 0, 2 in layer 2); row 2: 12 tokens × 1 head in layer 0.
            assertEquals(3 * (1 + 2) + 12, whole.report().scaledHeadTokens());
            assertEquals(3, whole.report().heads());
            assertEquals(2, whole.report().layers());
            Hooks narrow = Hooks.scaling(HeadScales.perRow(masks));
            m.states(batch, narrow, true);
            assertEquals(3 + 2 + 12, narrow.report().scaledHeadTokens());
            assertEquals(
                    "3 heads in 2 layers scaled, 17 head outputs changed, 0 residual vectors and 0 head output vectors"
                            + " captured",
                    narrow.report().toString());
        }
    }

    @Test
    void theReportCountsCaptures() {
        try (TestModel m = TestModel.open("llama")) {
            Batch batch = new Batch();
            batch.addText(m.text(1, 10), 0, TextSpan.plain(10));
            batch.readLast();
            batch.addText(m.text(2, 14), 10, TextSpan.plain(14));
            batch.readLast();
            ActivationRecorder recorder = new ActivationRecorder(
                    Set.of(HookPoint.residual(1), HookPoint.residual(3), HookPoint.headOutput(2)),
                    (text, position) -> text == 7 && position >= 12);
            recorder.nextBatch(List.of(4, 7));
            Hooks hooks = Hooks.capturing(recorder);
            m.states(batch, hooks, true);
            assertEquals(2 + 1, hooks.report().residualTokens(), "positions 12 and 13 of H[1], the one read of H[3]");
            assertEquals(1, hooks.report().headOutputTokens());
            assertEquals(2 * m.config.hidden(), recorder.get(HookPoint.residual(1), 7).length);
            assertEquals(0, recorder.get(HookPoint.residual(1), 4).length);
            assertEquals(0, recorder.get(HookPoint.residual(2), 7).length);
        }
    }
}
