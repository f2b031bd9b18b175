package dev.belay.probe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ProbeTrainerTest {
    private static final Path GOLDEN = Path.of("src/test/resources/golden/tiny-cliff/golden.safetensors");
    /** The objective that scikit-learn's fit reached, from golden.json. */
    private static final double SKLEARN_OBJECTIVE = 0.38690782777518273;

    private static final ProbeMethod ONE = ProbeMethod.logistic(1);

    private record Examples(float[][] states, boolean[] refused) {}

    private static Examples golden(SafetensorsFile file) {
        int n = 128;
        int width = 256;
        float[] flat = file.floats("probe.states");
        long[] labels = file.longs("probe.labels");
        float[][] states = new float[n][];
        boolean[] refused = new boolean[n];
        for (int i = 0; i < n; i++) {
            states[i] = Arrays.copyOfRange(flat, i * width, (i + 1) * width);
            refused[i] = labels[i] == 1;
        }
        return new Examples(states, refused);
    }

    /** The loss written down plainly, and the largest |derivative|. */
    private static double[] plain(Examples e, double l2, double[] w, double b) {
        double loss = 0;
        double[] gradient = new double[w.length + 1];
        for (int j = 0; j < w.length; j++) {
            loss += 0.5 * l2 * w[j] * w[j];
            gradient[j] = l2 * w[j];
        }
        for (int i = 0; i < e.states.length; i++) {
            double z = b;
            for (int j = 0; j < w.length; j++) {
                z += w[j] * e.states[i][j];
            }
            double p = 1 / (1 + Math.exp(-z));
            loss -= Math.log(e.refused[i] ? p : 1 - p);
            double residual = p - (e.refused[i] ? 1 : 0);
            gradient[w.length] += residual;
            for (int j = 0; j < w.length; j++) {
                gradient[j] += residual * e.states[i][j];
            }
        }
        return new double[] {loss, Arrays.stream(gradient).map(Math::abs).max().orElseThrow()};
    }

    @Test
    void agreesWithScikitLearn() {
        try (SafetensorsFile file = SafetensorsFile.open(GOLDEN)) {
            Examples examples = golden(file);
            ProbeFit fit = ProbeTrainer.train(examples.states, examples.refused, 1);
            assertTrue(fit.converged());
            assertEquals(SKLEARN_OBJECTIVE, fit.objective(), 1e-6 * SKLEARN_OBJECTIVE);
            float[] expected = file.floats("probe.weight");
            for (int j = 0; j < expected.length; j++) {
                assertEquals(expected[j], fit.weight()[j], 1e-3, "weight " + j);
            }
            assertEquals(file.floats("probe.bias")[0], fit.bias(), 1e-3);
            double[] check = plain(examples, 1, fit.weight(), fit.bias());
            assertEquals(check[0], fit.objective(), 1e-12);
            assertTrue(check[1] < 1e-6, "a derivative of " + check[1]);
        }
    }

    @Test
    void findsTheMinimumOfOneDimension() {
        // By symmetry b = 0 and l2·w = 4σ(−w); with l2 = 1 / log 3 both sides are 1 at w = log 3.
        float[][] states = {{1}, {1}, {-1}, {-1}};
        ProbeFit fit = ProbeTrainer.train(states, new boolean[] {true, true, false, false}, 1 / Math.log(3));
        assertEquals(Math.log(3), fit.weight()[0], 1e-8);
        assertEquals(0, fit.bias(), 1e-8);
        assertEquals(4 * Math.log(4.0 / 3) + 0.5 * Math.log(3), fit.objective(), 1e-12);
    }

    @Test
    void convergesOnStatesOfVeryDifferentScales() {
        Random random = new Random(7);
        int width = 40;
        float[][] states = new float[60][width];
        boolean[] refused = new boolean[states.length];
        for (int i = 0; i < states.length; i++) {
            for (int j = 0; j < width; j++) {
                double scale = j == 0 ? 500 : j < 5 ? 0.001 : 1;
                states[i][j] = (float) (scale * (random.nextGaussian() + 3));
            }
            refused[i] = states[i][7] + random.nextGaussian() > 3;
        }
        for (double l2 : new double[] {1e-3, 1, 1e3}) {
            ProbeFit fit = ProbeTrainer.train(states, refused, l2);
            assertTrue(fit.converged(), fit.toString());
            double[] check = plain(new Examples(states, refused), l2, fit.weight(), fit.bias());
            assertEquals(check[0], fit.objective(), 1e-9 * check[0]);
            assertTrue(check[1] < 1e-4, "l2 " + l2 + ": a derivative of " + check[1]);
        }
    }

    @Test
    void refusesWhatCannotBeFitted() {
        float[][] states = {{1}, {2}};
        boolean[] both = {true, false};
        assertMessage("2 refusals and 0 answers", () -> ProbeTrainer.train(states, new boolean[] {true, true}, 1));
        assertMessage("0 refusals and 0 answers", () -> ProbeTrainer.train(new float[0][], new boolean[0], 1));
        assertMessage("l2 = 0.0", () -> ProbeTrainer.train(states, both, 0));
        assertMessage("l2 = NaN", () -> ProbeTrainer.train(states, both, Double.NaN));
        assertMessage(
                "component 0 of the hidden state of example 1 is NaN",
                () -> ProbeTrainer.train(new float[][] {{1}, {Float.NaN}}, both, 1));
    }

    @Test
    void crossValidatesStratifiedAndSeeded() {
        try (SafetensorsFile file = SafetensorsFile.open(GOLDEN)) {
            Examples e = golden(file);
            CrossValidation first = CrossValidation.run(e.states, e.refused, ONE, 5, 42);
            CrossValidation again = CrossValidation.run(e.states, e.refused, ONE, 5, 42);
            assertArrayEquals(first.probabilities(), again.probabilities());
            assertFalse(Arrays.equals(
                    first.foldOf(),
                    CrossValidation.run(e.states, e.refused, ONE, 5, 43).foldOf()));
            assertTrue(first.converged());
            assertTrue(first.note().isEmpty());
            assertTrue(first.metrics().auroc() > 0.9, first.metrics().toString());
            int[][] members = new int[5][2];
            for (int i = 0; i < e.refused.length; i++) {
                members[first.foldOf()[i]][e.refused[i] ? 1 : 0]++;
            }
            for (int[] fold : members) {
                assertTrue(fold[0] >= 12 && fold[0] <= 13 && fold[1] >= 12 && fold[1] <= 13, Arrays.toString(fold));
            }
        }
    }

    @Test
    void crossValidatesFewExamplesInFewerFolds() {
        float[][] states = {{1}, {2}, {3}, {-1}, {-2}};
        boolean[] refused = {true, true, true, false, false};
        CrossValidation result = CrossValidation.run(states, refused, ONE, 5, 0);
        assertEquals(2, result.folds());
        assertTrue(result.note().orElseThrow().startsWith("2 folds instead of 5"));
        assertEquals(1.0, result.metrics().auroc());
        assertMessage(
                "1 refusals and 1 answers",
                () -> CrossValidation.run(new float[][] {{1}, {2}}, new boolean[] {true, false}, ONE, 2, 0));
        assertMessage("1 folds", () -> CrossValidation.run(states, refused, ONE, 1, 0));
    }

    private static void assertMessage(String part, Runnable action) {
        String message = assertThrows(BelayException.class, action::run).getMessage();
        assertTrue(message.contains(part), message);
    }
}
