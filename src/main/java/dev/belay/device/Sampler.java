package dev.belay.device;

import java.util.Arrays;

/**
 * Chooses tokens from logits: temperature, then top-k, then top-p, then one draw of a counter-based generator. Ties go to the smaller
 * token id. The working memory is reused.
 */
public final class Sampler {
    private final Sampling sampling;
    /** Candidates as sortable words: order of the logit in the upper half, complement of the token id in the lower. */
    private long[] order = new long[0];

    private double[] weights = new double[0];

    public Sampler(Sampling sampling) {
        this.sampling = sampling;
    }

    /**
     * The next token, or -1 if a logit is not a number or, with a temperature, the largest is infinite: then there are no
     * probabilities.
     *
     * @param logits logits of one text from {@code from}, {@code size} of them
     * @param text number of the text in its run
     * @param position position that the token will have
     */
    public int next(float[] logits, int from, int size, int text, int position) {
        int best = argmax(logits, from, size);
        if (best < 0 || sampling.temperature() == 0) {
            return best;
        }
        if (Float.isInfinite(logits[from + best])) {
            return -1;
        }
        reserve(size);
        double draw = uniform(sampling.seed(), text, position);
        if (sampling.topK() == 0 && sampling.topP() == 1) {
            return drawInOrder(logits, from, size, logits[from + best], draw);
        }
        return drawSorted(logits, from, size, logits[from + best], draw);
    }

    /** The largest logit's token, or -1 if a logit is not a number. */
    private static int argmax(float[] logits, int from, int size) {
        int best = 0;
        boolean numbers = true;
        for (int i = 0; i < size; i++) {
            numbers &= !Float.isNaN(logits[from + i]);
            if (logits[from + i] > logits[from + best]) {
                best = i;
            }
        }
        return numbers ? best : -1;
    }

    private int drawInOrder(float[] logits, int from, int size, float max, double draw) {
        double total = 0;
        for (int i = 0; i < size; i++) {
            weights[i] = Math.exp((logits[from + i] - max) / sampling.temperature());
            total += weights[i];
        }
        return pick(size, draw * total);
    }

    private int drawSorted(float[] logits, int from, int size, float max, double draw) {
        for (int i = 0; i < size; i++) {
            int bits = Float.floatToIntBits(logits[from + i]);
            int ascending = bits >= 0 ? bits : bits ^ 0x7fffffff;
            order[i] = ((long) ~ascending << 32) | i;
        }
        Arrays.sort(order, 0, size);
        int kept = sampling.topK() == 0 ? size : Math.min(size, sampling.topK());
        double total = 0;
        for (int i = 0; i < kept; i++) {
            weights[i] = Math.exp((logits[from + (int) order[i]] - max) / sampling.temperature());
            total += weights[i];
        }
        double nucleus = 0;
        int count = 0;
        while (count < kept && nucleus < sampling.topP() * total) {
            nucleus += weights[count++];
        }
        return (int) order[pick(count, draw * nucleus)];
    }

    private int pick(int count, double target) {
        double sum = 0;
        for (int i = 0; i < count - 1; i++) {
            sum += weights[i];
            if (target < sum) {
                return i;
            }
        }
        return count - 1;
    }

    private void reserve(int size) {
        if (weights.length < size) {
            weights = new double[size];
            order = new long[size];
        }
    }

    /** A number in [0, 1) from three counters: the finalizer of SplitMix64 (Steele, Lea, Flood 2014) over each in turn. */
    static double uniform(long seed, int text, int position) {
        long mixed = mix(mix(mix(seed) ^ text) ^ position);
        return (mixed >>> 11) * 0x1p-53;
    }

    private static long mix(long x) {
        long z = x + 0x9e3779b97f4a7c15L;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }
}
