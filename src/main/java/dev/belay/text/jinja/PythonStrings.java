package dev.belay.text.jinja;

import static java.util.Map.entry;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/** The methods of Python's {@code str}, on Java strings; positions and widths count code points. */
final class PythonStrings {
    private static final int MOST_FILLED = 1 << 20;
    private static final String LINE_ENDS = "\n\r\u000b\f\u001c\u001d\u001e\u0085\u2028\u2029";

    private interface Method {
        Object call(String text, Arguments arguments);
    }

    private static final Map<String, Method> METHODS = Map.ofEntries(
            entry("startswith", (text, a) -> affix(text, "startswith", a)),
            entry("endswith", (text, a) -> affix(text, "endswith", a)),
            entry("strip", (text, a) -> strip(text, characters("strip", a), true, true)),
            entry("lstrip", (text, a) -> strip(text, characters("lstrip", a), true, false)),
            entry("rstrip", (text, a) -> strip(text, characters("rstrip", a), false, true)),
            entry("split", (text, a) -> split("split", text, a)),
            entry("rsplit", (text, a) -> split("rsplit", text, a)),
            entry("splitlines", PythonStrings::splitLines),
            entry("lower", (text, a) -> plain("lower", a, text.toLowerCase(Locale.ROOT))),
            entry("upper", (text, a) -> plain("upper", a, text.toUpperCase(Locale.ROOT))),
            entry("title", (text, a) -> plain("title", a, title(text))),
            entry("capitalize", (text, a) -> plain("capitalize", a, capitalize(text))),
            entry("swapcase", (text, a) -> plain("swapcase", a, swapCase(text))),
            entry(
                    "casefold",
                    (text, a) ->
                            plain("casefold", a, text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT))),
            entry("replace", PythonStrings::replace),
            entry("removeprefix", (text, a) -> {
                String prefix = Arguments.string("removeprefix", a.ordered("removeprefix", 1, 1)[0]);
                return text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }),
            entry("removesuffix", (text, a) -> {
                String suffix = Arguments.string("removesuffix", a.ordered("removesuffix", 1, 1)[0]);
                return text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }),
            entry("partition", (text, a) -> {
                String separator = separator("partition", a.ordered("partition", 1, 1)[0]);
                int at = Search.first(text, separator, 0);
                return at < 0 ? PythonTuple.of(text, "", "") : around(text, separator, at);
            }),
            entry("rpartition", (text, a) -> {
                String separator = separator("rpartition", a.ordered("rpartition", 1, 1)[0]);
                int at = Search.last(text, separator, text.length());
                return at < 0 ? PythonTuple.of("", "", text) : around(text, separator, at);
            }),
            entry("format", PythonFormat::format),
            entry("zfill", (text, a) -> {
                int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
                String zeros = "0".repeat(missing(text, a.ordered("zfill", 1, 1)[0]));
                return text.substring(0, sign) + zeros + text.substring(sign);
            }),
            entry("ljust", (text, a) -> aligned("ljust", text, a, 0)),
            entry("rjust", (text, a) -> aligned("rjust", text, a, 1)),
            entry("center", (text, a) -> aligned("center", text, a, 0.5)),
            entry("expandtabs", PythonStrings::expandTabs),
            entry("find", (text, a) -> find("find", text, a, false)),
            entry("rfind", (text, a) -> find("rfind", text, a, true)),
            entry("index", (text, a) -> found(find("index", text, a, false))),
            entry("rindex", (text, a) -> found(find("rindex", text, a, true))),
            entry("count", (text, a) -> {
                Object[] given = a.ordered("count", 1, 3);
                String window = window("count", text, given);
                return window == null ? 0L : count(window, Arguments.string("count", given[0]));
            }),
            entry("join", (text, a) -> {
                List<String> parts = new ArrayList<>();
                for (Iterator<?> items = Values.iterate(a.ordered("join", 1, 1)[0]); items.hasNext(); ) {
                    parts.add(Arguments.string("join", items.next()));
                }
                return joined(text, parts);
            }),
            entry("isdigit", (text, a) -> all("isdigit", text, a, PythonStrings::isDigit)),
            entry("isdecimal", (text, a) -> all("isdecimal", text, a, Character::isDigit)),
            entry("isnumeric", (text, a) -> all("isnumeric", text, a, PythonStrings::isNumeric)),
            entry("isalpha", (text, a) -> all("isalpha", text, a, Character::isLetter)),
            entry("isalnum", (text, a) -> all("isalnum", text, a, c -> Character.isLetter(c) || isNumeric(c))),
            entry("isspace", (text, a) -> all("isspace", text, a, PythonStrings::isSpace)),
            entry("isascii", (text, a) -> plain("isascii", a, text.chars().allMatch(c -> c < 0x80))),
            entry(
                    "isprintable",
                    (text, a) -> plain("isprintable", a, text.codePoints().allMatch(PythonText::isPrintable))),
            entry(
                    "isidentifier",
                    (text, a) -> plain("isidentifier", a, text.matches("(?U)[\\p{L}_][\\w&&[^\\p{Sc}]]*"))),
            entry("istitle", (text, a) -> plain("istitle", a, isCased(text) && text.equals(title(text)))),
            entry("isupper", (text, a) -> plain("isupper", a, isUpper(text))),
            entry("islower", (text, a) -> plain("islower", a, isLower(text))));

    private PythonStrings() {}

    /** Whether strings have this method. */
    static boolean has(String method) {
        return METHODS.containsKey(method);
    }

    /**
     * Calls {@code text.method(arguments)}.
     *
     * @throws TemplateFailure if an argument does not fit
     */
    static Object call(String text, String method, Arguments arguments) {
        return METHODS.get(method).call(text, arguments);
    }

    /** Python's {@code strip}: removes the given characters, or white space if {@code characters} is null. */
    static String strip(String text, String characters, boolean left, boolean right) {
        IntPredicate remove = characters == null
                ? PythonStrings::isSpace
                : characters.codePoints().collect(BitSet::new, BitSet::set, BitSet::or)::get;
        int start = 0;
        int end = text.length();
        while (left && start < end && remove.test(text.codePointAt(start))) {
            start += Character.charCount(text.codePointAt(start));
        }
        while (right && end > start && remove.test(text.codePointBefore(end))) {
            end -= Character.charCount(text.codePointBefore(end));
        }
        return text.substring(start, end);
    }

    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    /** Whether it is white space, and not empty. */
    static boolean isBlank(String text) {
        return !text.isEmpty() && text.codePoints().allMatch(PythonStrings::isSpace);
    }

    private static boolean isDigit(int c) {
        return Character.isDigit(c)
                || Character.getType(c) == Character.OTHER_NUMBER && Character.digit(normal(c), 10) >= 0;
    }

    private static char normal(int c) {
        String text = java.text.Normalizer.normalize(Character.toString(c), java.text.Normalizer.Form.NFKC);
        return text.length() == 1 ? text.charAt(0) : ' ';
    }

    private static boolean isNumeric(int c) {
        int type = Character.getType(c);
        return Character.isDigit(c) || type == Character.OTHER_NUMBER || type == Character.LETTER_NUMBER;
    }

    private static boolean isCased(String text) {
        return text.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
    }

    /** Python's {@code isupper()}. */
    static boolean isUpper(String text) {
        return isCased(text) && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    /** Python's {@code islower()}. */
    static boolean isLower(String text) {
        return isCased(text) && text.codePoints().noneMatch(c -> Character.isUpperCase(c) || Character.isTitleCase(c));
    }

    /** The result of a method that takes no arguments. */
    private static Object plain(String method, Arguments arguments, Object result) {
        arguments.ordered(method, 0, 0);
        return result;
    }

    private static boolean all(String method, String text, Arguments arguments, IntPredicate test) {
        arguments.ordered(method, 0, 0);
        return !text.isEmpty() && text.codePoints().allMatch(test);
    }

    private static boolean affix(String text, String method, Arguments arguments) {
        Object[] given = arguments.ordered(method, 1, 3);
        String window = window(method, text, given);
        List<?> candidates = given[0] instanceof PythonTuple tuple ? tuple : List.of(given[0]);
        for (Object candidate : candidates) {
            String affix = Arguments.string(method, candidate);
            if (window != null && (method.equals("startswith") ? window.startsWith(affix) : window.endsWith(affix))) {
                return true;
            }
        }
        return false;
    }

    /** The part from the second to the third argument; null if it begins behind the end. */
    private static String window(String method, String text, Object[] given) {
        if (given[1] == null) {
            return text;
        }
        int size = text.codePointCount(0, text.length());
        int start = given[1] == PythonNone.NONE ? 0 : Arguments.whole(method, given[1], 0);
        int stop = given[2] == PythonNone.NONE ? size : Arguments.whole(method, given[2], size);
        int from = Math.max(0, start < 0 ? start + size : start);
        int to = Math.min(size, stop < 0 ? stop + size : stop);
        return from > to ? null : text.substring(text.offsetByCodePoints(0, from), text.offsetByCodePoints(0, to));
    }

    private static long find(String method, String text, Arguments arguments, boolean last) {
        Object[] given = arguments.ordered(method, 1, 3);
        String part = Arguments.string(method, given[0]);
        String window = window(method, text, given);
        int at =
                window == null ? -1 : last ? Search.last(window, part, window.length()) : Search.first(window, part, 0);
        if (at < 0) {
            return -1;
        }
        int start = given[1] == null || given[1] == PythonNone.NONE ? 0 : Arguments.whole(method, given[1], 0);
        int size = text.codePointCount(0, text.length());
        return Math.max(0, start < 0 ? start + size : start) + window.codePointCount(0, at);
    }

    private static long found(long place) {
        if (place < 0) {
            throw new TemplateFailure("index() finds no such text in the string");
        }
        return place;
    }

    private static String separator(String method, Object given) {
        String separator = Arguments.string(method, given);
        if (separator.isEmpty()) {
            throw new TemplateFailure(method + "() got an empty separator");
        }
        return separator;
    }

    private static List<Object> split(String method, String text, Arguments arguments) {
        Object[] given = arguments.bind(method, 0, "sep", "maxsplit");
        int most = Arguments.whole(method, given[1], -1);
        int limit = most < 0 ? Integer.MAX_VALUE : most;
        boolean words = given[0] == null || given[0] == PythonNone.NONE;
        if (words) {
            return words(text, limit, method.equals("rsplit"));
        }
        String separator = separator(method, given[0]);
        return new ArrayList<>(
                method.equals("rsplit") ? rightParts(text, separator, limit) : parts(text, separator, limit));
    }

    private static List<String> parts(String text, String separator, int limit) {
        List<String> parts = new ArrayList<>();
        int from = 0;
        for (int at = 0; parts.size() < limit; from = at + separator.length()) {
            at = Search.first(text, separator, from);
            if (at < 0) {
                break;
            }
            parts.add(text.substring(from, at));
            Budget.fitsList(parts.size());
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static List<String> rightParts(String text, String separator, int limit) {
        List<String> parts = new ArrayList<>();
        int end = text.length();
        for (int at = end; parts.size() < limit; end = at) {
            at = Search.last(text, separator, end);
            if (at < 0) {
                break;
            }
            parts.add(text.substring(at + separator.length(), end));
            Budget.fitsList(parts.size());
        }
        parts.add(text.substring(0, end));
        return parts.reversed();
    }

    /** The words between white space; what is left behind the last that is asked for stays as it is. */
    private static List<Object> words(String text, int limit, boolean fromRight) {
        List<Object> words = new ArrayList<>();
        int start = 0;
        int end = text.length();
        while (true) {
            while (start < end && isSpace(text.charAt(fromRight ? end - 1 : start))) {
                start += fromRight ? 0 : 1;
                end -= fromRight ? 1 : 0;
            }
            if (start == end) {
                return fromRight ? words.reversed() : words;
            }
            int cut = fromRight ? end : start;
            boolean all = words.size() == limit;
            while (fromRight
                    ? cut > start && (all || !isSpace(text.charAt(cut - 1)))
                    : cut < end && (all || !isSpace(text.charAt(cut)))) {
                cut += fromRight ? -1 : 1;
            }
            words.add(fromRight ? text.substring(cut, end) : text.substring(start, cut));
            start = fromRight ? start : cut;
            end = fromRight ? cut : end;
        }
    }

    private static List<Object> splitLines(String text, Arguments arguments) {
        Object keep = arguments.bind("splitlines", 0, "keepends")[0];
        return new ArrayList<>(lines(text, keep != null && Values.truth(keep)));
    }

    /** The lines of a text, by all that ends a line for Python. */
    static List<String> lines(String text, boolean keepEnds) {
        List<String> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < text.length(); i++) {
            if (LINE_ENDS.indexOf(text.charAt(i)) < 0) {
                continue;
            }
            int end = i;
            i += text.startsWith("\r\n", i) ? 1 : 0;
            lines.add(text.substring(start, keepEnds ? i + 1 : end));
            start = i + 1;
        }
        if (start < text.length()) {
            lines.add(text.substring(start));
        }
        return lines;
    }

    private static String replace(String text, Arguments arguments) {
        Object[] given = arguments.ordered("replace", 2, 3);
        return replace(
                text,
                Arguments.string("replace", given[0]),
                Arguments.string("replace", given[1]),
                Arguments.whole("replace", given[2], -1));
    }

    /** Replaces the first {@code most} places, or with a negative number all. */
    static String replace(String text, String old, String replacement, int most) {
        int limit = most < 0 ? Integer.MAX_VALUE : most;
        if (!old.isEmpty()) {
            long times = Math.min(limit, count(text, old));
            Budget.string(text.length() + times * (replacement.length() - old.length()));
            return times == limit && most >= 0
                    ? String.join(replacement, parts(text, old, limit))
                    : replaced(text, old, replacement);
        }
        StringBuilder out = new StringBuilder();
        List<Object> characters = Values.characters(text);
        Budget.string(text.length() + Math.min(limit, characters.size() + 1L) * replacement.length());
        for (int i = 0; i <= characters.size(); i++) {
            out.append(i < limit ? replacement : "").append(i < characters.size() ? characters.get(i) : "");
        }
        return out.toString();
    }

    private static String replaced(String text, String old, String replacement) {
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (int at = Search.first(text, old, 0); at >= 0; at = Search.first(text, old, from)) {
            out.append(text, from, at).append(replacement);
            from = at + old.length();
        }
        return out.append(text, from, text.length()).toString();
    }

    private static long count(String text, String part) {
        if (part.isEmpty()) {
            return text.codePointCount(0, text.length()) + 1L;
        }
        long count = 0;
        for (int i = Search.first(text, part, 0); i >= 0; i = Search.first(text, part, i + part.length())) {
            count++;
        }
        return count;
    }

    /** The parts with the separator between them. */
    static String joined(String separator, List<String> parts) {
        long size = (long) separator.length() * parts.size();
        for (String part : parts) {
            size += part.length();
        }
        Budget.string(size);
        return String.join(separator, parts);
    }

    private static String title(String text) {
        StringBuilder out = new StringBuilder();
        boolean inWord = false;
        for (int c : text.codePoints().toArray()) {
            out.append(inWord ? Character.toString(c).toLowerCase(Locale.ROOT) : titleCase(c));
            inWord = Character.isUpperCase(c) || Character.isLowerCase(c) || Character.isTitleCase(c);
        }
        return out.toString();
    }

    private static String titleCase(int c) {
        String upper = Character.toString(c).toUpperCase(Locale.ROOT);
        boolean several = Character.toTitleCase(c) == c && upper.codePointCount(0, upper.length()) > 1;
        return several
                ? upper.substring(0, 1) + upper.substring(1).toLowerCase(Locale.ROOT)
                : Character.toString(Character.toTitleCase(c));
    }

    static String capitalize(String text) {
        if (text.isEmpty()) {
            return text;
        }
        int first = text.codePointAt(0);
        return titleCase(first) + text.substring(Character.charCount(first)).toLowerCase(Locale.ROOT);
    }

    private static String swapCase(String text) {
        StringBuilder out = new StringBuilder();
        text.codePoints()
                .mapToObj(c -> Character.isUpperCase(c)
                        ? Character.toString(c).toLowerCase(Locale.ROOT)
                        : Character.toString(c).toUpperCase(Locale.ROOT))
                .forEach(out::append);
        return out.toString();
    }

    private static PythonTuple around(String text, String separator, int at) {
        return PythonTuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    /** The characters that a width needs beyond the text. */
    private static int missing(String text, Object given) {
        int width = Arguments.whole("width", given, 0);
        if (width > MOST_FILLED) {
            throw new TemplateFailure("a width is at most " + MOST_FILLED);
        }
        return Math.max(0, width - text.codePointCount(0, text.length()));
    }

    private static String aligned(String method, String text, Arguments arguments, double share) {
        Object[] given = arguments.ordered(method, 1, 2);
        String fill = given[1] == null ? " " : Arguments.string(method, given[1]);
        if (fill.codePointCount(0, fill.length()) != 1) {
            throw new TemplateFailure(method + "() fills with one character");
        }
        int missing = missing(text, given[0]);
        int left = share == 0.5 ? leftOf(text, missing) : (int) (missing * share);
        return fill.repeat(left) + text + fill.repeat(missing - left);
    }

    /** As Python centers: the odd one goes to the left if the width is odd. */
    private static int leftOf(String text, int missing) {
        return missing / 2 + (missing & (text.codePointCount(0, text.length()) + missing) & 1);
    }

    private static String expandTabs(String text, Arguments arguments) {
        int size = Arguments.whole("expandtabs", arguments.bind("expandtabs", 0, "tabsize")[0], 8);
        StringBuilder out = new StringBuilder();
        int column = 0;
        for (int c : text.codePoints().toArray()) {
            if (c == '\t') {
                int spaces = size <= 0 ? 0 : size - column % size;
                Budget.fits((long) out.length() + spaces);
                out.repeat(' ', spaces);
                column += spaces;
            } else {
                out.appendCodePoint(c);
                column = c == '\n' || c == '\r' ? 0 : column + 1;
            }
        }
        return out.toString();
    }

    private static String characters(String method, Arguments arguments) {
        Object given = arguments.ordered(method, 0, 1)[0];
        return given == null || given == PythonNone.NONE ? null : Arguments.string(method, given);
    }
}
