package dev.belay.cliff;

import dev.belay.hooks.HeadMask;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongConsumer;

/** Chooses heads one by one: each step sweeps all remaining heads given those already chosen, and takes the one that helps most. */
public final class GreedySelection {
    /** A head chosen, and the mean final score with it and all before it ablated. */
    public record Step(int layer, int head, double score) {}

    /**
     * The outcome.
     *
     * @param single the first sweep: every head alone
     * @param steps the heads in the order chosen
     * @param changedHeadTokens number of (head, token) pairs whose output was taken away, over all sweeps
     */
    public record Result(AblationSweep.Result single, List<Step> steps, long changedHeadTokens) {}

    private GreedySelection() {}

    /**
     * Chooses {@code count} heads.
     *
     * @param progress called with the number of head × transcript pairs done, over all steps
     */
    public static Result run(AblationSweep sweep, List<ProbeText> probes, int count, LongConsumer progress) {
        long each = sweep.work(probes.size());
        return run(
                sweep.emptyMask(),
                count,
                chosen -> sweep.run(probes, chosen, done -> progress.accept(chosen.size() * each + done)));
    }

    /**
     * Chooses {@code count} heads; {@code chosen} gets them.
     *
     * @param sweep gives the mean final scores of all heads given those chosen before
     */
    public static Result run(HeadMask chosen, int count, Function<HeadMask, AblationSweep.Result> sweep) {
        List<Step> steps = new ArrayList<>();
        AblationSweep.Result single = null;
        long changed = 0;
        for (int s = 0; s < count; s++) {
            AblationSweep.Result result = sweep.apply(chosen);
            single = single == null ? result : single;
            changed += result.changedHeadTokens();
            steps.add(choose(result, chosen));
        }
        return new Result(single, steps, changed);
    }

    /** The head that helps most by a sweep given those of {@code chosen}, which gets it. */
    public static Step choose(AblationSweep.Result result, HeadMask chosen) {
        Step best = null;
        double[][] scores = result.scores();
        for (int l = 0; l < scores.length; l++) {
            for (int h = 0; h < scores[l].length; h++) {
                if (chosen.factor(l, h) == 1f && (best == null || scores[l][h] > best.score())) {
                    best = new Step(l, h, scores[l][h]);
                }
            }
        }
        chosen.ablate(best.layer(), best.head());
        return best;
    }
}
