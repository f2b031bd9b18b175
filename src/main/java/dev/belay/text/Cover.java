package dev.belay.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Keeps the names of control tokens that stand in given text, a prompt or recorded thinking, from becoming those tokens: such a text
 * could otherwise close its turn and open another one. Names of the unknown token and of bytes do not become those either. Each name is
 * covered by a private-use character while the chat template renders the text, and tokenized as ordinary characters afterwards.
 */
final class Cover {
    /** First code point of the last plane, of which every one is private: those in given text are covered too. */
    private static final int FIRST = 0x100000;

    private static final Pattern PRIVATE = Pattern.compile("[\\x{100000}-\\x{10FFFF}]");

    private final Tokenizer tokenizer;
    private final Pattern names;
    private final List<String> covered = new ArrayList<>();
    private final Map<String, Integer> places = new HashMap<>();

    /** @param parseSpecial whether nothing is to be covered, so that control tokens in given text count */
    Cover(Tokenizer tokenizer, boolean parseSpecial) {
        this.tokenizer = tokenizer;
        names = parseSpecial ? null : tokenizer.controlNames();
    }

    /** The text with every such name covered, and whatever else the tokenizer takes for one. */
    String cover(String text) {
        if (names == null) {
            return text;
        }
        String unambiguous = PRIVATE.matcher(text).replaceAll(match -> placeholder(match.group()));
        return coverDisguised(names.matcher(unambiguous).replaceAll(match -> placeholder(match.group())));
    }

    /** Covers what the tokenizer's normalizer turns into such a name, full-width letters for example. */
    private String coverDisguised(String text) {
        TokenizedText tokens = tokenizer.encodeWithSpans(text);
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (int i = 0; i < tokens.length(); i++) {
            int start = tokens.start()[i];
            int end = tokens.end()[i];
            if (start >= from && end > start && tokenizer.isNamed(tokens.ids()[i], text.codePointCount(start, end))) {
                // A normalizer that drops private characters may find a name around one of ours.
                String name = uncover(text.substring(start, end));
                out.append(text, from, start).append(placeholder(name));
                from = end;
            }
        }
        return out.append(text, from, text.length()).toString();
    }

    private String placeholder(String text) {
        int place = places.computeIfAbsent(text, name -> {
            covered.add(name);
            return covered.size() - 1;
        });
        return Character.toString(FIRST + place);
    }

    private String uncover(String text) {
        return covered.isEmpty()
                ? text
                : PRIVATE.matcher(text)
                        .replaceAll(match -> Matcher.quoteReplacement(
                                covered.get(match.group().codePointAt(0) - FIRST)));
    }

    /** Length of a covered text without its covers. */
    int length(String text) {
        return uncover(text).length();
    }

    /** The tokens of a text in which some names are covered; spans count the chars of the text without covers. */
    TokenizedText encode(String text) {
        TokenizedText tokens = tokenizer.encodeWithSpans(text);
        if (covered.isEmpty()) {
            return tokens;
        }
        int[] real = realPositions(text);
        TokenizedText.Builder all = new TokenizedText.Builder();
        int from = 0;
        // Some normalizers drop a cover, so that a text can end without a token.
        while (from <= tokens.length()) {
            int to = from;
            while (to < tokens.length() && !isAdded(tokens, to, text)) {
                to++;
            }
            // Between two tokens that the library finds before anything else, text is tokenized by itself.
            int start = from == 0 ? 0 : tokens.end()[from - 1];
            int end = to == tokens.length() ? text.length() : tokens.start()[to];
            String part = text.substring(start, end);
            if (PRIVATE.matcher(part).find()) {
                all.add(tokenizer.encodeLiterally(uncover(part), start > 0), real[start]);
            } else {
                add(all, tokens, from, to, real);
            }
            if (to < tokens.length()) {
                add(all, tokens, to, to + 1, real);
            }
            from = to + 1;
        }
        return all.build();
    }

    private boolean isAdded(TokenizedText tokens, int i, String text) {
        return tokenizer.isAdded(tokens.ids()[i], text.substring(tokens.start()[i], tokens.end()[i]));
    }

    private static void add(TokenizedText.Builder all, TokenizedText tokens, int from, int to, int[] places) {
        for (int i = from; i < to; i++) {
            all.add(tokens.ids()[i], places[tokens.start()[i]], places[tokens.end()[i]]);
        }
    }

    /** For every char of a covered text, and its end, the place without covers. */
    private int[] realPositions(String text) {
        int[] real = new int[text.length() + 1];
        int place = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int size = Character.charCount(c);
            Arrays.fill(real, i, i + size, place);
            place += c < FIRST ? size : covered.get(c - FIRST).length();
            i += size;
        }
        real[text.length()] = place;
        return real;
    }
}
