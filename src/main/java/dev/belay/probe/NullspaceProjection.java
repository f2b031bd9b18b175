package dev.belay.probe;

import dev.belay.BelayException;
import java.util.ArrayList;
import java.util.List;

/**
 * Fits a probe of several directions by iterative nullspace projection (Ravfogel et al. 2020, arXiv 2004.07667): a logistic regression,
 * then one on the states with the first's direction projected out, and so on. The directions are orthogonal to each other, so that
 * each, w·h + b, applies to the states as they are. The first is that of {@link ProbeTrainer}.
 */
final class NullspaceProjection {
    /** A direction must explain at least this share of the loss that a probe without any has. */
    private static final double LEAST_GAIN = 1e-9;

    private NullspaceProjection() {}

    /**
     * Fits the directions; the other arguments and errors as those of {@link ProbeTrainer#train}.
     *
     * @param directions how many, at least 1
     * @throws BelayException if fewer directions tell refusals from answers
     */
    static List<ProbeFit> fit(float[][] states, boolean[] refused, double l2, int directions) {
        double blind = blindLoss(refused);
        List<ProbeFit> fits = new ArrayList<>();
        List<double[]> found = new ArrayList<>();
        while (fits.size() < directions) {
            ProbeFit fit = ProbeTrainer.train(states, refused, l2, found);
            if (!(fit.objective() < blind * (1 - LEAST_GAIN))) {
                throw new BelayException("cannot fit " + directions + " directions to " + states.length
                        + " states of width " + states[0].length + ": only " + fits.size()
                        + " tell refusals from answers; use --directions " + Math.max(1, fits.size()) + " or less");
            }
            fits.add(fit);
            double[] unit = fit.weight().clone();
            double length = Math.sqrt(Lbfgs.dot(unit, unit));
            for (int j = 0; j < unit.length; j++) {
                unit[j] /= length;
            }
            found.add(unit);
        }
        return fits;
    }

    /** The loss of the best bias alone. */
    private static double blindLoss(boolean[] refused) {
        double n = refused.length;
        double refusals = ProbeTrainer.refusals(refused);
        return -refusals * Math.log(refusals / n) - (n - refusals) * Math.log1p(-refusals / n);
    }
}
