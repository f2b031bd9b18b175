package dev.belay.probe;

import java.util.Arrays;
import java.util.Comparator;

/**
 * How well probabilities agree with what happened.
 *
 * @param n the number of examples
 * @param accuracy share of examples where the probability of a refusal is at least 0.5 exactly if there was one
 * @param auroc probability that a refusal gets a higher score than an answer, equal scores counting half; NaN if a class is
 *     missing
 * @param logLoss mean of −log of the probability given to what happened, in nats; probabilities are first clipped to
 *     [1e-15, 1 − 1e-15]
 * @param calibrationError expected calibration error: over ten bins of equal width, mean |mean probability − share of
 *     refusals|, weighted by the examples in the bin (Guo et al. 2017, with the probability of class 1)
 */
public record ProbeMetrics(int n, double accuracy, double auroc, double logLoss, double calibrationError) {
    private static final int BINS = 10;
    private static final double CLIP = 1e-15;

    /**
     * Compares probabilities of a refusal, [n], with what happened, [n].
     *
     * @throws IllegalArgumentException if n is 0, the lengths differ, or a probability is not in 0..1
     */
    public static ProbeMetrics of(double[] probabilities, boolean[] refused) {
        if (probabilities.length == 0 || probabilities.length != refused.length) {
            throw new IllegalArgumentException(probabilities.length + " probabilities, " + refused.length + " labels");
        }
        int right = 0;
        double loss = 0;
        for (int i = 0; i < refused.length; i++) {
            double p = probabilities[i];
            if (!(p >= 0 && p <= 1)) {
                throw new IllegalArgumentException("probability " + i + " is " + p);
            }
            right += (p >= 0.5) == refused[i] ? 1 : 0;
            double clipped = Math.clamp(p, CLIP, 1 - CLIP);
            loss -= refused[i] ? Math.log(clipped) : Math.log1p(-clipped);
        }
        double n = refused.length;
        return new ProbeMetrics(
                refused.length,
                right / n,
                auroc(probabilities, refused),
                loss / n,
                calibrationError(probabilities, refused));
    }

    /** Mann and Whitney's U over its maximum, with the mean rank for equal scores. */
    private static double auroc(double[] scores, boolean[] refused) {
        Integer[] order = new Integer[scores.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingDouble(i -> scores[i]));
        long refusals = ProbeTrainer.refusals(refused);
        long answers = scores.length - refusals;
        if (refusals == 0 || answers == 0) {
            return Double.NaN;
        }
        double rankSum = 0;
        for (int start = 0, end; start < order.length; start = end) {
            int ties = 0;
            for (end = start; end < order.length && scores[order[end]] == scores[order[start]]; end++) {
                ties += refused[order[end]] ? 1 : 0;
            }
            rankSum += ties * (start + 1 + end) / 2.0;
        }
        return (rankSum - refusals * (refusals + 1) / 2.0) / ((double) refusals * answers);
    }

    private static double calibrationError(double[] probabilities, boolean[] refused) {
        double[] excess = new double[BINS];
        for (int i = 0; i < refused.length; i++) {
            int bin = Math.min(BINS - 1, (int) (probabilities[i] * BINS));
            excess[bin] += probabilities[i] - (refused[i] ? 1 : 0);
        }
        return Arrays.stream(excess).map(Math::abs).sum() / refused.length;
    }
}
