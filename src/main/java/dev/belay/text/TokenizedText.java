package dev.belay.text;

import java.util.Arrays;

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

    /** These tokens and then those of the text that begins at char {@code place}. */
    TokenizedText followedBy(TokenizedText next, int place) {
        return new TokenizedText(
                joined(ids, next.ids, 0), joined(start, next.start, place), joined(end, next.end, place));
    }

    private static int[] joined(int[] a, int[] b, int more) {
        int[] all = Arrays.copyOf(a, a.length + b.length);
        for (int i = 0; i < b.length; i++) {
            all[a.length + i] = b[i] + more;
        }
        return all;
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
