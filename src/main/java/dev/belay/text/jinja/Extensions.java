package dev.belay.text.jinja;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.AdvancedFilter;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.tag.IfTag;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.objects.date.StrftimeFormatter;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What transformers adds to Jinja2, and the filters whose Jinjava version differs from Jinja2's. */
final class Extensions {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Extensions() {}

    /** A filter from its name and a function of the value, the positional and the named arguments. */
    private record NamedFilter(String name, Body body) implements AdvancedFilter {
        interface Body {
            Object apply(Object value, Object[] arguments, Map<String, Object> named);
        }

        @Override
        public String getName() {
            return name;
        }

        @Override
        public Object filter(
                Object value, JinjavaInterpreter interpreter, Object[] arguments, Map<String, Object> named) {
            return body.apply(value, arguments, named);
        }
    }

    static List<Filter> filters() {
        return List.of(
                new NamedFilter("tojson", Extensions::toJson),
                new NamedFilter("default", Extensions::defaultValue),
                new NamedFilter("d", Extensions::defaultValue),
                new NamedFilter(
                        "trim",
                        (value, arguments, _) -> PythonStrings.call(PythonOperators.text(value), "strip", arguments)),
                new NamedFilter(
                        "replace",
                        (value, arguments, _) -> PythonStrings.call(PythonOperators.text(value), "replace", arguments)),
                new NamedFilter("string", (value, _, _) -> PythonOperators.text(value)),
                new NamedFilter("items", (value, _, _) -> value instanceof Map<?, ?> map ? items(map) : List.of()));
    }

    /** The test {@code none}, which an undefined value does not pass. */
    static final class NoneTest implements ExpTest {
        @Override
        public String getName() {
            return "none";
        }

        @Override
        public boolean evaluate(Object value, JinjavaInterpreter interpreter, Object... arguments) {
            return value == PythonNone.NONE;
        }
    }

    /** The tag {@code if}, by Python's idea of truth. */
    static final class ConditionTag extends IfTag {
        private static final long serialVersionUID = 1L;

        @Override
        public boolean isPositiveIfElseNode(TagNode tag, JinjavaInterpreter interpreter) {
            return PythonOperators.truth(interpreter.resolveELExpression(tag.getHelpers(), tag.getLineNumber()));
        }
    }

    /** {@code raise_exception(message)}: the template refuses these messages. */
    static Object raiseException(Object message) {
        throw new TemplateFailure("the template refuses these messages: " + message);
    }

    /** {@code strftime_now(format)}: the local time now. */
    static String strftimeNow(String format) {
        return StrftimeFormatter.format(ZonedDateTime.now(), format, Locale.ENGLISH);
    }

    private static Object defaultValue(Object value, Object[] arguments, Map<String, Object> named) {
        Object other = arguments.length > 0 ? arguments[0] : named.getOrDefault("default_value", "");
        Object falsy = arguments.length > 1 ? arguments[1] : named.get("boolean");
        boolean missing = value == null || PythonOperators.truth(falsy) && !PythonOperators.truth(value);
        return missing ? other : value;
    }

    private static List<Object> items(Map<?, ?> map) {
        List<Object> items = new ArrayList<>();
        map.forEach((key, value) -> items.add(List.of(key, value)));
        return items;
    }

    private static String toJson(Object value, Object[] arguments, Map<String, Object> named) {
        Object indent = named.get("indent");
        StringBuilder out = new StringBuilder();
        json(value, indent instanceof Number number ? number.intValue() : -1, 0, out);
        return out.toString();
    }

    /** Writes JSON with the separators of Python's json.dumps; {@code indent < 0} means on one line. */
    private static void json(Object value, int indent, int depth, StringBuilder out) {
        switch (value) {
            case Map<?, ?> map -> {
                List<Runnable> parts = new ArrayList<>();
                map.forEach((key, item) -> parts.add(() -> {
                    json(String.valueOf(key), indent, depth, out);
                    out.append(": ");
                    json(item, indent, depth + 1, out);
                }));
                enclosed('{', parts, '}', indent, depth, out);
            }
            case Iterable<?> list -> {
                List<Runnable> parts = new ArrayList<>();
                list.forEach(item -> parts.add(() -> json(item, indent, depth + 1, out)));
                enclosed('[', parts, ']', indent, depth, out);
            }
            case PythonNone _ -> out.append("null");
            case null, default -> {
                try {
                    out.append(JSON.writeValueAsString(value));
                } catch (JsonProcessingException e) {
                    throw new TemplateFailure(
                            "tojson cannot write a " + value.getClass().getSimpleName());
                }
            }
        }
    }

    private static void enclosed(
            char open, List<Runnable> parts, char close, int indent, int depth, StringBuilder out) {
        out.append(open);
        for (int i = 0; i < parts.size(); i++) {
            out.append(i == 0 ? "" : indent < 0 ? ", " : ",");
            out.append(indent < 0 ? "" : "\n" + " ".repeat(indent * (depth + 1)));
            parts.get(i).run();
        }
        out.append(indent < 0 || parts.isEmpty() ? "" : "\n" + " ".repeat(indent * depth));
        out.append(close);
    }

    /** {@code generation}: marks what an assistant wrote; it changes nothing in the text. */
    static final class GenerationTag implements Tag {
        private static final long serialVersionUID = 1L;

        @Override
        public String getName() {
            return "generation";
        }

        @Override
        public String interpret(TagNode tag, JinjavaInterpreter interpreter) {
            StringBuilder out = new StringBuilder();
            for (Node node : tag.getChildren()) {
                out.append(node.render(interpreter));
            }
            return out.toString();
        }
    }
}
