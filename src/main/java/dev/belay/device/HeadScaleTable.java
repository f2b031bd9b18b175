package dev.belay.device;

import java.util.Arrays;

/**
 * Which tokens of a layer have which head outputs scaled: a list of sets of H factors, and for each token the set it uses. Reused
 * from layer to layer.
 */
public final class HeadScaleTable {
    /** The set number of a token that is left as it is. */
    public static final int NONE = -1;

    private int[] setOfToken = new int[0];
    private float[] factors = new float[0];
    private boolean[] renormalize = new boolean[0];
    private int heads;
    private int sets;

    /** Empties the table for {@code tokens} tokens and {@code heads} heads. */
    public void reset(int tokens, int heads) {
        if (setOfToken.length < tokens) {
            setOfToken = new int[Math.max(tokens, 2 * setOfToken.length)];
        }
        Arrays.fill(setOfToken, 0, tokens, NONE);
        this.heads = heads;
        sets = 0;
    }

    /** Adds a set of H factors, all 1, and returns its number. */
    public int addSet(boolean renormalize) {
        if ((sets + 1) * heads > factors.length) {
            factors = Arrays.copyOf(factors, Math.max((sets + 1) * heads, 2 * factors.length));
        }
        if (sets == this.renormalize.length) {
            this.renormalize = Arrays.copyOf(this.renormalize, Math.max(8, 2 * sets));
        }
        Arrays.fill(factors, sets * heads, (sets + 1) * heads, 1f);
        this.renormalize[sets] = renormalize;
        return sets++;
    }

    /** Sets the factor γ of one head in one set. */
    public void factor(int set, int head, float gamma) {
        factors[set * heads + head] = gamma;
    }

    /** Lets a token use a set. */
    public void assign(int token, int set) {
        setOfToken[token] = set;
    }

    /** Number of sets. */
    public int sets() {
        return sets;
    }

    /** The set of a token, or {@link #NONE}. */
    public int setOf(int token) {
        return setOfToken[token];
    }

    /** γ of a head in a set. */
    public float factor(int set, int head) {
        return factors[set * heads + head];
    }

    /** Whether a set asks for the norm of the concatenated heads to be kept. */
    public boolean renormalize(int set) {
        return renormalize[set];
    }
}
