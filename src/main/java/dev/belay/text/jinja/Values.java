package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;

/**
 * The values of a template and what Python can do with all of them. They are strings, {@link Long}, {@link Double}, booleans, None,
 * lists, tuples, ranges, mappings, iterators and {@link Undefined}; never null. Nothing is looked up by reflection, so that a
 * template reaches no other method of Java.
 */
final class Values {
    private static final Set<String> LIST_METHODS = Set.of("index", "count", "copy");
    private static final Set<String> LIST_CHANGING =
            Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

    private Values() {}

    /** An object with attributes, of which null means that there is none of this name. */
    interface HasAttributes {
        Object attribute(String name);
    }

    /** A method of a value, before it is called. */
    private record Method(Object base, String name) implements Callable {
        @Override
        public Object call(Arguments arguments) {
            return switch (base) {
                case String text -> Budget.made(PythonStrings.call(text, name, arguments));
                case Markup markup -> Budget.made(markup.call(name, arguments));
                case Map<?, ?> map -> PythonDict.call(map, name, arguments);
                case List<?> list -> listMethod(list, name, arguments);
                default -> throw new IllegalStateException(name);
            };
        }

        @Override
        public String toString() {
            return "<built-in method " + name + ">";
        }
    }

    /** A value from outside, with all that is inside it, as one of a template. */
    static Object of(Object value) {
        return switch (value) {
            case null -> PythonNone.NONE;
            case Integer number -> (long) number;
            case Short number -> (long) number;
            case Float number -> (double) number;
            case Map<?, ?> map -> {
                Map<Object, Object> copy = new LinkedHashMap<>();
                map.forEach((key, item) -> copy.put(of(key), of(item)));
                yield copy;
            }
            case List<?> list -> {
                List<Object> copy = new ArrayList<>(list.size());
                list.forEach(item -> copy.add(of(item)));
                yield copy;
            }
            default -> value;
        };
    }

    /** Whether a condition with this value holds. */
    static boolean truth(Object value) {
        return switch (value) {
            case Boolean truth -> truth;
            case String text -> !text.isEmpty();
            case Markup markup -> !markup.text().isEmpty();
            case Long number -> number != 0;
            case Double number -> number != 0;
            case PythonNone _, Undefined _ -> false;
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            case PythonDict.View view -> !view.items().isEmpty();
            default -> true;
        };
    }

    /** The items of a value that Python can iterate over. */
    static Iterator<?> iterate(Object value) {
        return switch (Markup.plain(value)) {
            case List<?> list -> list.iterator();
            case Map<?, ?> map -> map.keySet().iterator();
            case String text -> characters(text).iterator();
            case PythonDict.View view -> view.items().iterator();
            case PythonIterator iterator -> iterator;
            case Undefined _ -> Collections.emptyIterator();
            default -> throw new TemplateFailure("cannot go through " + type(value) + ", which is no list");
        };
    }

    static boolean isIterable(Object value) {
        return isSequence(value)
                || value instanceof PythonDict.View
                || value instanceof PythonIterator
                || value instanceof Loop;
    }

    /** Whether it has a length and elements. */
    static boolean isSequence(Object value) {
        return value instanceof List
                || value instanceof Map
                || Markup.plain(value) instanceof String
                || value instanceof Undefined;
    }

    /** A new list of the items of a value. */
    static List<Object> list(Object value) {
        List<Object> list = new ArrayList<>();
        iterate(value).forEachRemaining(list::add);
        return Budget.made(list);
    }

    static long length(Object value) {
        return switch (Markup.plain(value)) {
            case String text -> text.codePointCount(0, text.length());
            case List<?> list -> list.size();
            case Map<?, ?> map -> map.size();
            case PythonDict.View view -> view.items().size();
            case Undefined _ -> 0L;
            case Loop loop -> loop.length();
            default -> throw new TemplateFailure(type(value) + " has no length");
        };
    }

    /** Python's {@code item in container}. */
    static boolean contains(Object container, Object item) {
        return switch (Markup.plain(container)) {
            case String text when Markup.plain(item) instanceof String part -> Search.first(text, part, 0) >= 0;
            case String _ -> throw new TemplateFailure("'in' needs a string in front of a string, not " + type(item));
            case Map<?, ?> map -> PythonDict.get(map, item) != null;
            default -> {
                for (Iterator<?> items = iterate(container); items.hasNext(); ) {
                    if (Operators.equal(items.next(), item)) {
                        yield true;
                    }
                }
                yield false;
            }
        };
    }

    /** {@code base.name}: a method or attribute, or null; never an item. */
    static Object ownAttribute(Object base, String name) {
        return switch (Undefined.check(base)) {
            case String _ when PythonStrings.has(name) -> new Method(base, name);
            case Markup _ when PythonStrings.has(name) -> new Method(base, name);
            case Map<?, ?> _ when PythonDict.METHODS.contains(name) -> new Method(base, name);
            case Map<?, ?> _ when PythonDict.CHANGING.contains(name) -> unchangeable("a mapping", name);
            case PythonTuple tuple when tuple.attribute(name) != null -> tuple.attribute(name);
            case List<?> _ when LIST_METHODS.contains(name) -> new Method(base, name);
            case List<?> list
            when LIST_CHANGING.contains(name) && !(list instanceof PythonTuple) -> unchangeable("a list", name);
            case HasAttributes object -> object.attribute(name);
            default -> null;
        };
    }

    private static Undefined unchangeable(String what, String method) {
        return new Undefined("'" + method + "' would change " + what + ", which a template cannot do");
    }

    /** {@code base.name}: an attribute or else an item; null if there is none. */
    static Object attribute(Object base, String name) {
        Object own = ownAttribute(base, name);
        return own == null && base instanceof Map<?, ?> map ? map.get(name) : own;
    }

    /** {@code base[key]}: an item or else an attribute; null if there is none. */
    static Object item(Object base, Object key) {
        Object item = switch (Markup.plain(Undefined.check(base))) {
            case Map<?, ?> map -> PythonDict.get(map, key);
            case List<?> list -> element(key, list.size(), list::get);
            case String text -> element(key, text.codePointCount(0, text.length()), i -> part(text, i, i + 1));
            default -> null;
        };
        return item == null && Markup.plain(key) instanceof String name
                ? ownAttribute(base, name)
                : base instanceof Markup && item != null ? Markup.like(base, item) : item;
    }

    private static Object element(Object key, int size, IntFunction<?> elements) {
        if (!(key instanceof Long) && !(key instanceof Boolean)) {
            return null;
        }
        long index = Arguments.whole("index", key, 0);
        long place = index < 0 ? index + size : index;
        return place < 0 || place >= size ? null : elements.apply((int) place);
    }

    /** The characters of a string, each as a string. */
    static List<Object> characters(String text) {
        Budget.fitsList(text.codePointCount(0, text.length()));
        List<Object> characters = new ArrayList<>(text.length());
        text.codePoints().forEach(c -> characters.add(Character.toString(c)));
        return characters;
    }

    /** Python's {@code value[start:stop:step]}; None stands for a part that is left out. */
    static Object slice(Object value, Object start, Object stop, Object step) {
        return Budget.made(
                switch (Undefined.check(value)) {
                    case Markup markup -> Markup.like(markup, slice(markup.text(), start, stop, step));
                    case String text -> String.join("", strings(text, start, stop, step));
                    case PythonTuple tuple -> new PythonTuple(slice(tuple, start, stop, step));
                    case List<?> list -> slice(list, start, stop, step);
                    default -> throw new TemplateFailure(type(value) + " has no slices");
                });
    }

    private static List<Object> slice(List<?> items, Object start, Object stop, Object step) {
        int by = bound(step, 1);
        if (by == 0) {
            throw new TemplateFailure("a slice has step 0");
        }
        int low = by > 0 ? 0 : -1;
        int high = by > 0 ? items.size() : items.size() - 1;
        int from = place(start, by > 0 ? low : high, items.size(), low, high);
        int to = place(stop, by > 0 ? high : low, items.size(), low, high);
        List<Object> taken = new ArrayList<>();
        for (long i = from; by > 0 ? i < to : i > to; i += by) {
            taken.add(items.get((int) i));
        }
        return taken;
    }

    private static List<String> strings(String text, Object start, Object stop, Object step) {
        if (bound(step, 1) == 1) {
            int size = text.codePointCount(0, text.length());
            int from = place(start, 0, size, 0, size);
            return List.of(part(text, from, Math.max(from, place(stop, size, size, 0, size))));
        }
        return slice(characters(text), start, stop, step).stream()
                .map(String.class::cast)
                .toList();
    }

    /** The characters from {@code start} to before {@code stop}. */
    private static String part(String text, int start, int stop) {
        int from = text.offsetByCodePoints(0, start);
        return text.substring(from, text.offsetByCodePoints(from, stop - start));
    }

    private static int bound(Object value, int missing) {
        return value == PythonNone.NONE ? missing : Arguments.whole("slice", value, missing);
    }

    private static int place(Object given, int missing, int size, int low, int high) {
        if (given == PythonNone.NONE) {
            return missing;
        }
        long bound = bound(given, missing);
        return Math.clamp(bound < 0 ? bound + size : bound, low, high);
    }

    private static Object listMethod(List<?> list, String method, Arguments arguments) {
        if (method.equals("copy")) {
            arguments.ordered(method, 0, 0);
            return list(list);
        }
        Object item = arguments.ordered(method, 1, 1)[0];
        if (method.equals("count")) {
            return list.stream().filter(other -> Operators.equal(other, item)).count();
        }
        for (int i = 0; i < list.size(); i++) {
            if (Operators.equal(list.get(i), item)) {
                return (long) i;
            }
        }
        throw new TemplateFailure("index() finds no such element in the list");
    }

    /** The kind of a value in words. */
    static String type(Object value) {
        return switch (value) {
            case Undefined _ -> "an undefined value";
            case PythonNone _ -> "None";
            case String _, Markup _ -> "a string";
            case Number _ -> "a number";
            case Boolean _ -> "a boolean";
            case PythonTuple _ -> "a tuple";
            case List<?> _ -> "a list";
            case Map<?, ?> _ -> "a mapping";
            case Callable _ -> "a function";
            case PythonIterator _ -> "an iterator";
            default -> "an object";
        };
    }
}
