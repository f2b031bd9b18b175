package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/** Log-likelihoods of given tokens, with sums in float64. */
final class LogitScores extends RowTask {
    private MemorySegment logits;
    private int vocabulary;
    private int[] first;
    private int[] tokens;
    private float[] out;

    void run(ThreadTeam team, CpuBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out) {
        this.logits = logits.segment();
        this.vocabulary = vocabulary;
        this.first = first;
        this.tokens = tokens;
        this.out = out;
        over(team, rows, vocabulary);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int r = from; r < to; r++) {
            long start = (long) r * vocabulary;
            double whole = first[r] == first[r + 1] ? 0 : logSumExp(start);
            for (int n = first[r]; n < first[r + 1]; n++) {
                out[n] = (float) (logits.getAtIndex(JAVA_FLOAT, start + tokens[n]) - whole);
            }
        }
    }

    private double logSumExp(long start) {
        float largest = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < vocabulary; i++) {
            largest = Math.max(largest, logits.getAtIndex(JAVA_FLOAT, start + i));
        }
        double sum = 0;
        for (int i = 0; i < vocabulary; i++) {
            sum += Math.exp(logits.getAtIndex(JAVA_FLOAT, start + i) - largest);
        }
        return largest + Math.log(sum);
    }
}
