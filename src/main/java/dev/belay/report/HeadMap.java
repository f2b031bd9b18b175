package dev.belay.report;

import java.util.List;

/**
 * One ranking of all attention heads.
 *
 * @param name "direct", "causal", "greedy", or any other short name
 * @param explanation one sentence: what a cell measures
 * @param unit what the numbers are, e.g. "mean final score"
 * @param base the score of a head without effect: 0 for direct attribution, the score without ablation for causal
 * @param scores [layers][heads]; NaN where a head was not measured. Greedy: a chosen head's score on top of those chosen
 *     before it, any other head's score alone
 * @param suppressorIsLow true if a score below base marks a suppressor (direct), false if a score above it does (causal)
 * @param top the suppressors this ranking chose, strongest first
 */
public record HeadMap(
        String name,
        String explanation,
        String unit,
        double base,
        double[][] scores,
        boolean suppressorIsLow,
        List<HeadRef> top) {

    /** One head and its score. */
    public record HeadRef(int layer, int head, double score) {}

    public HeadMap {
        top = List.copyOf(top);
        for (double[] layer : scores) {
            if (layer.length != scores[0].length) {
                throw new IllegalArgumentException("map " + name + " has layers of different widths");
            }
        }
        for (HeadRef ref : top) {
            if (ref.layer() < 0 || ref.layer() >= scores.length || ref.head() < 0 || ref.head() >= scores[0].length) {
                throw new IllegalArgumentException(
                        "map " + name + " has no head (" + ref.layer() + "," + ref.head() + ")");
            }
        }
    }

    int layers() {
        return scores.length;
    }

    int heads() {
        return scores.length == 0 ? 0 : scores[0].length;
    }

    /** The largest distance of a finite score from base. */
    double range() {
        double range = 0;
        for (double[] layer : scores) {
            for (double score : layer) {
                if (Double.isFinite(score)) {
                    range = Math.max(range, Math.abs(score - base));
                }
            }
        }
        return range;
    }
}
