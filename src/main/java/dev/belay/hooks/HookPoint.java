package dev.belay.hooks;

/**
 * A named point of the forward pass.
 *
 * @param index i of H[i] (0 = embeddings, L = after the final norm), or the layer 0..L-1 of a head output
 */
public record HookPoint(Kind kind, int index) {
    /** What is seen there. */
    public enum Kind {
        /** H[i], the residual stream [T, D]. */
        RESIDUAL,
        /** z[l], the concatenated head outputs before o_proj and before any scaling [T, H·HD]. */
        HEAD_OUTPUT
    }

    /** H[i]. */
    public static HookPoint residual(int i) {
        return new HookPoint(Kind.RESIDUAL, i);
    }

    /** z[l]. */
    public static HookPoint headOutput(int layer) {
        return new HookPoint(Kind.HEAD_OUTPUT, layer);
    }
}
