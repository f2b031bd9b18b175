package dev.belay.device;

/**
 * What is done to queries, keys and values between their product and the rotation: the bias is added, then every head of queries and
 * keys is RMS-normed.
 *
 * @param bias of queries, keys and values side by side, [H·HD + 2·KV·HD], or null
 * @param queryNorm weight of the norm of each query head, [HD], or null
 * @param keyNorm weight of the norm of each key head, [HD], or null
 * @param eps added to the mean square
 */
public record HeadTerms(DeviceBuffer bias, DeviceBuffer queryNorm, DeviceBuffer keyNorm, float eps) {
    /** Neither bias nor norms. */
    public static final HeadTerms NONE = new HeadTerms(null, null, null, 0);

    /** Whether nothing is done. */
    public boolean none() {
        return bias == null && queryNorm == null && keyNorm == null;
    }
}
