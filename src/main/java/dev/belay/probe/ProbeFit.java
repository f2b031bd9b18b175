package dev.belay.probe;

import java.util.Map;

/**
 * What {@link ProbeTrainer} found.
 *
 * @param weight w, [hidden]
 * @param bias b
 * @param objective the loss at (w, b), with its penalty
 * @param iterations steps of the optimiser
 * @param gradientNorm the largest |derivative| of the objective, states taken relative to their mean
 * @param converged false if the optimiser stopped before the gradient was small enough
 */
public record ProbeFit(
        double[] weight, double bias, double objective, int iterations, double gradientNorm, boolean converged) {
    /** The fit as a probe in float32, for the state H[{@code layer}]. */
    public LinearProbe toProbe(int layer, Map<String, String> metadata) {
        float[] rounded = new float[weight.length];
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] = (float) weight[i];
        }
        return new LinearProbe(rounded, (float) bias, layer, metadata);
    }

    /** w·h + b. */
    public double logit(float[] h) {
        return ProbeTrainer.dot(weight, h) + bias;
    }
}
