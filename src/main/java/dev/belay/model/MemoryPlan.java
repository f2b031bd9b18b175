package dev.belay.model;

/**
 * What a model needs in memory, in bytes.
 *
 * @param weights weights on the device
 * @param batch activations of one batch of {@code --batch-tokens} tokens, keys and values of one layer included
 * @param cachePerToken keys and values of all layers, for each token kept while generating or sweeping
 */
public record MemoryPlan(long weights, long batch, long cachePerToken) {
    /** Computes the plan; {@code bytesPerWeight} is what the device keeps one weight in. */
    public static MemoryPlan of(ModelConfig c, int bytesPerWeight, int batchTokens) {
        long weights = c.matrixParameters() * bytesPerWeight + c.vectorParameters() * Float.BYTES;
        long queries = (long) c.heads() * c.headSize();
        long keyValues = 2L * c.kvHeads() * c.headSize();
        long perToken = 5L * c.hidden() + 3 * queries + 2 * keyValues + feedForward(c);
        return new MemoryPlan(weights, perToken * batchTokens * Float.BYTES, c.layers() * keyValues * Float.BYTES);
    }

    /** Numbers a token of a feed-forward block; with experts those of a device that computes all of a token's at a time, as CUDA does. */
    private static long feedForward(ModelConfig c) {
        Experts experts = c.experts();
        if (experts == null) {
            return 3L * c.feedForward();
        }
        long top = experts.top();
        return 3 * Math.max(c.feedForward(), top * experts.feedForward()) + top * c.hidden() + experts.count();
    }
}
