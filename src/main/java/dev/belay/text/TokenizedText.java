package dev.belay.text;

import java.util.ArrayList;
import java.util.List;

/**
 * Token ids with the part of the text that each token stands for, as indices of Java chars (UTF-16 units): token i covers
 * {@code text.substring(start[i], end[i])}. Tokens that share one character all have the span of that whole character.
 *
 * @param ids token ids
 * @param start first char of each token
 * @param end one behind the last char of each token
 */
public record TokenizedText(int[] ids, int[] start, int[] end) {
    /** No tokens. */
    static final TokenizedText EMPTY = new TokenizedText(new int[0], new int[0], new int[0]);

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

    /** Puts tokens together from those of parts. */
    static final class Builder {
        private final List<int[]> tokens = new ArrayList<>();

        /** Adds one token. */
        void add(int id, int start, int end) {
            tokens.add(new int[] {id, start, end});
        }

        /** Adds the tokens of a part that begins at char {@code place}. */
        void add(TokenizedText part, int place) {
            for (int i = 0; i < part.length(); i++) {
                add(part.ids[i], place + part.start[i], place + part.end[i]);
            }
        }

        TokenizedText build() {
            return new TokenizedText(column(0), column(1), column(2));
        }

        private int[] column(int k) {
            return tokens.stream().mapToInt(token -> token[k]).toArray();
        }
    }
}
