package dev.belay.text;

import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One way to put a token together from two others.
 *
 * @param left its beginning
 * @param right what follows
 * @param token its place in the list of tokens
 */
public record Merge(String left, String right, int token) {
    /** Most characters that are looked at: a token of n characters has n ways to cut it, of up to n characters each. */
    private static final long MOST_CHARACTERS = 1L << 31;

    private record Cut(Merge merge, int left, int right) {}

    /**
     * Every way to put the tokens together, in the order of the tokens; those of one token in the order of the left, then of the right
     * part.
     *
     * @param file has the tokens, for messages
     * @throws BelayException if the tokens are so long that this takes too much time
     */
    public static List<Merge> all(Path file, List<String> tokens) {
        Map<String, Integer> places = new HashMap<>();
        long characters = 0;
        for (int i = 0; i < tokens.size(); i++) {
            String token = tokens.get(i);
            places.put(token, i);
            characters += (long) token.length() * token.length();
        }
        if (characters > MOST_CHARACTERS) {
            throw new BelayException(
                    file + " has tokens that are too long to find out how they are merged; copy the file again");
        }
        List<Merge> merges = new ArrayList<>();
        for (int i = 0; i < tokens.size(); i++) {
            String token = tokens.get(i);
            List<Cut> cuts = new ArrayList<>();
            for (int at = 1; at < token.length(); at++) {
                String first = token.substring(0, at);
                Integer left = places.get(first);
                String second = left == null ? null : token.substring(at);
                Integer right = left == null ? null : places.get(second);
                if (right != null) {
                    cuts.add(new Cut(new Merge(first, second, i), left, right));
                }
            }
            cuts.sort(Comparator.comparingInt(Cut::left).thenComparingInt(Cut::right));
            cuts.forEach(cut -> merges.add(cut.merge));
        }
        return merges;
    }
}
