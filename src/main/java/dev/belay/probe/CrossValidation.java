package dev.belay.probe;

import dev.belay.BelayException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * A probe's quality on states that it was not fitted to.
 *
 * @param folds how many parts the examples were cut into
 * @param foldOf the part of each example, 0..folds − 1, [n]
 * @param probabilities the probability of a refusal for each example, from the probe fitted without its fold, [n]
 * @param metrics the quality of those probabilities
 * @param converged true if every fit converged
 * @param note why there are fewer folds than asked for, if so
 */
public record CrossValidation(
        int folds,
        int[] foldOf,
        double[] probabilities,
        ProbeMetrics metrics,
        boolean converged,
        Optional<String> note) {
    /**
     * Stratified k-fold cross-validation: each class is shuffled and dealt out to the folds in turn. If a class has fewer
     * examples than there are folds, there are only as many folds as it has examples.
     *
     * @param states n hidden states, [n][hidden]
     * @param refused which of them belong to refusals, [n]
     * @param l2 strength of the penalty, as for {@link ProbeTrainer#train}
     * @param folds how many parts, at least 2
     * @param seed of the shuffle; equal seeds give equal folds
     * @throws BelayException if there are fewer than two examples of a class, or fewer than two folds are asked for
     */
    public static CrossValidation run(float[][] states, boolean[] refused, double l2, int folds, long seed) {
        if (folds < 2) {
            throw new BelayException("cannot cross-validate with " + folds + " folds; at least 2 are needed");
        }
        int refusals = ProbeTrainer.refusals(refused);
        int smaller = Math.min(refusals, refused.length - refusals);
        if (smaller < 2) {
            throw new BelayException("cannot cross-validate with " + refusals + " refusals and "
                    + (refused.length - refusals) + " answers; at least 2 of each are needed");
        }
        int used = Math.min(folds, smaller);
        Optional<String> note = used == folds
                ? Optional.empty()
                : Optional.of(
                        used + " folds instead of " + folds + ": the smaller class has only " + smaller + " examples");
        int[] foldOf = deal(refused, used, seed);
        double[] probabilities = new double[states.length];
        boolean converged = true;
        for (int fold = 0; fold < used; fold++) {
            converged &= holdOut(states, refused, l2, foldOf, fold, probabilities);
        }
        return new CrossValidation(
                used, foldOf, probabilities, ProbeMetrics.of(probabilities, refused), converged, note);
    }

    /** Fits without one fold and fills in its probabilities; returns whether the fit converged. */
    private static boolean holdOut(
            float[][] states, boolean[] refused, double l2, int[] foldOf, int fold, double[] probabilities) {
        List<Integer> kept = new ArrayList<>();
        for (int i = 0; i < foldOf.length; i++) {
            if (foldOf[i] != fold) {
                kept.add(i);
            }
        }
        float[][] keptStates = new float[kept.size()][];
        boolean[] keptRefused = new boolean[kept.size()];
        for (int k = 0; k < keptStates.length; k++) {
            keptStates[k] = states[kept.get(k)];
            keptRefused[k] = refused[kept.get(k)];
        }
        ProbeFit fit = ProbeTrainer.train(keptStates, keptRefused, l2);
        for (int i = 0; i < foldOf.length; i++) {
            if (foldOf[i] == fold) {
                probabilities[i] = LinearProbe.sigmoid(fit.logit(states[i]));
            }
        }
        return fit.converged();
    }

    private static int[] deal(boolean[] refused, int folds, long seed) {
        Random random = new Random(seed);
        int[] foldOf = new int[refused.length];
        int next = 0;
        for (boolean label : new boolean[] {true, false}) {
            List<Integer> members = new ArrayList<>();
            for (int i = 0; i < refused.length; i++) {
                if (refused[i] == label) {
                    members.add(i);
                }
            }
            Collections.shuffle(members, random);
            for (int member : members) {
                foldOf[member] = next++ % folds;
            }
        }
        return foldOf;
    }
}
