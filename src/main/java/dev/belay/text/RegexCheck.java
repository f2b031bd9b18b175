package dev.belay.text;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Refuses regular expressions of tokenizers that can backtrack without measure. The library that runs them, Oniguruma, gives up after
 * ten million steps at one place of the text, and ends the process. An expression passes if it repeats no group that itself repeats
 * or chooses, and if no two repetitions side by side, which have a character in common, stand before something that can fail. The
 * expressions of published models pass.
 */
final class RegexCheck {
    private static final int LONGEST = 10_000;
    private static final int DEEPEST = 20;
    /** More repetitions than this count as any number of them. */
    private static final int MANY = 16;

    /** Quantified parts of one sequence. */
    private static final int MOST_QUANTIFIED = 16;

    private static final int CHARACTERS = 1 << 16;

    private final String regex;
    private int at;
    private int depth;

    private RegexCheck(String regex) {
        this.regex = regex;
    }

    private static final class Refusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refusal(String reason) {
            super(reason, null, false, false);
        }
    }

    /**
     * A part of an expression.
     *
     * @param set the characters that it can match one of, as a regular expression; null if that is not known
     * @param nullable whether it cannot fail
     * @param many whether it repeats something any number of times and gives back what it took
     * @param varied whether it can match in several ways at all
     * @param open whether it ends in repetitions that have a character in common
     * @param look whether it looks ahead or back, and takes nothing
     */
    private record Part(String set, boolean nullable, boolean many, boolean varied, boolean open, boolean look) {
        Part(String set, boolean nullable, boolean many, boolean varied, boolean open) {
            this(set, nullable, many, varied, open, false);
        }
    }

    /** Why an expression is refused, or null. */
    static String refusal(String regex) {
        if (regex.length() > LONGEST) {
            return "has " + regex.length() + " characters, more than " + LONGEST;
        }
        try {
            RegexCheck check = new RegexCheck(regex);
            check.choice();
            return check.at < regex.length() ? "closes a group that is not open" : null;
        } catch (Refusal e) {
            return e.getMessage();
        }
    }

    private boolean more() {
        return at < regex.length();
    }

    private boolean take(String text) {
        boolean there = regex.startsWith(text, at);
        at += there ? text.length() : 0;
        return there;
    }

    private char next() {
        if (!more()) {
            throw new Refusal("ends too early");
        }
        return regex.charAt(at++);
    }

    private Part choice() {
        if (++depth > DEEPEST) {
            throw new Refusal("is nested too deeply");
        }
        Part all = sequence();
        while (more() && regex.charAt(at) == '|') {
            at++;
            Part other = sequence();
            all = new Part(null, all.nullable || other.nullable, all.many || other.many, true, all.open || other.open);
        }
        depth--;
        return all;
    }

    private Part sequence() {
        List<Part> parts = new ArrayList<>();
        int quantified = 0;
        while (more() && regex.charAt(at) != '|' && regex.charAt(at) != ')') {
            Part atom = atom();
            Part part = atom == null ? null : quantified(atom);
            if (part != null) {
                parts.add(part);
                quantified += part.varied ? 1 : 0;
            }
        }
        if (quantified > MOST_QUANTIFIED) {
            throw new Refusal("has more than " + MOST_QUANTIFIED + " quantifiers in a row");
        }
        return joined(parts);
    }

    private static Part joined(List<Part> parts) {
        boolean open = false;
        for (int i = 0; i < parts.size(); i++) {
            boolean follows = parts.get(i).many && follows(parts, i);
            if (!parts.get(i).nullable && (open || follows && parts.get(i).look)) {
                throw new Refusal("has repetitions side by side that can match the same characters");
            }
            open |= parts.get(i).open || follows;
        }
        return new Part(
                parts.size() == 1 ? parts.getFirst().set : null,
                parts.stream().allMatch(Part::nullable),
                parts.stream().anyMatch(Part::many),
                parts.stream().anyMatch(Part::varied),
                open);
    }

    /** Whether a repetition with a character in common stands before part {@code i}, and nothing between them tells them apart. */
    private static boolean follows(List<Part> parts, int i) {
        for (int before = i - 1; before >= 0; before--) {
            boolean overlap = overlap(parts.get(before), parts.get(i));
            if (overlap && parts.get(before).many && !parts.get(before).look) {
                return true;
            }
            if (!overlap && !parts.get(before).nullable) {
                return false;
            }
        }
        return false;
    }

    /** One character, class or group; null for what matches nothing and cannot fail, such as options. */
    private Part atom() {
        int from = at;
        char c = next();
        return switch (c) {
            case '(' -> group();
            case '[' -> characterClass(from);
            case '\\' -> escape(from);
            case '^', '$' -> new Part("(?!)", false, false, false, false);
            case '.' -> new Part(".", false, false, false, false);
            case '*', '+', '?' -> throw new Refusal("repeats nothing");
            default -> {
                at += Character.isHighSurrogate(c) && more() ? 1 : 0;
                yield new Part(Pattern.quote(regex.substring(from, at)), false, false, false, false);
            }
        };
    }

    private Part group() {
        if (take("?#") || take("?~") || take("*") || take("?(") || take("?{")) {
            throw new Refusal("has a group of a kind that is not supported");
        }
        boolean look = take("?=") || take("?!") || take("?<=") || take("?<!");
        boolean atomic = !look && take("?>");
        if (!look && !atomic && take("?")) {
            options();
            if (take(")")) {
                return null;
            }
        }
        Part inner = choice();
        if (!take(")")) {
            throw new Refusal("has a group that is not closed");
        }
        if (look) {
            return new Part(inner.many ? null : "(?!)", false, inner.many, inner.many, false, true);
        }
        return atomic ? new Part(inner.set, inner.nullable, false, false, false) : inner;
    }

    /** What stands between a question mark and a colon, or names the group. */
    private void options() {
        if (take("<") || take("'")) {
            while (next() != '>' && regex.charAt(at - 1) != '\'') {}
            return;
        }
        while (more() && regex.charAt(at) != ')') {
            char c = next();
            if (c == ':') {
                return;
            }
            if ("imxadu-".indexOf(c) < 0) {
                throw new Refusal("has a group of a kind that is not supported");
            }
        }
    }

    private Part characterClass(int from) {
        int open = 1;
        boolean first = true;
        take("^");
        while (open > 0) {
            char c = next();
            if (c == '\\') {
                next();
            } else if (c == '[') {
                open++;
                take("^");
            } else if (c == ']' && !first) {
                open--;
            }
            first = false;
        }
        return new Part(regex.substring(from, at), false, false, false, false);
    }

    private Part escape(int from) {
        char c = next();
        if (Character.isDigit(c) && c != '0' || c == 'k' || c == 'g') {
            throw new Refusal("refers back to a group");
        }
        if ("bBAzZG".indexOf(c) >= 0) {
            return new Part("(?!)", false, false, false, false);
        }
        if (c == 'X' || c == 'R' || c == 'K') {
            return new Part(null, false, true, true, false);
        }
        if ((c == 'p' || c == 'P' || c == 'x' || c == 'u') && take("{")) {
            while (next() != '}') {}
        } else if (c == 'x' || c == 'u') {
            at = Math.min(regex.length(), at + (c == 'x' ? 2 : 4));
        }
        return new Part(c == 'h' || c == 'H' ? null : regex.substring(from, at), false, false, false, false);
    }

    private Part quantified(Part atom) {
        Part part = atom;
        while (more()) {
            int least;
            long most;
            if (take("*")) {
                least = 0;
                most = Long.MAX_VALUE;
            } else if (take("+")) {
                least = 1;
                most = Long.MAX_VALUE;
            } else if (take("?")) {
                least = 0;
                most = 1;
            } else {
                Matcher braces = Pattern.compile("\\{(\\d{0,6})(,?)(\\d{0,6})}")
                        .matcher(regex)
                        .region(at, regex.length());
                if (!braces.lookingAt()) {
                    return part;
                }
                at = braces.end();
                least = braces.group(1).isEmpty() ? 0 : Integer.parseInt(braces.group(1));
                most = !braces.group(3).isEmpty()
                        ? Long.parseLong(braces.group(3))
                        : braces.group(2).isEmpty() ? least : Long.MAX_VALUE;
            }
            boolean possessive = take("+");
            boolean lazy = !possessive && take("?");
            part = repeated(part, least, most, possessive && !lazy);
        }
        return part;
    }

    private static Part repeated(Part part, int least, long most, boolean possessive) {
        if (most > 1 && (part.varied || part.nullable || part.open)) {
            throw new Refusal("repeats what itself repeats or chooses");
        }
        boolean many = !possessive && (part.many || most > MANY);
        boolean varied = !possessive && (part.varied || least != most);
        return new Part(part.set, part.nullable || least == 0, many, varied, !possessive && part.open);
    }

    private static boolean overlap(Part a, Part b) {
        BitSet left = characters(a.set);
        BitSet right = characters(b.set);
        return left == null || right == null || left.intersects(right);
    }

    /** The characters that an expression matches one of, or null if that cannot be found out. */
    private static BitSet characters(String set) {
        if (set == null || set.contains("[:")) {
            return null;
        }
        try {
            int flags = Pattern.UNICODE_CHARACTER_CLASS | Pattern.CASE_INSENSITIVE | Pattern.DOTALL;
            Matcher matcher = Pattern.compile(set, flags).matcher("");
            BitSet characters = new BitSet(CHARACTERS);
            for (int c = 0; c < CHARACTERS; c++) {
                if (matcher.reset(Character.toString(c)).matches()) {
                    characters.set(c);
                }
            }
            // Characters beyond, of which each kind of set has some or none.
            for (int c : new int[] {0x1F600, 0x20000, 0x1D400, 0x10400, 0x1D7CE, 0xE0100}) {
                if (matcher.reset(Character.toString(c)).matches()) {
                    characters.set(c);
                }
            }
            return characters;
        } catch (PatternSyntaxException e) {
            return null;
        }
    }
}
