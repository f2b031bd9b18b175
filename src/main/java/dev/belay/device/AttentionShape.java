package dev.belay.device;

/**
 * The fixed sizes of an attention layer.
 *
 * @param heads query heads, H
 * @param kvHeads key/value heads, KV; divides H
 * @param headSize size of a head, HD
 * @param rotarySize leading dimensions of each head that are rotated; even, at most HD; 0 = none
 * @param scale factor on the scores, usually 1/√HD
 */
public record AttentionShape(int heads, int kvHeads, int headSize, int rotarySize, float scale) {
    /** Width of all queries, H·HD. */
    public int queryWidth() {
        return heads * headSize;
    }

    /** Width of all keys (or values), KV·HD. */
    public int kvWidth() {
        return kvHeads * headSize;
    }
}
