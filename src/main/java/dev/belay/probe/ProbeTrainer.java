package dev.belay.probe;

import dev.belay.BelayException;
import java.util.Arrays;
import java.util.List;

/**
 * Fits a refusal probe: minimises, over w and b,
 *
 * <pre>Σ_i −log σ(±(w·h_i + b)) + ½·l2·‖w‖²</pre>
 *
 * with + for the states of refusals and − for the others. The bias is not penalised and the states are not scaled: this is
 * scikit-learn's {@code LogisticRegression(C = 1 / l2)}, up to the factor C. All arithmetic is in double.
 */
public final class ProbeTrainer {
    /** Stops when no |derivative| exceeds this times the number of states. */
    private static final double TOLERANCE = 1e-9;

    private static final int ITERATIONS = 10_000;

    private final float[][] states;
    private final boolean[] refused;
    private final double l2;
    private final int width;
    private final double[] mean;
    private final List<double[]> removed;

    private ProbeTrainer(float[][] states, boolean[] refused, double l2, List<double[]> removed) {
        this.states = states;
        this.refused = refused;
        this.l2 = l2;
        this.removed = removed;
        this.width = states[0].length;
        this.mean = mean();
    }

    /**
     * Fits a probe; the result depends on nothing but the arguments.
     *
     * @param states n hidden states, [n][hidden]
     * @param refused which of them belong to refusals, [n]
     * @param l2 strength of the penalty, larger than 0
     * @throws BelayException if a class is missing, the penalty is not positive, or a state is not finite
     */
    public static ProbeFit train(float[][] states, boolean[] refused, double l2) {
        return train(states, refused, l2, List.of());
    }

    /**
     * Fits a probe to the states with some directions projected out of them, which are then no part of its own.
     *
     * @param removed orthonormal directions, each [hidden]
     */
    static ProbeFit train(float[][] states, boolean[] refused, double l2, List<double[]> removed) {
        check(states, refused, l2);
        ProbeTrainer trainer = new ProbeTrainer(states, refused, l2, removed);
        Lbfgs.Objective objective = removed.isEmpty() ? trainer::loss : trainer::lossOfProjection;
        Lbfgs.Minimum minimum =
                Lbfgs.minimize(objective, trainer.inverseCurvature(), TOLERANCE * states.length, ITERATIONS);
        double[] x = minimum.x();
        trainer.project(x);
        double[] weight = Arrays.copyOf(x, trainer.width);
        double bias = x[trainer.width] - trainer.atMean(x);
        return new ProbeFit(
                weight, bias, minimum.value(), minimum.iterations(), minimum.gradientNorm(), minimum.converged());
    }

    static void check(float[][] states, boolean[] refused, double l2) {
        if (states.length != refused.length) {
            throw new IllegalArgumentException(states.length + " states but " + refused.length + " labels");
        }
        if (!(l2 > 0) || Double.isInfinite(l2)) {
            throw new BelayException("cannot fit a probe with l2 = " + l2 + "; it must be a number larger than 0");
        }
        int refusals = refusals(refused);
        if (refusals == 0 || refusals == refused.length) {
            throw new BelayException("cannot fit a probe to " + refusals + " refusals and "
                    + (refused.length - refusals) + " answers; it needs examples of both");
        }
        for (int i = 0; i < states.length; i++) {
            if (states[i].length != states[0].length) {
                throw new IllegalArgumentException("state " + i + " has width " + states[i].length);
            }
            for (int j = 0; j < states[i].length; j++) {
                if (!Float.isFinite(states[i][j])) {
                    throw new BelayException("cannot fit a probe: component " + j + " of the hidden state of example "
                            + i + " is " + states[i][j] + "; check the model or run it with --dtype f32");
                }
            }
        }
    }

    static int refusals(boolean[] refused) {
        int count = 0;
        for (boolean r : refused) {
            count += r ? 1 : 0;
        }
        return count;
    }

    /**
     * The loss and its gradient at x = (w, c), where c = b + w·mean. Moving the origin to the mean of the states changes
     * neither w nor the loss, but without it w and b pull against each other and the descent takes far longer.
     */
    private double loss(double[] x, double[] gradient) {
        double shift = x[width] - atMean(x);
        double penalty = 0;
        for (int j = 0; j < width; j++) {
            penalty += x[j] * x[j];
            gradient[j] = l2 * x[j];
        }
        double loss = 0.5 * l2 * penalty;
        double total = 0;
        for (int i = 0; i < states.length; i++) {
            double logit = dot(x, states[i]) + shift;
            loss += logLoss(logit, refused[i]);
            double residual = residual(logit, refused[i]);
            total += residual;
            for (int j = 0; j < width; j++) {
                gradient[j] += residual * states[i][j];
            }
        }
        for (int j = 0; j < width; j++) {
            gradient[j] -= total * mean[j];
        }
        gradient[width] = total;
        return loss;
    }

    /**
     * The loss at Px, where P projects the removed directions out of w, plus the penalty of what P takes away; it has its minimum where
     * the loss on projected states has, as w·Ph = Pw·h.
     */
    private double lossOfProjection(double[] x, double[] gradient) {
        double[] projected = x.clone();
        project(projected);
        double loss = loss(projected, gradient);
        project(gradient);
        for (int j = 0; j < width; j++) {
            double away = x[j] - projected[j];
            loss += 0.5 * l2 * away * away;
            gradient[j] += l2 * away;
        }
        return loss;
    }

    /** Projects the removed directions out of w, the first numbers of x; twice, as rounding leaves a little the first time. */
    private void project(double[] x) {
        for (int pass = 0; pass < 2; pass++) {
            for (double[] direction : removed) {
                double along = Lbfgs.dot(direction, x);
                for (int j = 0; j < width; j++) {
                    x[j] -= along * direction[j];
                }
            }
        }
    }

    /** The inverse of the diagonal of the Hessian at the origin, for w and c. */
    private double[] inverseCurvature() {
        double[] curvature = new double[width + 1];
        Arrays.fill(curvature, 0, width, l2);
        curvature[width] = 0.25 * states.length;
        for (float[] state : states) {
            for (int j = 0; j < width; j++) {
                double centred = state[j] - mean[j];
                curvature[j] += 0.25 * centred * centred;
            }
        }
        return Arrays.stream(curvature).map(c -> 1 / c).toArray();
    }

    private double[] mean() {
        double[] sum = new double[width];
        for (float[] state : states) {
            for (int j = 0; j < width; j++) {
                sum[j] += state[j];
            }
        }
        return Arrays.stream(sum).map(s -> s / states.length).toArray();
    }

    private double atMean(double[] x) {
        double sum = 0;
        for (int j = 0; j < width; j++) {
            sum += x[j] * mean[j];
        }
        return sum;
    }

    /** Σ_j w[j]·h[j] over the length of h. */
    static double dot(double[] w, float[] h) {
        double sum = 0;
        for (int j = 0; j < h.length; j++) {
            sum += w[j] * h[j];
        }
        return sum;
    }

    /** −log of the probability that σ(logit) gives to what happened. */
    static double logLoss(double logit, boolean refused) {
        return softplus(refused ? -logit : logit);
    }

    /** The derivative of {@link #logLoss} by the logit. */
    static double residual(double logit, boolean refused) {
        return refused ? -LinearProbe.sigmoid(-logit) : LinearProbe.sigmoid(logit);
    }

    /** log(1 + e^x), without overflow. */
    private static double softplus(double x) {
        return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }
}
