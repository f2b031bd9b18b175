package dev.belay.text.jinja;

import static java.util.Map.entry;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The filters of text, and those that make text of any value. */
final class TextFilters {
    private static final Pattern WORD = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern TITLE_WORD = Pattern.compile("[^-\\s({\\[<]+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern ENTITY =
            Pattern.compile("&(#\\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);");
    private static final Map<String, String> ENTITIES =
            Map.of("amp", "&", "lt", "<", "gt", ">", "quot", "\"", "apos", "'", "nbsp", "\u00a0");

    static final Map<String, Filter> ALL = Map.ofEntries(
            entry("capitalize", text("capitalize", PythonStrings::capitalize)),
            entry("center", (value, a) -> {
                int width = Arguments.whole("center", a.bind("center", 0, "width")[0], 80);
                Budget.list(Math.abs(width));
                return Markup.like(
                        value, PythonStrings.call(PythonText.str(value), "center", Arguments.of((long) width)));
            }),
            entry("e", TextFilters::escape),
            entry("escape", TextFilters::escape),
            entry("forceescape", (value, a) -> escape(Markup.plain(value), a)),
            entry("format", (value, a) -> {
                if (!a.named().isEmpty() && !a.positional().isEmpty()) {
                    throw new TemplateFailure("format takes arguments either with names or without");
                }
                Object given = a.named().isEmpty() ? new PythonTuple(a.positional()) : a.named();
                return Operators.apply("%", value instanceof Markup ? value : PythonText.str(value), given);
            }),
            entry("indent", (value, a) -> Markup.like(value, indent(value, a))),
            entry("lower", text("lower", text -> text.toLowerCase(Locale.ROOT))),
            entry("replace", (value, a) -> {
                Object[] given = a.bind("replace", 2, "old", "new", "count");
                boolean all = given[2] == null || given[2] == PythonNone.NONE;
                return PythonStrings.replace(
                        PythonText.str(value),
                        PythonText.str(given[0]),
                        PythonText.str(given[1]),
                        all ? -1 : Arguments.whole("replace", given[2], -1));
            }),
            entry("safe", (value, a) -> {
                a.bind("safe", 0);
                return new Markup(PythonText.str(value));
            }),
            entry("string", text("string", text -> text)),
            entry("striptags", (value, a) -> {
                a.bind("striptags", 0);
                return stripTags(PythonText.str(value));
            }),
            entry("title", (value, a) -> {
                a.bind("title", 0);
                return title(PythonText.str(value));
            }),
            entry("tojson", PythonJson::filter),
            entry("trim", (value, a) -> {
                Object characters = a.bind("trim", 0, "chars")[0];
                Arguments given = characters == null ? Arguments.NONE : Arguments.of(characters);
                return Markup.like(value, PythonStrings.call(PythonText.str(value), "strip", given));
            }),
            entry("truncate", (value, a) -> Markup.like(value, truncate(value, a))),
            entry("upper", text("upper", text -> text.toUpperCase(Locale.ROOT))),
            entry("urlencode", TextFilters::urlEncode),
            entry("wordcount", (value, a) -> {
                a.bind("wordcount", 0);
                return WORD.matcher(PythonText.str(value)).results().count();
            }),
            entry("xmlattr", TextFilters::attributes));

    private TextFilters() {}

    private interface TextFunction {
        String apply(String text);
    }

    /** A filter of the value as text, without arguments. */
    private static Filter text(String name, TextFunction function) {
        return (value, arguments) -> {
            arguments.bind(name, 0);
            return Markup.like(value, function.apply(PythonText.str(value)));
        };
    }

    private static Object escape(Object value, Arguments arguments) {
        arguments.bind("escape", 0);
        return new Markup(Markup.escape(value));
    }

    private static String stripTags(String text) {
        String bare = without(without(text, "<!--", "-->"), "<", ">");
        List<String> words = new ArrayList<>();
        Values.iterate(PythonStrings.call(bare, "split", Arguments.NONE))
                .forEachRemaining(word -> words.add((String) word));
        return ENTITY.matcher(String.join(" ", words)).replaceAll(entity -> {
            String name = entity.group(1);
            String character = ENTITIES.get(name);
            if (character == null) {
                boolean hex = Character.toLowerCase(name.charAt(1)) == 'x';
                int code = hex ? Integer.parseInt(name.substring(2), 16) : Integer.parseInt(name.substring(1));
                character = Character.toString(Character.isValidCodePoint(code) ? code : 0xfffd);
            }
            return Matcher.quoteReplacement(character);
        });
    }

    /** The text without all that stands between an opening and the next closing sign, and without these. */
    private static String without(String text, String opening, String closing) {
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (int open = text.indexOf(opening); open >= 0; open = text.indexOf(opening, from)) {
            int close = text.indexOf(closing, open);
            if (close < 0) {
                break;
            }
            out.append(text, from, open);
            from = close + closing.length();
        }
        return out.append(text, from, text.length()).toString();
    }

    private static String title(String text) {
        return TITLE_WORD.matcher(text).replaceAll(word -> {
            int end = word.group().offsetByCodePoints(0, 1);
            String first = word.group().substring(0, end).toUpperCase(Locale.ROOT);
            return Matcher.quoteReplacement(first + word.group().substring(end).toLowerCase(Locale.ROOT));
        });
    }

    private static String indent(Object value, Arguments arguments) {
        Object[] given = arguments.bind("indent", 0, "width", "first", "blank");
        String indent = given[0] instanceof String text ? text : spaces(Arguments.whole("indent", given[0], 4));
        boolean first = given[1] != null && Values.truth(given[1]);
        boolean blank = given[2] != null && Values.truth(given[2]);
        List<String> lines =
                PythonStrings.lines(Arguments.string("indent", value instanceof Undefined ? "" : value) + "\n", false);
        for (int i = 0; i < lines.size(); i++) {
            boolean indented = i == 0 ? first : blank || !lines.get(i).isEmpty();
            lines.set(i, indented ? indent + lines.get(i) : lines.get(i));
        }
        return PythonStrings.joined("\n", lines);
    }

    private static String spaces(int count) {
        Budget.list(Math.abs(count));
        return " ".repeat(Math.max(0, count));
    }

    private static String truncate(Object value, Arguments arguments) {
        Object[] given = arguments.bind("truncate", 0, "length", "killwords", "end", "leeway");
        String text = PythonText.str(value);
        String end = given[2] == null ? "..." : Arguments.string("truncate", given[2]);
        int length = Arguments.whole("truncate", given[0], 255);
        int leeway = Arguments.whole("truncate", given[3], 5);
        if (length < end.length() || leeway < 0) {
            throw new TemplateFailure(
                    "truncate needs a length of at least that of its end, and a leeway of at least 0");
        }
        if (Values.length(text) <= (long) length + leeway) {
            return text;
        }
        String kept = text.substring(0, text.offsetByCodePoints(0, length - (int) Values.length(end)));
        int space = kept.lastIndexOf(' ');
        boolean whole = given[1] != null && Values.truth(given[1]);
        return (whole || space < 0 ? kept : kept.substring(0, space)) + end;
    }

    private static String urlEncode(Object value, Arguments arguments) {
        arguments.bind("urlencode", 0);
        if (Markup.plain(value) instanceof String || !Values.isIterable(value)) {
            return quoted(PythonText.str(value)).replace("+", "%20").replace("%2F", "/");
        }
        List<String> parts = new ArrayList<>();
        Iterator<?> pairs = Values.iterate(value instanceof Map<?, ?> map ? PythonDict.items(map) : value);
        while (pairs.hasNext()) {
            List<Object> pair = Values.list(pairs.next());
            if (pair.size() != 2) {
                throw new TemplateFailure("urlencode needs pairs of a key and a value");
            }
            parts.add(quoted(PythonText.str(pair.get(0))) + "=" + quoted(PythonText.str(pair.get(1))));
        }
        return PythonStrings.joined("&", parts);
    }

    private static String quoted(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8)
                .replace("*", "%2A")
                .replace("%7E", "~");
    }

    private static String attributes(Object value, Arguments arguments) {
        Object space = arguments.bind("xmlattr", 0, "autospace")[0];
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateFailure("xmlattr needs a mapping, not " + Values.type(value));
        }
        List<String> parts = new ArrayList<>();
        map.forEach((key, item) -> {
            if (item != PythonNone.NONE && !(item instanceof Undefined)) {
                String name = Arguments.string("xmlattr", key);
                if (name.matches("(?s).*[\\s/>=].*")) {
                    throw new TemplateFailure("xmlattr has an attribute whose name has a space, '/', '>' or '='");
                }
                parts.add(Markup.escape(name) + "=\"" + Markup.escape(item) + "\"");
            }
        });
        boolean leading = !parts.isEmpty() && (space == null || Values.truth(space));
        return (leading ? " " : "") + PythonStrings.joined(" ", parts);
    }
}
