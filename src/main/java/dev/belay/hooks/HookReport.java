package dev.belay.hooks;

import java.util.BitSet;

/** What interventions and captures really did: heads × layers × tokens changed, tokens captured. */
public final class HookReport {
    private final BitSet heads = new BitSet();
    private final BitSet layers = new BitSet();
    private long scaledHeadTokens;
    private long residualTokens;
    private long headOutputTokens;

    /** Counts {@code tokens} tokens of a layer as scaled by a mask. */
    void scaled(int layer, HeadMask mask, int tokens) {
        if (tokens == 0) {
            return;
        }
        for (int h = 0; h < mask.heads(); h++) {
            if (mask.factor(layer, h) != 1f) {
                layers.set(layer);
                heads.set(layer * mask.heads() + h);
                scaledHeadTokens += tokens;
            }
        }
    }

    /** Counts {@code tokens} tokens as captured at a point. */
    public void captured(HookPoint point, int tokens) {
        if (point.kind() == HookPoint.Kind.RESIDUAL) {
            residualTokens += tokens;
        } else {
            headOutputTokens += tokens;
        }
    }

    /** Adds what another report counted. */
    public void add(HookReport other) {
        heads.or(other.heads);
        layers.or(other.layers);
        scaledHeadTokens += other.scaledHeadTokens;
        residualTokens += other.residualTokens;
        headOutputTokens += other.headOutputTokens;
    }

    /** Layers in which at least one token was scaled. */
    public int layers() {
        return layers.cardinality();
    }

    /** Different heads (layer, head) that were scaled for at least one token. */
    public int heads() {
        return heads.cardinality();
    }

    /** Number of (layer, head, token) triples scaled. */
    public long scaledHeadTokens() {
        return scaledHeadTokens;
    }

    /** Number of residual vectors captured. */
    public long residualTokens() {
        return residualTokens;
    }

    /** Number of head output vectors captured. */
    public long headOutputTokens() {
        return headOutputTokens;
    }

    @Override
    public String toString() {
        return heads() + " heads in " + layers() + " layers scaled, " + scaledHeadTokens + " head outputs changed, "
                + residualTokens + " residual vectors and " + headOutputTokens + " head output vectors captured";
    }
}
