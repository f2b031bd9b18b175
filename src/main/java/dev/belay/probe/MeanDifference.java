package dev.belay.probe;

import dev.belay.BelayException;

/**
 * Fits a probe whose direction is the difference of the means of the two classes, d = mean(refused) − mean(complied). The midpoint m of
 * the means scores 0.5, and the slope is that of a logistic regression along d without an intercept: with u = d / ‖d‖ the probe is
 * σ(s·u·(h − m)), where s minimises
 *
 * <pre>Σ_i −log σ(±s·u·(h_i − m)) + ½·l2·s²</pre>
 *
 * with + for the states of refusals and − for the others. All arithmetic is in double.
 */
final class MeanDifference {
    /** Stops when the |derivative| is not above this times the number of states. */
    private static final double TOLERANCE = 1e-12;

    private static final int ITERATIONS = 1000;

    private MeanDifference() {}

    /** Fits a probe; arguments and errors as those of {@link ProbeTrainer#train}, and an error if the means are equal. */
    static ProbeFit fit(float[][] states, boolean[] refused, double l2) {
        ProbeTrainer.check(states, refused, l2);
        double[] high = mean(states, refused, true);
        double[] low = mean(states, refused, false);
        double[] direction = new double[high.length];
        double[] midpoint = new double[high.length];
        for (int j = 0; j < direction.length; j++) {
            direction[j] = high[j] - low[j];
            midpoint[j] = (high[j] + low[j]) / 2;
        }
        double length = Math.sqrt(Lbfgs.dot(direction, direction));
        if (length == 0) {
            throw new BelayException(
                    "cannot fit a probe: the states of refusals and of answers have the same mean; check that"
                            + " the files hold different transcripts, or read another --layer");
        }
        for (int j = 0; j < direction.length; j++) {
            direction[j] /= length;
        }
        double middle = Lbfgs.dot(direction, midpoint);
        double[] along = new double[states.length];
        double curvature = l2;
        for (int i = 0; i < along.length; i++) {
            along[i] = ProbeTrainer.dot(direction, states[i]) - middle;
            curvature += 0.25 * along[i] * along[i];
        }
        Lbfgs.Minimum slope = Lbfgs.minimize(
                (x, gradient) -> loss(along, refused, l2, x[0], gradient),
                new double[] {1 / curvature},
                TOLERANCE * states.length,
                ITERATIONS);
        double s = slope.x()[0];
        for (int j = 0; j < direction.length; j++) {
            direction[j] *= s;
        }
        return new ProbeFit(
                direction, -s * middle, slope.value(), slope.iterations(), slope.gradientNorm(), slope.converged());
    }

    private static double loss(double[] along, boolean[] refused, double l2, double s, double[] gradient) {
        double loss = 0.5 * l2 * s * s;
        double slope = l2 * s;
        for (int i = 0; i < along.length; i++) {
            double logit = s * along[i];
            loss += ProbeTrainer.logLoss(logit, refused[i]);
            slope += ProbeTrainer.residual(logit, refused[i]) * along[i];
        }
        gradient[0] = slope;
        return loss;
    }

    private static double[] mean(float[][] states, boolean[] refused, boolean label) {
        double[] mean = new double[states[0].length];
        int count = 0;
        for (int i = 0; i < states.length; i++) {
            if (refused[i] == label) {
                count++;
                for (int j = 0; j < mean.length; j++) {
                    mean[j] += states[i][j];
                }
            }
        }
        for (int j = 0; j < mean.length; j++) {
            mean[j] /= count;
        }
        return mean;
    }
}
