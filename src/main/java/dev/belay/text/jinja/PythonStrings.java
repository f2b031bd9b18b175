package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The methods of Python's {@code str} that chat templates call, on Java strings. */
final class PythonStrings {
    private static final int MOST_FILLED = 1 << 20;
    private static final Pattern FIELD = Pattern.compile("\\{\\{|}}|\\{(\\d{0,3})}|[{}]");
    private static final Pattern PERCENT = Pattern.compile("%(.)", Pattern.DOTALL);

    private PythonStrings() {}

    /**
     * Calls {@code text.method(arguments)}.
     *
     * @throws TemplateFailure if there is no such method here or an argument does not fit
     */
    static Object call(String text, String method, Object[] arguments) {
        return switch (method) {
            case "startswith" -> affix(text, method, arguments, true);
            case "endswith" -> affix(text, method, arguments, false);
            case "strip" -> strip(text, characters(method, arguments), true, true);
            case "lstrip" -> strip(text, characters(method, arguments), true, false);
            case "rstrip" -> strip(text, characters(method, arguments), false, true);
            case "split" -> split(text, arguments);
            case "rsplit" -> rsplit(text, arguments);
            case "splitlines" -> text.isEmpty() ? List.of() : Arrays.asList(text.split("\r\n|\r|\n"));
            case "lower" -> text.toLowerCase(Locale.ROOT);
            case "upper" -> text.toUpperCase(Locale.ROOT);
            case "title" -> title(text);
            case "capitalize" -> capitalize(text);
            case "replace" -> replace(text, arguments);
            case "removeprefix" -> {
                String prefix = string(method, arguments, 0);
                yield text.startsWith(prefix) ? text.substring(prefix.length()) : text;
            }
            case "removesuffix" -> {
                String suffix = string(method, arguments, 0);
                yield text.endsWith(suffix) ? text.substring(0, text.length() - suffix.length()) : text;
            }
            case "partition" -> {
                String separator = string(method, arguments, 0);
                int at = text.indexOf(separator);
                yield at < 0 ? PythonTuple.of(text, "", "") : around(text, separator, at);
            }
            case "rpartition" -> {
                String separator = string(method, arguments, 0);
                int at = text.lastIndexOf(separator);
                yield at < 0 ? PythonTuple.of("", "", text) : around(text, separator, at);
            }
            case "format" -> format(text, arguments);
            case "zfill" -> {
                int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
                String zeros = "0".repeat(missing(text, arguments));
                yield text.substring(0, sign) + zeros + text.substring(sign);
            }
            case "ljust" -> text + fill(arguments).repeat(missing(text, arguments));
            case "rjust" -> fill(arguments).repeat(missing(text, arguments)) + text;
            case "center" -> {
                int missing = missing(text, arguments);
                // As Python does it: the odd one goes to the left if the width is odd.
                int left = missing / 2 + (missing & (text.length() + missing) & 1);
                yield fill(arguments).repeat(left) + text + fill(arguments).repeat(missing - left);
            }
            case "swapcase" -> swapCase(text);
            case "casefold" -> text.toUpperCase(Locale.ROOT).toLowerCase(Locale.ROOT);
            case "find" -> (long) text.indexOf(string(method, arguments, 0));
            case "rfind" -> (long) text.lastIndexOf(string(method, arguments, 0));
            case "count" -> (long) count(text, string(method, arguments, 0));
            case "join" -> join(text, arguments);
            case "isdigit" -> all(text, Character::isDigit);
            case "isalpha" -> all(text, Character::isLetter);
            case "isalnum" -> all(text, Character::isLetterOrDigit);
            case "isspace" -> all(text, PythonStrings::isSpace);
            case "isupper" -> all(text.replaceAll("\\P{L}", ""), Character::isUpperCase);
            case "islower" -> all(text.replaceAll("\\P{L}", ""), Character::isLowerCase);
            default -> throw new TemplateFailure("strings have no method '" + method + "' here");
        };
    }

    /** Python's {@code strip}: removes the given characters, or white space if {@code characters} is null. */
    static String strip(String text, String characters, boolean left, boolean right) {
        IntPredicate remove = characters == null ? PythonStrings::isSpace : c -> characters.indexOf(c) >= 0;
        int start = 0;
        int end = text.length();
        while (left && start < end && remove.test(text.charAt(start))) {
            start++;
        }
        while (right && end > start && remove.test(text.charAt(end - 1))) {
            end--;
        }
        return text.substring(start, end);
    }

    private static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    private static boolean affix(String text, String method, Object[] arguments, boolean prefix) {
        Object given = arguments.length == 0 ? null : arguments[0];
        List<?> candidates = given instanceof List<?> list ? list : Collections.singletonList(given);
        for (Object candidate : candidates) {
            if (!(candidate instanceof String affix)) {
                throw needsString(method);
            }
            if (prefix ? text.startsWith(affix) : text.endsWith(affix)) {
                return true;
            }
        }
        return false;
    }

    private static List<String> split(String text, Object[] arguments) {
        long limit = limit(arguments);
        String separator = arguments.length == 0 || arguments[0] == null ? null : string("split", arguments, 0);
        List<String> parts = new ArrayList<>();
        if (separator == null) {
            String rest = strip(text, null, true, true);
            String[] words = rest.split("\\s+", limit < 0 ? 0 : (int) limit + 1);
            return rest.isEmpty() ? parts : Arrays.asList(words);
        }
        int from = 0;
        int next = text.indexOf(separator);
        while (next >= 0 && (limit < 0 || parts.size() < limit)) {
            parts.add(text.substring(from, next));
            from = next + separator.length();
            next = text.indexOf(separator, from);
        }
        parts.add(text.substring(from));
        return parts;
    }

    private static List<String> rsplit(String text, Object[] arguments) {
        long limit = limit(arguments);
        if (limit < 0 || arguments[0] == null) {
            return split(text, arguments);
        }
        String separator = string("rsplit", arguments, 0);
        List<String> parts = new ArrayList<>();
        String rest = text;
        for (int at = rest.lastIndexOf(separator); at >= 0 && parts.size() < limit; at = rest.lastIndexOf(separator)) {
            parts.addFirst(rest.substring(at + separator.length()));
            rest = rest.substring(0, at);
        }
        parts.addFirst(rest);
        return parts;
    }

    private static long limit(Object[] arguments) {
        if (arguments.length > 0 && arguments[0] instanceof String separator && separator.isEmpty()) {
            throw new TemplateFailure("split() got an empty separator");
        }
        return arguments.length > 1 && arguments[1] instanceof Number number ? number.longValue() : -1;
    }

    private static String replace(String text, Object[] arguments) {
        String old = string("replace", arguments, 0);
        String replacement = string("replace", arguments, 1);
        if (arguments.length < 3) {
            long times = old.isEmpty() ? text.length() + 1L : count(text, old);
            Budget.string(text.length() + times * (replacement.length() - old.length()));
            return text.replace(old, replacement);
        }
        return joined(replacement, split(text, new Object[] {old, arguments[2]}));
    }

    private static String join(String separator, Object[] arguments) {
        if (arguments.length != 1 || !(arguments[0] instanceof Iterable<?> items)) {
            throw new TemplateFailure("join() needs a list of strings");
        }
        List<String> parts = new ArrayList<>();
        items.forEach(item -> parts.add(String.valueOf(item)));
        return joined(separator, parts);
    }

    private static String joined(String separator, List<String> parts) {
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
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            out.append(inWord ? Character.toLowerCase(c) : Character.toUpperCase(c));
            inWord = Character.isLetter(c);
        }
        return out.toString();
    }

    private static String capitalize(String text) {
        return text.isEmpty()
                ? text
                : text.substring(0, 1).toUpperCase(Locale.ROOT)
                        + text.substring(1).toLowerCase(Locale.ROOT);
    }

    private static PythonTuple around(String text, String separator, int at) {
        return PythonTuple.of(text.substring(0, at), separator, text.substring(at + separator.length()));
    }

    private static int missing(String text, Object[] arguments) {
        if (arguments.length == 0 || !(arguments[0] instanceof Number width) || width.longValue() > MOST_FILLED) {
            throw new TemplateFailure("a string is filled to a width that is no number up to " + MOST_FILLED);
        }
        return Math.max(0, width.intValue() - text.codePointCount(0, text.length()));
    }

    private static String fill(Object[] arguments) {
        return arguments.length > 1 ? PythonText.str(arguments[1]) : " ";
    }

    private static String swapCase(String text) {
        StringBuilder out = new StringBuilder();
        text.codePoints()
                .map(c -> Character.isUpperCase(c) ? Character.toLowerCase(c) : Character.toUpperCase(c))
                .forEach(out::appendCodePoint);
        return out.toString();
    }

    /** Python's {@code str.format} with {@code {}}, {@code {0}} and doubled braces; formats after a colon are refused. */
    private static String format(String text, Object[] arguments) {
        StringBuilder out = new StringBuilder();
        Matcher field = FIELD.matcher(text);
        int next = 0;
        while (field.find()) {
            String number = field.group(1);
            String value = field.group().substring(0, 1);
            if (number != null) {
                int index = number.isEmpty() ? next++ : Integer.parseInt(number);
                if (index >= arguments.length) {
                    throw new TemplateFailure("format() has no argument " + index);
                }
                value = PythonText.str(arguments[index]);
            } else if (field.group().length() == 1) {
                throw new TemplateFailure("format() knows {}, {0} and doubled braces only");
            }
            Budget.fits((long) out.length() + value.length());
            field.appendReplacement(out, Matcher.quoteReplacement(value));
        }
        return field.appendTail(out).toString();
    }

    /** Python's {@code format % arguments} with %s, %d, %r and %%. */
    static String percent(String format, List<?> arguments) {
        StringBuilder out = new StringBuilder();
        Matcher field = PERCENT.matcher(format);
        int next = 0;
        while (field.find()) {
            char kind = field.group(1).charAt(0);
            if (kind != '%' && next >= arguments.size()) {
                throw new TemplateFailure("'%' has too few arguments");
            }
            Object given = kind == '%' ? null : arguments.get(next++);
            String value = switch (kind) {
                case '%' -> "%";
                case 's' -> PythonText.str(given);
                case 'r' -> PythonText.repr(given);
                case 'd' -> {
                    if (!(given instanceof Number number)) {
                        throw new TemplateFailure("'%d' needs a number");
                    }
                    yield String.valueOf(number.longValue());
                }
                default -> throw new TemplateFailure("'%" + kind + "' is not known here");
            };
            Budget.fits((long) out.length() + value.length());
            field.appendReplacement(out, Matcher.quoteReplacement(value));
        }
        return field.appendTail(out).toString();
    }

    private static int count(String text, String part) {
        int count = 0;
        for (int i = text.indexOf(part); i >= 0 && !part.isEmpty(); i = text.indexOf(part, i + part.length())) {
            count++;
        }
        return count;
    }

    private static boolean all(String text, IntPredicate test) {
        return !text.isEmpty() && text.codePoints().allMatch(test);
    }

    private static String characters(String method, Object[] arguments) {
        return arguments.length == 0 || arguments[0] == null ? null : string(method, arguments, 0);
    }

    private static String string(String method, Object[] arguments, int index) {
        if (index < arguments.length && arguments[index] instanceof String text) {
            return text;
        }
        throw needsString(method);
    }

    private static TemplateFailure needsString(String method) {
        return new TemplateFailure(method + "() needs a string");
    }
}
