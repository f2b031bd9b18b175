package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.model.Experts;
import dev.belay.model.ModelWeights;
import java.util.Arrays;

/**
 * A mixture of experts: the router's softmax over E experts chooses the top k of each token; each expert computes the tokens that chose
 * it, gathered side by side, and what it gives is added to them with the router's weight. Experts go in order of their number, so
 * that a token's sum does not depend on what else is in the batch.
 */
final class ExpertRouter {
    private final Device device;
    private final Experts experts;
    private float[] logits = new float[0];
    /** Chosen experts and their weights, [T, k]. */
    private int[] chosen = new int[0];

    private float[] shares = new float[0];
    private int[] tokensOf = new int[0];
    private float[] sharesOf = new float[0];

    ExpertRouter(Device device, Experts experts) {
        this.device = device;
        this.experts = experts;
    }

    /** x [T, D] += the mixture for {@code tokens} tokens, whose normed inputs are in {@code work}. */
    void run(ModelWeights.Mixture weights, Workspace work, int tokens, DeviceBuffer x) {
        int hidden = weights.router().columns();
        device.matmul(work.normed, hidden, 0, tokens, weights.router(), work.routerLogits, 0, false);
        route(work.routerLogits, tokens);
        for (int e = 0; e < experts.count(); e++) {
            int count = tokensOf(e, tokens);
            if (count == 0) {
                continue;
            }
            DeviceMatrix down = weights.down().get(e);
            device.gather(work.normed, tokensOf, count, hidden, work.expertInputs);
            device.matmul(work.expertInputs, hidden, 0, count, weights.gateUp().get(e), work.gateUp, 0, false);
            device.swiglu(work.gateUp, count, experts.feedForward(), work.activated);
            device.matmul(work.activated, experts.feedForward(), 0, count, down, work.expertOutputs, 0, false);
            device.scatter(work.expertOutputs, tokensOf, sharesOf, count, hidden, x);
        }
    }

    /** Reads the router's logits [T, E] and chooses. */
    private void route(DeviceBuffer buffer, int tokens) {
        int count = experts.count();
        int top = experts.top();
        if (logits.length < tokens * count) {
            logits = new float[tokens * count];
            chosen = new int[tokens * top];
            shares = new float[tokens * top];
            tokensOf = new int[tokens];
            sharesOf = new float[tokens];
        }
        buffer.read(0, logits, 0, tokens * count);
        for (int t = 0; t < tokens; t++) {
            choose(t * count, t * top);
        }
    }

    /** The largest logits from {@code from} on, of equal ones the first, and their softmax. */
    private void choose(int from, int to) {
        int top = experts.top();
        float largest = Float.NEGATIVE_INFINITY;
        for (int e = 0; e < experts.count(); e++) {
            largest = Math.max(largest, logits[from + e]);
        }
        double all = 0;
        for (int e = 0; e < experts.count(); e++) {
            all += Math.exp(logits[from + e] - largest);
        }
        Arrays.fill(chosen, to, to + top, -1);
        double sum = 0;
        for (int k = 0; k < top; k++) {
            int best = -1;
            for (int e = 0; e < experts.count(); e++) {
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
        for (int k = 0; experts.normalized() && k < top; k++) {
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
    private int tokensOf(int expert, int tokens) {
        int count = 0;
        for (int i = 0; i < tokens * experts.top(); i++) {
            if (chosen[i] == expert) {
                tokensOf[count] = i / experts.top();
                sharesOf[count++] = shares[i];
            }
        }
        return count;
    }
}
