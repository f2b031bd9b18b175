package dev.belay.device;

import dev.belay.BelayException;

/**
 * How the next token is chosen.
 *
 * @param temperature 0 = the most likely token always
 * @param topK only the k most likely tokens; 0 = all
 * @param topP only the most likely tokens that together reach probability p; 1 = all
 * @param seed makes a run repeatable; a token depends on the seed, its text's number and its position only
 */
public record Sampling(float temperature, int topK, float topP, long seed) {
    /** Always the most likely token. */
    public static final Sampling GREEDY = new Sampling(0, 0, 1, 0);

    public Sampling {
        if (!(temperature >= 0) || Float.isInfinite(temperature)) {
            throw new BelayException("temperature is " + temperature + ": use a number from 0 (0 = greedy)");
        }
        if (topK < 0) {
            throw new BelayException("top-k is " + topK + ": use a number from 0 (0 = all tokens)");
        }
        if (!(topP > 0 && topP <= 1)) {
            throw new BelayException("top-p is " + topP + ": use a number above 0 and up to 1");
        }
    }
}
