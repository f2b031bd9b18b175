package dev.belay.probe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Difference in means and nullspace projection against scikit-learn 1.9.1 and numpy 2.4.6, with X and y as {@link #states} and
 * {@link #refused}:
 *
 * <pre>
 * fit = lambda X, intercept: LogisticRegression(C=1/l2, fit_intercept=intercept, solver='newton-cholesky', tol=1e-12).fit(X, y)
 * loss = lambda w, b: np.logaddexp(0, np.where(y == 1, -1, 1) * (X @ w + b)).sum() + l2 / 2 * w @ w
 *
 * m1, m0 = X[y == 1].mean(0), X[y == 0].mean(0)
 * u, m = (m1 - m0) / np.linalg.norm(m1 - m0), (m1 + m0) / 2
 * w = fit(((X - m) @ u)[:, None], False).coef_[0, 0] * u; b = -w @ m          # mean-difference
 *
 * P = np.eye(4)
 * for _ in range(3):                                                          # nullspace
 *     f = fit(X @ P, True); w, b = P @ f.coef_[0], f.intercept_[0]
 *     u = w / np.linalg.norm(w); P = P - np.outer(u, u)
 * </pre>
 */
class ProbeKindsTest {
    private static final double SAME = 1e-6;
    private static final int WIDTH = 4;

    @TempDir
    private Path folder;

    private static float[][] states() {
        float[][] states = new float[24][WIDTH];
        for (int i = 0; i < states.length; i++) {
            for (int j = 0; j < WIDTH; j++) {
                int hash = (i * 29 + j * 47 + i * i * (j + 3) * 7) % 61;
                states[i][j] = hash / 8f + (i % 2 == 0 && j < 2 ? 2.5f : 0);
            }
        }
        return states;
    }

    private static boolean[] refused() {
        boolean[] refused = new boolean[24];
        for (int i = 0; i < refused.length; i += 2) {
            refused[i] = true;
        }
        return refused;
    }

    private static void check(ProbeFit fit, double objective, double bias, double... weight) {
        assertTrue(fit.converged(), fit.toString());
        assertEquals(objective, fit.objective(), SAME, "objective");
        assertEquals(bias, fit.bias(), SAME, "bias");
        assertArrayEquals(weight, fit.weight(), SAME, "weight");
    }

    @Test
    void meanDifferenceAgreesWithScikitLearn() {
        check(
                MeanDifference.fit(states(), refused(), 1),
                12.1864527811944,
                -1.4914399869182406,
                0.11220983941483725,
                0.42002872321499884,
                -0.0060653967251263164,
                -0.25323031327402457);
        check(
                MeanDifference.fit(states(), refused(), 0.1),
                12.067843599279538,
                -1.553246736141356,
                0.11685992622081685,
                0.4374351292319765,
                -0.00631675276869278,
                -0.26372442809292446);
    }

    @Test
    void theMidpointOfTheMeansScoresOneHalf() {
        float[][] states = {{4, 0}, {8, 4}, {-1, 1}, {1, 1}, {0, 4}};
        boolean[] refused = {true, true, false, false, false};
        ProbeFit fit = MeanDifference.fit(states, refused, 1);
        assertEquals(0, fit.logit(new float[] {3, 2}), 1e-12, "the means are (6, 2) and (0, 2)");
        assertTrue(fit.weight()[0] > 0);
        assertEquals(0, fit.weight()[1], 1e-12);
    }

    @Test
    void nullspaceProjectionAgreesWithScikitLearn() {
        List<ProbeFit> fits = NullspaceProjection.fit(states(), refused(), 1, 3);
        check(
                fits.get(0),
                11.403432593724363,
                -2.483066020140935,
                0.009474284650571534,
                0.7265996942126337,
                -0.13000488895002235,
                -0.1082408717303557);
        check(
                fits.get(1),
                15.38621185012432,
                0.08551678389305581,
                0.17458405843311786,
                -0.026169401170727687,
                0.044125698890080056,
                -0.21338682919070195);
        check(
                fits.get(2),
                16.578538349234638,
                0.06408285864613594,
                -0.031884093585649205,
                0.00423065715997201,
                0.037087430875410755,
                -0.0189358426196631);
        assertEquals(3, fits.size());
        for (int a = 0; a < 3; a++) {
            for (int b = 0; b < a; b++) {
                assertEquals(0, Lbfgs.dot(fits.get(a).weight(), fits.get(b).weight()), 1e-15, a + " and " + b);
            }
        }
    }

    @Test
    void theFirstDirectionIsTheLogisticProbe() {
        ProbeFit logistic = ProbeTrainer.train(states(), refused(), 0.1);
        ProbeFit first = NullspaceProjection.fit(states(), refused(), 0.1, 2).getFirst();
        assertArrayEquals(logistic.weight(), first.weight());
        assertEquals(logistic.bias(), first.bias());
    }

    @Test
    void noMoreDirectionsThanTellTheClassesApart() {
        assertEquals(4, NullspaceProjection.fit(states(), refused(), 0.1, 4).size());
        assertMessage(
                "cannot fit 6 directions to 24 states of width 4: only 4 tell refusals from answers; use --directions 4",
                () -> NullspaceProjection.fit(states(), refused(), 0.1, 6));
        // Two examples span one direction from their mean.
        float[][] two = {{1, 2, 3}, {3, 1, 0}};
        assertMessage("only 1 tell", () -> NullspaceProjection.fit(two, new boolean[] {true, false}, 1, 2));
    }

    @Test
    void equalMeansAreRefused() {
        float[][] states = {{1, 2}, {3, 4}, {3, 2}, {1, 4}};
        assertMessage("the same mean", () -> MeanDifference.fit(states, new boolean[] {true, true, false, false}, 1));
        assertMessage(
                "4 refusals and 0 answers",
                () -> MeanDifference.fit(states, new boolean[] {true, true, true, true}, 1));
    }

    /** Each example is scored by the probe of the others, in every direction. */
    @Test
    void everyKindIsCrossValidated() {
        for (ProbeKind kind : ProbeKind.values()) {
            ProbeMethod method = new ProbeMethod(kind, 1, kind == ProbeKind.NULLSPACE ? 3 : 1);
            CrossValidation result = CrossValidation.run(states(), refused(), method, 4, 9);
            assertEquals(method.directions(), result.probabilities().length);
            assertEquals(method.directions(), result.directions().size());
            for (int fold = 0; fold < 4; fold++) {
                int[] kept = kept(result.foldOf(), fold);
                float[][] states =
                        Arrays.stream(kept).mapToObj(i -> states()[i]).toArray(float[][]::new);
                boolean[] refused = new boolean[kept.length];
                for (int k = 0; k < kept.length; k++) {
                    refused[k] = refused()[kept[k]];
                }
                List<ProbeFit> fits = method.fit(states, refused);
                for (int d = 0; d < method.directions(); d++) {
                    for (int i = 0; i < states().length; i++) {
                        if (result.foldOf()[i] == fold) {
                            double p = 1 / (1 + Math.exp(-fits.get(d).logit(states()[i])));
                            assertEquals(p, result.probabilities()[d][i], 1e-12, kind + ", example " + i);
                        }
                    }
                }
            }
            assertEquals(result.directions().getFirst(), result.metrics());
        }
    }

    private static int[] kept(int[] foldOf, int fold) {
        return IntStream.range(0, foldOf.length).filter(i -> foldOf[i] != fold).toArray();
    }

    private Path path() {
        return folder.resolve("probe.safetensors");
    }

    private static LinearProbe direction(float... weight) {
        return new LinearProbe(weight, weight[0] / 2, 3, Map.of(ProbeFile.KIND, "nullspace"));
    }

    @Test
    void directionsGoThroughTheFile() {
        ProbeFile.write(path(), List.of(direction(1, 2), direction(-2, 1), direction(5, 6)));
        List<LinearProbe> read = ProbeFile.read(path());
        assertEquals(3, read.size());
        assertArrayEquals(new float[] {-2, 1}, read.get(1).weight());
        assertEquals(-1f, read.get(1).bias());
        assertArrayEquals(new float[] {5, 6}, read.get(2).weight());
        assertEquals(3, read.get(2).layer());
        assertEquals("nullspace", read.getFirst().metadata().get("kind"));
        assertArrayEquals(new float[] {1, 2}, LinearProbe.load(path()).weight());
    }

    @Test
    void filesOfDirectionsThatAreIncompleteOrOfAnotherKindAreRefused() {
        ProbeFile.write(path(), List.of(direction(1, 2), direction(3, 4, 5)));
        assertMessage("has weight.2 F32 [3] beside weight F32 [2]", () -> ProbeFile.read(path()));
        for (String kind : new String[] {"nullspace", "logistic"}) {
            SafetensorsWriter.to(path())
                    .metadata(Map.of(ProbeFile.KIND, kind))
                    .floats("weight", new float[2], 2)
                    .floats("bias", new float[1], 1)
                    .floats("weight.2", new float[2], 2)
                    .save();
            String message = kind.equals("nullspace") ? "has no tensor \"bias.2\"" : "another tensor, weight.2 F32 [2]";
            assertMessage(message, () -> ProbeFile.read(path()));
        }
    }

    private static void assertMessage(String part, Runnable action) {
        String message = assertThrows(BelayException.class, action::run).getMessage();
        assertTrue(message.contains(part), message);
    }
}
