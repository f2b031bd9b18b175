package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Text that the filter {@code safe} or {@code escape} made: HTML, with which other text is joined only when it is escaped. */
record Markup(String text) {
    /** The text of such a value, and any other value as it is. */
    static Object plain(Object value) {
        return value instanceof Markup markup ? markup.text : value;
    }

    static String escape(Object value) {
        return value instanceof Markup markup
                ? markup.text
                : PythonText.str(value)
                        .replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")
                        .replace("'", "&#39;")
                        .replace("\"", "&#34;");
    }

    /** What was made of a value, as markup if the value is. */
    static Object like(Object value, Object made) {
        if (!(value instanceof Markup)) {
            return made;
        }
        return switch (made) {
            case String text -> new Markup(text);
            case PythonTuple tuple -> new PythonTuple(each(tuple, item -> like(value, item)));
            case List<?> list -> each(list, item -> like(value, item));
            default -> made;
        };
    }

    private static List<Object> each(List<?> items, UnaryOperator<Object> change) {
        List<Object> changed = new ArrayList<>();
        items.forEach(item -> changed.add(change.apply(item)));
        return changed;
    }

    /** Arguments of a format: all that is no number is escaped. */
    static Object escaped(Object value) {
        return switch (value) {
            case Number number -> number;
            case PythonTuple tuple -> new PythonTuple(each(tuple, Markup::escaped));
            case Map<?, ?> map -> {
                Map<Object, Object> changed = new LinkedHashMap<>();
                map.forEach((key, item) -> changed.put(key, escaped(item)));
                yield changed;
            }
            default -> escape(value);
        };
    }

    /** Calls a method of the text, which escapes what it puts in. */
    Object call(String method, Arguments arguments) {
        List<Object> given = new ArrayList<>(arguments.positional());
        Map<String, Object> named = new LinkedHashMap<>(arguments.named());
        switch (method) {
            case "join" -> given.replaceAll(items -> each(Values.list(items), Markup::escape));
            case "format" -> {
                given.replaceAll(Markup::escaped);
                named.replaceAll((_, value) -> escaped(value));
            }
            case "replace" -> {
                if (given.size() > 1) {
                    given.set(1, escape(given.get(1)));
                }
            }
            default -> {}
        }
        return like(this, PythonStrings.call(text, method, new Arguments(given, named)));
    }

    @Override
    public String toString() {
        return text;
    }
}
