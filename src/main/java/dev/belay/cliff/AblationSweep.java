package dev.belay.cliff;

import dev.belay.BelayException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextPacker;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Causal effects: the mean final score with each head ablated in turn.
 *
 * <p>Not a loop of full forward passes. The transcripts run once; then, for a head of layer l, only its contribution is subtracted
 * from that layer's attention output, and the layers above are computed for the positions that change, many heads, of several layers,
 * at a time as rows of one batch. With {@code closing} or {@code last:k} only those tokens are computed, over keys and values of the
 * prefix that all heads share. Nothing after the probe's layer is computed, and in the last layer only the last position.
 */
public final class AblationSweep {
    /**
     * The outcome.
     *
     * @param base mean final score without a further ablation
     * @param scores mean final score with head [l][h] ablated too; {@code base} for heads already ablated, and for heads at or
     *     above the probe's layer, which cannot matter
     * @param changedHeadTokens number of (head, token) pairs whose output was taken away
     */
    public record Result(double base, double[][] scores, long changedHeadTokens) {
        /** The sums of this and of other transcripts. */
        public Result plus(Result other) {
            double[][] sums = new double[scores.length][];
            for (int l = 0; l < sums.length; l++) {
                sums[l] = scores[l].clone();
                for (int h = 0; h < sums[l].length; h++) {
                    sums[l][h] += other.scores[l][h];
                }
            }
            return new Result(base + other.base, sums, changedHeadTokens + other.changedHeadTokens);
        }

        /** Sums over {@code transcripts} as means. */
        public Result mean(int transcripts) {
            double[][] means = new double[scores.length][];
            for (int l = 0; l < means.length; l++) {
                means[l] = Arrays.stream(scores[l]).map(s -> s / transcripts).toArray();
            }
            return new Result(base / transcripts, means, changedHeadTokens);
        }
    }

    private final ProbeScorer scorer;
    private final ForwardPass forward;
    private final ModelConfig config;
    private final PositionScope scope;
    private final boolean renormalize;

    /**
     * @param scope positions at which heads are ablated: all, closing or last:k
     * @param renormalize per token, rescale the concatenated head outputs to the norm they had
     */
    public AblationSweep(ProbeScorer scorer, PositionScope scope, boolean renormalize) {
        this.scorer = scorer;
        this.scope = scope;
        this.renormalize = renormalize;
        forward = scorer.forward();
        config = forward.model().config();
        if (scope.kind() == PositionScope.Kind.GENERATED) {
            throw new BelayException("a sweep has no generated positions: use all, closing or last:k");
        }
    }

    /** A mask without heads, of this sweep's kind. */
    public HeadMask emptyMask() {
        return new HeadMask(config.layers(), config.heads(), scope, renormalize);
    }

    /** Head ablations that {@link #run} does, for progress: heads below the probe's layer × transcripts. */
    public long work(int transcripts) {
        return (long) scorer.layer() * config.heads() * transcripts;
    }

    /**
     * Sweeps every head that {@code chosen} does not ablate already, given those that it does.
     *
     * @param progress called with the number of head × transcript pairs done
     */
    public Result run(List<ProbeText> probes, HeadMask chosen, LongConsumer progress) {
        return total(probes, chosen, progress).mean(probes.size());
    }

    /** As {@link #run}, but sums over the transcripts instead of means. */
    public Result total(List<ProbeText> probes, HeadMask chosen, LongConsumer progress) {
        Result total = nothing();
        long done = 0;
        for (int from = 0; from < probes.size(); ) {
            int end = TextPacker.end(from, probes.size(), i -> probes.get(i).ids().length, forward.maxTokens());
            try {
                total = total.plus(sums(probes.subList(from, end), chosen, done, progress));
                done += work(end - from);
                from = end;
            } catch (DeviceMemoryException e) {
                forward.shrink(1, e);
            }
        }
        return total;
    }

    /** The sums over no transcripts. */
    public Result nothing() {
        return new Result(0, new double[config.layers()][config.heads()], 0);
    }

    /** Sums, not means, over one group of transcripts. */
    private Result sums(List<ProbeText> probes, HeadMask chosen, long done, LongConsumer progress) {
        double[][] sums = new double[config.layers()][config.heads()];
        long changed;
        try (SweepGroup sweep = new SweepGroup(scorer, probes, chosen)) {
            double base = sweep.runBase();
            for (int l = scorer.layer(); l < config.layers(); l++) {
                Arrays.fill(sums[l], base);
            }
            changed = sweep.run(base, sums, heads -> progress.accept(done + (long) heads * probes.size()));
            return new Result(base, sums, changed);
        }
    }
}
