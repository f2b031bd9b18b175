package dev.belay.probe;

import dev.belay.BelayException;
import java.util.List;

/**
 * How a probe is fitted.
 *
 * @param l2 strength of the penalty, larger than 0
 * @param directions how many a {@link ProbeKind#NULLSPACE} probe has; the others have 1
 */
public record ProbeMethod(ProbeKind kind, double l2, int directions) {
    /** Checks that it fits the kind. */
    public ProbeMethod {
        if (directions < 1 || (directions > 1 && kind != ProbeKind.NULLSPACE)) {
            throw new IllegalArgumentException(directions + " directions of a " + kind.label() + " probe");
        }
    }

    /** Logistic regression. */
    public static ProbeMethod logistic(double l2) {
        return new ProbeMethod(ProbeKind.LOGISTIC, l2, 1);
    }

    /**
     * Fits a probe; the result depends on nothing but the arguments.
     *
     * @param states n hidden states, [n][hidden]
     * @param refused which of them belong to refusals, [n]
     * @return its directions, the one that scores first
     * @throws BelayException if a class is missing, the penalty is not positive, a state is not finite, or the states cannot tell the
     *     classes apart in as many directions
     */
    public List<ProbeFit> fit(float[][] states, boolean[] refused) {
        return switch (kind) {
            case LOGISTIC -> List.of(ProbeTrainer.train(states, refused, l2));
            case MEAN_DIFFERENCE -> List.of(MeanDifference.fit(states, refused, l2));
            case NULLSPACE -> NullspaceProjection.fit(states, refused, l2, directions);
        };
    }
}
