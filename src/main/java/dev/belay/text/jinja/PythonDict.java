package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Python's {@code dict} on Java maps, in which a number and a boolean that are equal are the same key. */
final class PythonDict {
    /** The methods that there are; a template cannot change a mapping. */
    static final Set<String> METHODS = Set.of("get", "items", "keys", "values", "copy");

    static final Set<String> CHANGING = Set.of("clear", "pop", "popitem", "setdefault", "update");

    private PythonDict() {}

    /** What {@code keys()}, {@code values()} and {@code items()} return: it can be gone through any number of times. */
    record View(String name, List<Object> items) {}

    /** The value of a key; null if there is none. */
    static Object get(Map<?, ?> map, Object key) {
        Object value = map.get(Markup.plain(key));
        if (value == null && Operators.number(key) != null) {
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                if (Operators.equal(entry.getKey(), key)) {
                    return entry.getValue();
                }
            }
        }
        return value;
    }

    /** Puts a value under a key, in place of that of an equal key. */
    static void put(Map<Object, Object> map, Object key, Object value) {
        hashable(key);
        Object same = Markup.plain(key);
        if (Operators.number(key) != null) {
            same = map.keySet().stream()
                    .filter(other -> Operators.equal(other, key))
                    .findFirst()
                    .orElse(key);
        }
        map.put(same, value);
    }

    /** Checks that a value can be a key: no list and no mapping, in tuples as well. */
    static void hashable(Object value) {
        Budget.step();
        switch (value) {
            case PythonTuple tuple -> tuple.forEach(PythonDict::hashable);
            case PythonRange _ -> {}
            case List<?> _ -> throw new TemplateFailure("cannot compare lists as keys");
            case Map<?, ?> _ -> throw new TemplateFailure("cannot compare mappings as keys");
            default -> {}
        }
    }

    static Object call(Map<?, ?> map, String method, Arguments arguments) {
        if (method.equals("get")) {
            Object[] given = arguments.ordered(method, 1, 2);
            Object value = get(map, given[0]);
            return value != null ? value : given[1] != null ? given[1] : PythonNone.NONE;
        }
        arguments.ordered(method, 0, 0);
        return switch (method) {
            case "items" -> new View("dict_items", items(map));
            case "keys" -> new View("dict_keys", Budget.made(new ArrayList<>(map.keySet())));
            case "values" -> new View("dict_values", Budget.made(new ArrayList<>(map.values())));
            default -> Budget.nested(new LinkedHashMap<>(map));
        };
    }

    /** The keys with their values, as tuples. */
    static List<Object> items(Map<?, ?> map) {
        List<Object> items = new ArrayList<>();
        map.forEach((key, value) -> items.add(PythonTuple.of(key, value)));
        return Budget.made(items);
    }

    /** {@code dict(mapping or pairs, name=value, ...)}. */
    static Map<Object, Object> of(Arguments arguments) {
        Map<Object, Object> map = new LinkedHashMap<>();
        Object first = new Arguments(arguments.positional(), Map.of()).ordered("dict", 0, 1)[0];
        if (first instanceof Undefined undefined) {
            throw undefined.failure();
        }
        if (first instanceof Map<?, ?> other) {
            map.putAll(other);
        } else if (first != null) {
            Values.iterate(first).forEachRemaining(pair -> {
                List<Object> both = Values.list(pair);
                if (both.size() != 2) {
                    throw new TemplateFailure("dict() needs pairs of a key and a value");
                }
                put(map, both.get(0), both.get(1));
            });
        }
        map.putAll(arguments.named());
        return Budget.nested(map);
    }
}
