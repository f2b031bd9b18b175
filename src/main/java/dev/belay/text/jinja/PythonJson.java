package dev.belay.text.jinja;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** Writes JSON as Python's {@code json.dumps} does with these options; {@code indent < 0} means on one line. */
record PythonJson(int indent, String comma, String colon, boolean ascii, boolean sorted) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern BEYOND_ASCII = Pattern.compile("[^\\x00-\\x7f]");

    String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, 0, out);
        return out.toString();
    }

    private void write(Object value, int depth, StringBuilder out) {
        switch (value) {
            case Map<?, ?> map -> {
                List<Map.Entry<?, ?>> entries = new ArrayList<>(map.entrySet());
                if (sorted) {
                    entries.sort(Comparator.comparing(e -> String.valueOf(e.getKey())));
                }
                List<Runnable> parts = new ArrayList<>();
                entries.forEach(e -> parts.add(() -> {
                    write(String.valueOf(e.getKey()), depth, out);
                    out.append(colon);
                    write(e.getValue(), depth + 1, out);
                }));
                enclosed('{', parts, '}', depth, out);
            }
            case Iterable<?> list -> {
                List<Runnable> parts = new ArrayList<>();
                list.forEach(item -> parts.add(() -> write(item, depth + 1, out)));
                enclosed('[', parts, ']', depth, out);
            }
            case PythonNone _ -> out.append("null");
            case Double number -> out.append(PythonText.str(number));
            case null, default -> {
                try {
                    String text = JSON.writeValueAsString(value);
                    out.append(ascii ? BEYOND_ASCII.matcher(text).replaceAll(PythonJson::escaped) : text);
                } catch (JsonProcessingException e) {
                    throw new TemplateFailure(
                            "tojson cannot write a " + value.getClass().getSimpleName());
                }
            }
        }
    }

    /** A character as its UTF-16 units. */
    private static String escaped(MatchResult character) {
        StringBuilder out = new StringBuilder();
        for (char unit : character.group().toCharArray()) {
            out.append(String.format("\\\\u%04x", (int) unit));
        }
        return out.toString();
    }

    private void enclosed(char open, List<Runnable> parts, char close, int depth, StringBuilder out) {
        out.append(open);
        for (int i = 0; i < parts.size(); i++) {
            Budget.fits(out.length());
            out.append(i == 0 ? "" : comma);
            out.append(indent < 0 ? "" : "\n" + " ".repeat(indent * (depth + 1)));
            parts.get(i).run();
        }
        out.append(indent < 0 || parts.isEmpty() ? "" : "\n" + " ".repeat(indent * depth));
        out.append(close);
    }
}
