package dev.belay.text;

/**
 * Token ids with the part of the text that each token stands for, as indices of Java chars (UTF-16 units): token i covers
 * {@code text.substring(start[i], end[i])}. Tokens that share one character all have the span of that whole character.
 *
 * @param ids token ids
 * @param start first char of each token
 * @param end one behind the last char of each token
 */
public record TokenizedText(int[] ids, int[] start, int[] end) {
    /** The number of tokens. */
    public int length() {
        return ids.length;
    }

    /** The first token that ends behind a char position, or {@link #length()} if there is none. */
    public int firstEndingAfter(int position) {
        int token = 0;
        while (token < ids.length && end[token] <= position) {
            token++;
        }
        return token;
    }
}
