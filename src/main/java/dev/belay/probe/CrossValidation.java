package dev.belay.probe;

import dev.belay.BelayException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/**
 * A probe's quality on states that it was not fitted to.
 *
 * @param folds how many parts the examples were cut into
 * @param foldOf the part of each example, 0..folds − 1, [n]
 * @param probabilities the probability of a refusal that each direction gives each example, from the probe fitted without its fold,
 *     [directions][n]
 * @param directions the quality of the probabilities of each direction
 * @param converged true if every fit converged
 * @param note why there are fewer folds than asked for, if so
 */
public record CrossValidation(
        int folds,
        int[] foldOf,
        double[][] probabilities,
        List<ProbeMetrics> directions,
        boolean converged,
        Optional<String> note) {
    /** The quality of the first direction, the one that scores. */
    public ProbeMetrics metrics() {
        return directions.getFirst();
    }

    /**
     * Stratified k-fold cross-validation: each class is shuffled and dealt out to the folds in turn. If a class has fewer
     * examples than there are folds, there are only as many folds as it has examples.
     *
     * @param states n hidden states, [n][hidden]
     * @param refused which of them belong to refusals, [n]
     * @param method how each probe is fitted
     * @param folds how many parts, at least 2
     * @param seed of the shuffle; equal seeds give equal folds
     * @throws BelayException if there are fewer than two examples of a class, or fewer than two folds are asked for
     */
    public static CrossValidation run(float[][] states, boolean[] refused, ProbeMethod method, int folds, long seed) {
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
        double[][] probabilities = new double[method.directions()][states.length];
        boolean converged = true;
        for (int fold = 0; fold < used; fold++) {
            converged &= holdOut(states, refused, method, foldOf, fold, probabilities);
        }
        List<ProbeMetrics> metrics = Arrays.stream(probabilities)
                .map(own -> ProbeMetrics.of(own, refused))
                .toList();
        return new CrossValidation(used, foldOf, probabilities, metrics, converged, note);
    }

    /** Fits without one fold and fills in its probabilities; returns whether the fit converged. */
    private static boolean holdOut(
            float[][] states, boolean[] refused, ProbeMethod method, int[] foldOf, int fold, double[][] probabilities) {
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
        List<ProbeFit> fits = method.fit(keptStates, keptRefused);
        for (int d = 0; d < fits.size(); d++) {
            for (int i = 0; i < foldOf.length; i++) {
                if (foldOf[i] == fold) {
                    probabilities[d][i] = LinearProbe.sigmoid(fits.get(d).logit(states[i]));
                }
            }
        }
        return fits.stream().allMatch(ProbeFit::converged);
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
