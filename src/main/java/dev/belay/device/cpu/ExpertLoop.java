package dev.belay.device.cpu;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.Mixture;
import dev.belay.device.MixtureSpace;
import java.util.Arrays;

/**
 * A mixture of experts, one expert after the other: each computes the tokens that chose it, gathered side by side, and what it gives is
 * added to them with the router's weight. Experts go in order of their number, so that a token's sum does not depend on what else is in
 * the batch.
 */
final class ExpertLoop implements AutoCloseable {
    private final CpuDevice device;
    private final RowScatter rowScatter = new RowScatter();
    private CpuBuffer inputs;
    private float[] logits = new float[0];
    /** Chosen experts and their weights, [T, k]. */
    private int[] chosen = new int[0];

    private float[] shares = new float[0];
    private int[] tokensOf = new int[0];
    private float[] sharesOf = new float[0];

    ExpertLoop(CpuDevice device) {
        this.device = device;
    }

    void run(ThreadTeam team, DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, CpuBuffer x) {
        int hidden = mixture.hidden();
        int inner = mixture.inner();
        device.matmul(normed, hidden, 0, tokens, mixture.router(), space.logits(), 0, false);
        route(space.logits(), tokens, mixture);
        CpuBuffer in = inputs((long) tokens * hidden);
        CpuBuffer out = CpuBuffer.of(space.outputs());
        for (int e = 0; e < mixture.experts(); e++) {
            int count = tokensOf(e, tokens, mixture.top());
            if (count == 0) {
                continue;
            }
            device.gather(normed, tokensOf, count, hidden, in);
            device.matmul(in, hidden, 0, count, mixture.gateUp(e), space.gateUp(), 0, false);
            device.swiglu(space.gateUp(), count, inner, space.activated());
            device.matmul(space.activated(), inner, 0, count, mixture.down(e), out, 0, false);
            rowScatter.run(team, out, tokensOf, sharesOf, count, hidden, x);
        }
    }

    private CpuBuffer inputs(long elements) {
        if (inputs == null || inputs.elements() < elements) {
            close();
            inputs = device.allocateRounded("inputs of an expert", elements);
        }
        return inputs;
    }

    /** Reads the router's logits [T, E] and chooses. */
    private void route(DeviceBuffer buffer, int tokens, Mixture mixture) {
        int count = mixture.experts();
        int top = mixture.top();
        if (logits.length < tokens * count || chosen.length < tokens * top || tokensOf.length < tokens) {
            logits = new float[tokens * count];
            chosen = new int[tokens * top];
            shares = new float[tokens * top];
            tokensOf = new int[tokens];
            sharesOf = new float[tokens];
        }
        buffer.read(0, logits, 0, tokens * count);
        for (int t = 0; t < tokens; t++) {
            choose(t * count, t * top, mixture);
        }
    }

    /** The largest logits from {@code from} on, of equal ones the first, and their softmax. */
    private void choose(int from, int to, Mixture mixture) {
        int count = mixture.experts();
        int top = mixture.top();
        float largest = Float.NEGATIVE_INFINITY;
        for (int e = 0; e < count; e++) {
            largest = Math.max(largest, logits[from + e]);
        }
        double all = 0;
        for (int e = 0; e < count; e++) {
            all += Math.exp(logits[from + e] - largest);
        }
        Arrays.fill(chosen, to, to + top, -1);
        double sum = 0;
        for (int k = 0; k < top; k++) {
            int best = -1;
            for (int e = 0; e < count; e++) {
                boolean better = best < 0 || logits[from + e] > logits[from + best];
                if (better && !contains(e, to, k)) {
                    best = e;
                }
            }
            chosen[to + k] = best;
            double share = Math.exp(logits[from + best] - largest) / all;
            shares[to + k] = (float) share;
            sum += share;
        }
        for (int k = 0; mixture.normalized() && k < top; k++) {
            shares[to + k] = (float) (shares[to + k] / sum);
        }
    }

    private boolean contains(int expert, int from, int count) {
        for (int k = 0; k < count; k++) {
            if (chosen[from + k] == expert) {
                return true;
            }
        }
        return false;
    }

    /** Sets the tokens that chose an expert and their weights; returns how many. */
    private int tokensOf(int expert, int tokens, int top) {
        int count = 0;
        for (int i = 0; i < tokens * top; i++) {
            if (chosen[i] == expert) {
                tokensOf[count] = i / top;
                sharesOf[count++] = shares[i];
            }
        }
        return count;
    }

    @Override
    public void close() {
        if (inputs != null) {
            inputs.close();
        }
    }
}
