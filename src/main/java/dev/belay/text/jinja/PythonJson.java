package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Writes JSON as Python's {@code json.dumps} does with these options; without an indent on one line. */
record PythonJson(String indent, String comma, String colon, boolean ascii, boolean sorted) {
    /** The filter {@code tojson} of transformers, which escapes no HTML. */
    static String filter(Object value, Arguments arguments) {
        Object[] given = arguments.bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        String indent = indent(given[1]);
        String comma = indent == null ? ", " : ",";
        String colon = ": ";
        if (given[2] instanceof List<?> pair && pair.size() == 2) {
            comma = Arguments.string("tojson", pair.get(0));
            colon = Arguments.string("tojson", pair.get(1));
        } else if (given[2] != null && given[2] != PythonNone.NONE) {
            throw new TemplateFailure("the separators of tojson are two strings");
        }
        boolean ascii = given[0] != null && Values.truth(given[0]);
        boolean sorted = given[3] != null && Values.truth(given[3]);
        StringBuilder out = new StringBuilder();
        new PythonJson(indent, comma, colon, ascii, sorted).write(value, 0, out);
        return out.toString();
    }

    private static String indent(Object given) {
        if (given == null || given == PythonNone.NONE) {
            return null;
        }
        if (given instanceof String text) {
            return text;
        }
        int spaces = Math.max(0, Arguments.whole("tojson", given, 0));
        Budget.list(spaces);
        return " ".repeat(spaces);
    }

    private void write(Object value, int depth, StringBuilder out) {
        switch (value) {
            case Map<?, ?> map -> {
                List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
                if (sorted) {
                    entries.sort((a, b) -> Operators.order(a.getKey(), b.getKey()));
                }
                List<Runnable> parts = new ArrayList<>();
                entries.forEach(entry -> parts.add(() -> {
                    quote(key(entry.getKey()), out);
                    out.append(colon);
                    write(entry.getValue(), depth + 1, out);
                }));
                enclosed('{', parts, '}', depth, out);
            }
            case List<?> list
            when !(value instanceof PythonRange) -> {
                List<Runnable> parts = new ArrayList<>();
                list.forEach(item -> parts.add(() -> write(item, depth + 1, out)));
                enclosed('[', parts, ']', depth, out);
            }
            case String text -> quote(text, out);
            case Markup markup -> quote(markup.text(), out);
            case Long _, Double _, Boolean _, PythonNone _ -> out.append(plain(value));
            default -> throw new TemplateFailure("tojson cannot write " + Values.type(Undefined.check(value)));
        }
    }

    private static String key(Object key) {
        return switch (key) {
            case String text -> text;
            case Long _, Double _, Boolean _, PythonNone _ -> plain(key);
            default -> throw new TemplateFailure("tojson cannot write " + Values.type(key) + " as a key");
        };
    }

    private static String plain(Object value) {
        return switch (value) {
            case PythonNone _ -> "null";
            case Boolean truth -> truth ? "true" : "false";
            case Double number when number.isNaN() -> "NaN";
            case Double number when number.isInfinite() -> number > 0 ? "Infinity" : "-Infinity";
            default -> PythonText.str(value);
        };
    }

    private void quote(String text, StringBuilder out) {
        out.append('"');
        for (char c : text.toCharArray()) {
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < ' ' || ascii && c > '~') {
                        out.append(String.format("\\u%04x", (int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    private void enclosed(char open, List<Runnable> parts, char close, int depth, StringBuilder out) {
        out.append(open);
        for (int i = 0; i < parts.size(); i++) {
            Budget.fits(out.length());
            out.append(i == 0 ? "" : comma);
            out.append(indent == null ? "" : "\n" + indent.repeat(depth + 1));
            parts.get(i).run();
        }
        out.append(indent == null || parts.isEmpty() ? "" : "\n" + indent.repeat(depth));
        out.append(close);
    }
}
