package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;

/** The methods of Python's {@code str} that chat templates call, on Java strings. */
final class PythonStrings {
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
            return text.replace(old, replacement);
        }
        return String.join(replacement, split(text, new Object[] {old, arguments[2]}));
    }

    private static String join(String separator, Object[] arguments) {
        if (arguments.length != 1 || !(arguments[0] instanceof Iterable<?> items)) {
            throw new TemplateFailure("join() needs a list of strings");
        }
        List<String> parts = new ArrayList<>();
        items.forEach(item -> parts.add(String.valueOf(item)));
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
