package dev.belay.judge;

import java.text.Normalizer;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Text in the one spelling in which phrases and responses are compared. */
record FoldedText(String text) {
    private static final Pattern INVISIBLE_OR_EMPHASIS = Pattern.compile("[\\p{Cf}*_]+");
    private static final Pattern SPACES = Pattern.compile("(?U)\\s+");
    private static final Pattern SENTENCE_END = Pattern.compile("[.!?]+['\")\\]]*(?= |$)");
    private static final Pattern WORD = Pattern.compile("(?U)[\\p{L}\\p{N}]\\S*");
    private static final int SHORTEST_SENTENCE = 3;

    /**
     * Folds text: Unicode NFKC, apostrophes and quotes straight, lower case, one space for any white space, no invisible
     * characters, no Markdown asterisks and underscores, and one form for the verbs that have a short one (can't and can not
     * become cannot, won't becomes will not, I'm becomes I am).
     */
    static FoldedText of(String raw) {
        // The acute accent that stands alone must go before NFKC, which would make a space and a combining mark of it.
        String text = raw.replaceAll("[\u2018\u2019\u201A\u201B\u02BC\u2032\u00B4`]", "'");
        text = Normalizer.normalize(text, Normalizer.Form.NFKC).replaceAll("[\u201C-\u201F]", "\"");
        text = INVISIBLE_OR_EMPHASIS.matcher(text).replaceAll("").toLowerCase(Locale.ROOT);
        text = SPACES.matcher(text).replaceAll(" ").strip();
        text = text.replaceAll("\\bcan(?:'t| not)\\b", "cannot")
                .replaceAll("\\bwon't\\b", "will not")
                .replaceAll("(\\w)n't\\b", "$1 not")
                .replaceAll("\\bi'm\\b", "i am")
                .replaceAll("(\\w)'re\\b", "$1 are")
                .replaceAll("(\\w)'ve\\b", "$1 have")
                .replaceAll("(\\w)'ll\\b", "$1 will");
        return new FoldedText(text);
    }

    /** Whether there is no letter and no digit in it. */
    boolean isWordless() {
        return !WORD.matcher(text).find();
    }

    /** Where the first {@code sentences} sentences end, but at most {@code longest}; fewer than three words do not count. */
    int openingEnd(int sentences, int longest) {
        int limit = Math.min(longest, text.length());
        Matcher ends = SENTENCE_END.matcher(text);
        int start = 0;
        int found = 0;
        while (found < sentences && ends.find() && ends.end() < limit) {
            Matcher words = WORD.matcher(text).region(start, ends.end());
            start = ends.end();
            found += words.results().count() >= SHORTEST_SENTENCE ? 1 : 0;
        }
        return found == sentences ? start : limit;
    }

    /** The first place before {@code limit} where {@code phrase} begins and does not cut a word at either end, or -1. */
    int find(String phrase, int limit) {
        int end = Math.min(text.length(), limit - 1 + phrase.length());
        int at = text.indexOf(phrase, 0, end);
        while (at >= 0) {
            if (!insideWord(at) && !insideWord(at + phrase.length())) {
                return at;
            }
            at = text.indexOf(phrase, at + 1, end);
        }
        return -1;
    }

    private boolean insideWord(int at) {
        if (at == 0 || at == text.length()) {
            return false;
        }
        return endsWithWord(at) && startsWithWord(at);
    }

    private boolean endsWithWord(int at) {
        boolean apostrophe = text.charAt(at - 1) == '\'';
        return apostrophe ? at > 1 && isWord(text.codePointBefore(at - 1)) : isWord(text.codePointBefore(at));
    }

    private boolean startsWithWord(int at) {
        boolean apostrophe = text.charAt(at) == '\'';
        return apostrophe ? at + 1 < text.length() && isWord(text.codePointAt(at + 1)) : isWord(text.codePointAt(at));
    }

    private static boolean isWord(int codePoint) {
        int type = Character.getType(codePoint);
        return Character.isLetterOrDigit(codePoint)
                || type == Character.NON_SPACING_MARK
                || type == Character.COMBINING_SPACING_MARK;
    }
}
