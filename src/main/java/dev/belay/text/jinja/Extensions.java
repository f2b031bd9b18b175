package dev.belay.text.jinja;

import com.hubspot.jinjava.el.ext.NamedParameter;
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
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What transformers adds to Jinja2, and the filters whose Jinjava version differs from Jinja2's. */
final class Extensions {
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
                new NamedFilter("max", (value, _, _) -> extreme(value, 1)),
                new NamedFilter("min", (value, _, _) -> extreme(value, -1)),
                new NamedFilter("unique", Extensions::unique),
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

    /** The test {@code in}, of lists, mappings and strings. */
    static final class InTest implements ExpTest {
        @Override
        public String getName() {
            return "in";
        }

        @Override
        public boolean evaluate(Object value, JinjavaInterpreter interpreter, Object... arguments) {
            return switch (arguments.length == 1 ? arguments[0] : null) {
                case String text -> value instanceof String part && text.contains(part);
                case Collection<?> items -> items.stream().anyMatch(item -> PythonOperators.equal(value, item));
                case Map<?, ?> map -> map.containsKey(value);
                case null, default -> throw new TemplateFailure("the test in needs a list, a mapping or a string");
            };
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
        map.forEach((key, value) -> items.add(PythonTuple.of(key, value)));
        return items;
    }

    /** The largest number or string of a list, or with {@code sign} -1 the smallest; undefined if there is none. */
    private static Object extreme(Object value, int sign) {
        if (!(value instanceof Collection<?> items)) {
            throw new TemplateFailure("max and min need a list");
        }
        return items.stream()
                .map(item -> (Object) item)
                .reduce((a, b) -> sign * compare(b, a) > 0 ? b : a)
                .orElse(null);
    }

    private static int compare(Object a, Object b) {
        if (a instanceof Number left && b instanceof Number right) {
            return Double.compare(left.doubleValue(), right.doubleValue());
        }
        if (a instanceof String left && b instanceof String right) {
            return left.compareTo(right);
        }
        throw new TemplateFailure("cannot compare " + PythonOperators.type(a) + " and " + PythonOperators.type(b));
    }

    /** The items that are the first of their kind; strings are alike whatever their case, unless it is asked for. */
    private static List<Object> unique(Object value, Object[] arguments, Map<String, Object> named) {
        boolean exactly = PythonOperators.truth(argument("case_sensitive", 0, arguments, named));
        Object attribute = argument("attribute", 1, arguments, named);
        Collection<?> items = switch (value) {
            case String text -> text.codePoints().mapToObj(Character::toString).toList();
            case Map<?, ?> map -> map.keySet();
            case Collection<?> list -> list;
            case null, default -> throw new TemplateFailure("unique needs a list, a mapping or a string");
        };
        Set<Object> seen = new HashSet<>();
        List<Object> first = new ArrayList<>();
        for (Object item : items) {
            Object key = hashable(attribute == null ? item : attribute(item, attribute));
            if (seen.add(!exactly && key instanceof String text ? text.toLowerCase(Locale.ROOT) : key)) {
                first.add(item);
            }
        }
        return first;
    }

    /** An attribute by its name, or path of names with dots; undefined if there is none. */
    private static Object attribute(Object item, Object path) {
        Object value = item;
        for (String name : PythonOperators.text(path).split("\\.")) {
            value = value instanceof Map<?, ?> map
                    ? map.get(name)
                    : value instanceof List<?> list && name.matches("\\d{1,9}") && Integer.parseInt(name) < list.size()
                            ? list.get(Integer.parseInt(name))
                            : null;
        }
        return value;
    }

    /** A value of which equal ones in Python are equal in Java. Lists and mappings can be no keys, in tuples each element is counted. */
    private static Object hashable(Object value) {
        Budget.step();
        return switch (value) {
            case Number number -> number.doubleValue() + 0.0;
            case Boolean truth -> truth ? 1.0 : 0.0;
            case PythonTuple tuple -> tuple.stream().map(Extensions::hashable).toList();
            case Collection<?> _ -> throw new TemplateFailure("unique cannot compare lists");
            case Map<?, ?> _ -> throw new TemplateFailure("unique cannot compare mappings");
            case null -> Optional.empty();
            default -> value;
        };
    }

    /** {@code range(stop)}, {@code range(start, stop)} or {@code range(start, stop, step)}. */
    static Object range(Object... arguments) {
        if (arguments.length < 1 || arguments.length > 3) {
            throw new TemplateFailure("range() takes one to three numbers");
        }
        long[] numbers = Arrays.stream(arguments).mapToLong(Extensions::whole).toArray();
        long start = numbers.length == 1 ? 0 : numbers[0];
        long stop = numbers.length == 1 ? numbers[0] : numbers[1];
        long step = numbers.length == 3 ? numbers[2] : 1;
        if (step == 0) {
            throw new TemplateFailure("the step of range() is 0");
        }
        long count = Math.max(0, Math.ceilDiv(stop - start, step));
        Budget.list(count);
        List<Object> range = new ArrayList<>((int) count);
        for (long i = 0; i < count; i++) {
            range.add(start + i * step);
        }
        return range;
    }

    /** A whole number of a size that cannot overflow. */
    private static long whole(Object value) {
        if (value instanceof Boolean truth) {
            return truth ? 1 : 0;
        }
        if (!PythonOperators.isWhole(value) || Math.abs(((Number) value).doubleValue()) > 1L << 60) {
            throw new TemplateFailure("range() takes whole numbers below 2^60, not " + PythonOperators.type(value));
        }
        return ((Number) value).longValue();
    }

    /** {@code dict(name=value, ...)}. */
    static Object dict(Object... arguments) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (Object argument : arguments) {
            if (!(argument instanceof NamedParameter named)) {
                throw new TemplateFailure("dict() takes named values here");
            }
            map.put(named.getName(), named.getValue());
        }
        return Budget.nested(map);
    }

    private static String toJson(Object value, Object[] arguments, Map<String, Object> named) {
        Object indent = argument("indent", 1, arguments, named);
        Object separators = argument("separators", 2, arguments, named);
        int spaces = indent instanceof Number number ? number.intValue() : -1;
        String comma = spaces < 0 ? ", " : ",";
        String colon = ": ";
        if (separators instanceof List<?> pair && pair.size() == 2) {
            comma = PythonOperators.text(pair.get(0));
            colon = PythonOperators.text(pair.get(1));
        }
        boolean ascii = PythonOperators.truth(argument("ensure_ascii", 0, arguments, named));
        boolean sorted = PythonOperators.truth(argument("sort_keys", 3, arguments, named));
        return new PythonJson(spaces, comma, colon, ascii, sorted).write(value);
    }

    private static Object argument(String name, int place, Object[] arguments, Map<String, Object> named) {
        return place < arguments.length ? arguments[place] : named.get(name);
    }

    /** {@code filter}: what it encloses passes the filters that it names. */
    static final class FilterTag implements Tag {
        private static final long serialVersionUID = 1L;

        @Override
        public String getName() {
            return "filter";
        }

        @Override
        public String interpret(TagNode tag, JinjavaInterpreter interpreter) {
            String expression = PythonLiteral.quote(render(tag, interpreter)) + " | " + tag.getHelpers();
            return PythonOperators.text(interpreter.resolveELExpression(expression, tag.getLineNumber()));
        }
    }

    private static String render(TagNode tag, JinjavaInterpreter interpreter) {
        StringBuilder out = new StringBuilder();
        for (Node node : tag.getChildren()) {
            out.append(node.render(interpreter));
        }
        return out.toString();
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
            return render(tag, interpreter);
        }
    }
}
