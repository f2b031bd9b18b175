package dev.belay.text.jinja;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** The tests, which stand behind {@code is}. */
final class Tests {
    private interface Test {
        boolean holds(Object value, Arguments arguments);
    }

    private static final Map<String, Test> ALL = all();

    private Tests() {}

    private static Map<String, Test> all() {
        Map<String, Test> all = new HashMap<>();
        plain(all, "boolean", value -> value instanceof Boolean);
        plain(all, "callable", value -> value instanceof Callable || value instanceof Undefined);
        plain(all, "defined", value -> !(value instanceof Undefined));
        plain(all, "escaped", value -> value instanceof Markup);
        plain(
                all,
                "even",
                value -> remainder(value, 2L).equals(0L) || remainder(value, 2L).equals(0.0));
        plain(all, "false", value -> value.equals(false));
        plain(all, "filter", value -> Markup.plain(value) instanceof String name && Filter.ALL.containsKey(name));
        plain(all, "float", value -> value instanceof Double);
        plain(all, "integer", value -> value instanceof Long);
        plain(all, "iterable", Values::isIterable);
        plain(all, "lower", value -> PythonStrings.isLower(PythonText.str(value)));
        plain(all, "mapping", value -> value instanceof Map);
        plain(all, "none", value -> value == PythonNone.NONE);
        plain(all, "number", value -> Operators.number(value) != null);
        plain(
                all,
                "odd",
                value -> remainder(value, 2L).equals(1L) || remainder(value, 2L).equals(1.0));
        plain(all, "sequence", Values::isSequence);
        plain(all, "string", value -> Markup.plain(value) instanceof String);
        plain(all, "test", value -> Markup.plain(value) instanceof String name && exists(name));
        plain(all, "true", value -> value.equals(true));
        plain(all, "undefined", value -> value instanceof Undefined);
        plain(all, "upper", value -> PythonStrings.isUpper(PythonText.str(value)));
        all.put("divisibleby", (value, a) -> Operators.equal(remainder(value, a.bind("divisibleby", 1, "num")[0]), 0L));
        all.put("in", (value, a) -> Values.contains(a.bind("in", 1, "seq")[0], value));
        all.put("sameas", (value, a) -> same(value, a.bind("sameas", 1, "other")[0]));
        comparison(all, "==", "eq", "equalto");
        comparison(all, "!=", "ne");
        comparison(all, "<", "lt", "lessthan");
        comparison(all, "<=", "le");
        comparison(all, ">", "gt", "greaterthan");
        comparison(all, ">=", "ge");
        return all;
    }

    private static void plain(Map<String, Test> all, String name, Predicate<Object> test) {
        all.put(name, (value, arguments) -> {
            arguments.bind(name, 0);
            return test.test(value);
        });
    }

    private static void comparison(Map<String, Test> all, String sign, String... names) {
        Test test = (value, a) -> Operators.compare(sign, value, a.ordered("a comparison", 1, 1)[0]);
        all.put(sign, test);
        List.of(names).forEach(name -> all.put(name, test));
    }

    private static Object remainder(Object value, Object by) {
        return Operators.apply("%", value, by);
    }

    /** Python's {@code a is b}, but values that are no lists or mappings are the same if they are equal. */
    private static boolean same(Object a, Object b) {
        boolean plain = a instanceof String || a instanceof Number || a instanceof Boolean;
        return a == b || plain && a.equals(b);
    }

    static boolean exists(String name) {
        return ALL.containsKey(name);
    }

    static boolean test(String name, Object value, Arguments arguments) {
        Test test = ALL.get(name);
        if (test == null) {
            throw new TemplateFailure("there is no test '" + name + "'");
        }
        Budget.item();
        return test.holds(value, arguments);
    }
}
