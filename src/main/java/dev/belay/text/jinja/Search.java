package dev.belay.text.jinja;

import java.util.function.IntUnaryOperator;

/**
 * Finds a part of a string in a time that grows with the sum of their lengths (Knuth, Morris and Pratt), where Java's own search may take
 * their product: seconds that no {@link Budget} would see.
 */
final class Search {
    /** A part up to this length is found by Java's search. */
    private static final int SHORT = 16;

    private Search() {}

    /** The first place from {@code from} on at which {@code part} stands; -1 if there is none. */
    static int first(String text, String part, int from) {
        if (part.length() <= SHORT) {
            return text.indexOf(part, from);
        }
        int at = first(text.length() - from, i -> text.charAt(from + i), part.length(), part::charAt);
        return at < 0 ? -1 : from + at;
    }

    /** The last place before {@code end} at which {@code part} stands as a whole; -1 if there is none. */
    static int last(String text, String part, int end) {
        int size = part.length();
        if (size <= SHORT) {
            return end < size ? -1 : text.lastIndexOf(part, end - size);
        }
        int at = first(end, i -> text.charAt(end - 1 - i), size, i -> part.charAt(size - 1 - i));
        return at < 0 ? -1 : end - at - size;
    }

    private static int first(int length, IntUnaryOperator text, int size, IntUnaryOperator part) {
        if (size > length) {
            return -1;
        }
        int[] borders = borders(size, part);
        int matched = 0;
        for (int i = 0; i < length; i++) {
            int character = text.applyAsInt(i);
            while (matched > 0 && part.applyAsInt(matched) != character) {
                matched = borders[matched - 1];
            }
            matched += part.applyAsInt(matched) == character ? 1 : 0;
            if (matched == size) {
                return i + 1 - size;
            }
        }
        return -1;
    }

    /** For each beginning of the part the length of the longest shorter beginning that it also ends with. */
    private static int[] borders(int size, IntUnaryOperator part) {
        int[] borders = new int[size];
        int matched = 0;
        for (int i = 1; i < size; i++) {
            while (matched > 0 && part.applyAsInt(matched) != part.applyAsInt(i)) {
                matched = borders[matched - 1];
            }
            matched += part.applyAsInt(matched) == part.applyAsInt(i) ? 1 : 0;
            borders[i] = matched;
        }
        return borders;
    }
}
