package dev.belay.text.jinja;

import static java.util.Map.entry;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** The filters of lists, mappings and whatever has items. */
final class ListFilters {
    static final Map<String, Filter> ALL = Map.ofEntries(
            entry("attr", (value, a) -> {
                String name = PythonText.str(a.bind("attr", 1, "name")[0]);
                Object own = Values.ownAttribute(value, name);
                return own == null ? Undefined.of(name) : own;
            }),
            entry("batch", ListFilters::batch),
            entry("count", ListFilters::length),
            entry("d", ListFilters::defaultValue),
            entry("default", ListFilters::defaultValue),
            entry("dictsort", ListFilters::sortedItems),
            entry("first", (value, a) -> {
                a.bind("first", 0);
                Iterator<?> items = Values.iterate(value);
                return items.hasNext() ? items.next() : new Undefined("the first item of an empty list is undefined");
            }),
            entry("groupby", ListFilters::groups),
            entry("items", (value, a) -> {
                a.bind("items", 0);
                if (!(value instanceof Map) && !(value instanceof Undefined)) {
                    throw new TemplateFailure("items needs a mapping, not " + Values.type(value));
                }
                List<?> items = value instanceof Map<?, ?> map ? PythonDict.items(map) : List.of();
                return new PythonIterator(items::iterator);
            }),
            entry("join", (value, a) -> {
                Object[] given = a.bind("join", 0, "d", "attribute");
                UnaryOperator<Object> attribute = attribute(given[1], null);
                List<String> parts = new ArrayList<>();
                Values.iterate(value).forEachRemaining(item -> parts.add(PythonText.str(attribute.apply(item))));
                return PythonStrings.joined(given[0] == null ? "" : PythonText.str(given[0]), parts);
            }),
            entry("last", (value, a) -> {
                a.bind("last", 0);
                Iterator<?> items = reversed(value);
                return items.hasNext() ? items.next() : new Undefined("the last item of an empty list is undefined");
            }),
            entry("length", ListFilters::length),
            entry("list", (value, a) -> {
                a.bind("list", 0);
                return Values.list(value);
            }),
            entry("map", ListFilters::map),
            entry("max", (value, a) -> extreme("max", value, a)),
            entry("min", (value, a) -> extreme("min", value, a)),
            entry("reject", (value, a) -> chosen(value, a, false, false)),
            entry("rejectattr", (value, a) -> chosen(value, a, true, false)),
            entry("reverse", (value, a) -> {
                a.bind("reverse", 0);
                if (Markup.plain(value) instanceof String) {
                    return Values.slice(value, PythonNone.NONE, PythonNone.NONE, -1L);
                }
                Iterator<?> items = value instanceof PythonIterator
                        ? Values.list(value).reversed().iterator()
                        : reversed(value);
                return new PythonIterator(() -> items);
            }),
            entry("select", (value, a) -> chosen(value, a, false, true)),
            entry("selectattr", (value, a) -> chosen(value, a, true, true)),
            entry("slice", ListFilters::slices),
            entry("sort", ListFilters::sorted),
            entry("sum", ListFilters::sum),
            entry("unique", ListFilters::unique));

    private ListFilters() {}

    private static Object length(Object value, Arguments arguments) {
        arguments.bind("length", 0);
        return Values.length(value);
    }

    private static Object defaultValue(Object value, Arguments arguments) {
        Object[] given = arguments.bind("default", 0, "default_value", "boolean");
        boolean falsy = given[1] != null && Values.truth(given[1]);
        boolean missing = value instanceof Undefined || falsy && !Values.truth(value);
        return missing ? given[0] == null ? "" : given[0] : value;
    }

    /** The items from the last to the first. */
    private static Iterator<?> reversed(Object value) {
        return switch (value) {
            case PythonIterator _ -> throw new TemplateFailure("an iterator has no last item; make it a list first");
            case List<?> list -> list.reversed().iterator();
            default -> Values.list(value).reversed().iterator();
        };
    }

    private static Stream<Object> stream(Object value) {
        Iterable<Object> items = () -> {
            Iterator<?> iterator = Values.iterate(value);
            return new PythonIterator(() -> iterator);
        };
        return StreamSupport.stream(items.spliterator(), false);
    }

    /** A lazy filter, whose items are those of a stream that begins when the first is asked for. */
    private static PythonIterator lazy(java.util.function.Supplier<Stream<?>> stream) {
        return new PythonIterator(() -> stream.get().iterator());
    }

    /**
     * The attribute of an item by its name, place or path with dots; the item itself if there is no such argument.
     *
     * @param otherwise for what is undefined; null leaves it so
     */
    private static UnaryOperator<Object> attribute(Object path, Object otherwise) {
        if (path == null || path == PythonNone.NONE) {
            return UnaryOperator.identity();
        }
        List<Object> keys = new ArrayList<>();
        if (path instanceof String text) {
            for (String part : text.split("\\.", -1)) {
                keys.add(part.matches("\\d{1,9}") ? (Object) Long.parseLong(part) : part);
            }
        } else {
            keys.add(path);
        }
        return item -> {
            Object value = item;
            for (Object key : keys) {
                Object found = Values.item(value, key);
                value = found == null ? Undefined.of(PythonText.str(key)) : found;
                value = value instanceof Undefined && otherwise != null ? otherwise : value;
            }
            return value;
        };
    }

    /** A key for comparisons: strings are alike whatever their case, unless it is asked for. */
    private static UnaryOperator<Object> key(UnaryOperator<Object> attribute, Object caseSensitive) {
        boolean exactly = caseSensitive != null && Values.truth(caseSensitive);
        return exactly ? attribute : item -> lower(attribute.apply(item));
    }

    private static Object lower(Object value) {
        return Markup.plain(value) instanceof String text ? text.toLowerCase(Locale.ROOT) : value;
    }

    private static Object map(Object value, Arguments arguments) {
        UnaryOperator<Object> function;
        if (arguments.positional().isEmpty() && arguments.named().containsKey("attribute")) {
            Object[] given = arguments.bind("map", 1, "attribute", "default");
            function = attribute(given[0], given[1] == PythonNone.NONE ? null : given[1]);
        } else if (arguments.positional().isEmpty()) {
            throw new TemplateFailure("map needs the name of a filter or an attribute");
        } else {
            String name = PythonText.str(arguments.positional().getFirst());
            Arguments rest = arguments.from(1);
            function = item -> Filter.apply(name, item, rest);
        }
        return lazy(() -> Values.truth(value) ? stream(value).map(function) : Stream.empty());
    }

    private static Object chosen(Object value, Arguments arguments, boolean byAttribute, boolean wanted) {
        List<Object> given = arguments.positional();
        int first = byAttribute ? 1 : 0;
        if (given.size() < first) {
            throw new TemplateFailure("selectattr and rejectattr need the name of an attribute");
        }
        UnaryOperator<Object> attribute = attribute(byAttribute ? given.getFirst() : null, null);
        Predicate<Object> holds;
        if (given.size() == first) {
            holds = item -> Values.truth(attribute.apply(item));
        } else {
            String name = PythonText.str(given.get(first));
            Arguments rest = arguments.from(first + 1);
            holds = item -> Tests.test(name, attribute.apply(item), rest);
        }
        return lazy(
                () -> Values.truth(value) ? stream(value).filter(item -> holds.test(item) == wanted) : Stream.empty());
    }

    private static Object extreme(String name, Object value, Arguments arguments) {
        Object[] given = arguments.bind(name, 0, "case_sensitive", "attribute");
        UnaryOperator<Object> key = key(attribute(given[1], null), given[0]);
        String better = name.equals("max") ? ">" : "<";
        return stream(value)
                .reduce((a, b) -> Operators.compare(better, key.apply(b), key.apply(a)) ? b : a)
                .orElse(new Undefined("the " + name + " of an empty list is undefined"));
    }

    private static Object sorted(Object value, Arguments arguments) {
        Object[] given = arguments.bind("sort", 0, "reverse", "case_sensitive", "attribute");
        List<UnaryOperator<Object>> keys = new ArrayList<>();
        if (given[2] instanceof String names) {
            for (String name : names.split(",", -1)) {
                keys.add(key(attribute(name, null), given[1]));
            }
        } else {
            keys.add(key(attribute(given[2], null), given[1]));
        }
        UnaryOperator<Object> all = item ->
                new PythonTuple(keys.stream().map(key -> key.apply(item)).toList());
        return sorted(Values.list(value), all, given[0]);
    }

    /** Sorts stably, as Python does with {@code reverse} too. */
    private static List<Object> sorted(List<Object> items, UnaryOperator<Object> key, Object reverse) {
        boolean descending = reverse != null && Values.truth(reverse);
        record Keyed(Object key, Object item) {}
        List<Keyed> keyed = new ArrayList<>();
        items.forEach(item -> keyed.add(new Keyed(key.apply(item), item)));
        Comparator<Keyed> order = (a, b) -> Operators.order(a.key(), b.key());
        try {
            keyed.sort(descending ? order.reversed() : order);
        } catch (IllegalArgumentException e) {
            // NaN has no order; any will do.
        }
        List<Object> sorted = new ArrayList<>();
        keyed.forEach(one -> sorted.add(one.item()));
        return sorted;
    }

    private static Object sortedItems(Object value, Arguments arguments) {
        Object[] given = arguments.bind("dictsort", 0, "case_sensitive", "by", "reverse");
        Object by = given[1] == null ? "key" : given[1];
        if (!by.equals("key") && !by.equals("value")) {
            throw new TemplateFailure("dictsort sorts by key or by value");
        }
        if (!(Undefined.check(value) instanceof Map<?, ?> map)) {
            throw new TemplateFailure("dictsort needs a mapping, not " + Values.type(value));
        }
        UnaryOperator<Object> key = key(attribute(by.equals("key") ? 0L : 1L, null), given[0]);
        return sorted(PythonDict.items(map), key, given[2]);
    }

    private static Object groups(Object value, Arguments arguments) {
        Object[] given = arguments.bind("groupby", 1, "attribute", "default", "case_sensitive");
        Object otherwise = given[1] == PythonNone.NONE ? null : given[1];
        UnaryOperator<Object> attribute = attribute(given[0], otherwise);
        UnaryOperator<Object> key = key(attribute, given[2]);
        List<Object> groups = new ArrayList<>();
        Object last = null;
        List<Object> group = null;
        for (Object item : sorted(Values.list(value), key, false)) {
            Object own = key.apply(item);
            if (group == null || !Operators.equal(own, last)) {
                group = new ArrayList<>();
                groups.add(new PythonTuple(List.of(attribute.apply(item), group), List.of("grouper", "list")));
                last = own;
            }
            group.add(item);
        }
        return groups;
    }

    private static Object sum(Object value, Arguments arguments) {
        Object[] given = arguments.bind("sum", 0, "attribute", "start");
        UnaryOperator<Object> attribute = attribute(given[0], null);
        Object sum = given[1] == null ? (Object) 0L : given[1];
        if (sum instanceof String) {
            throw new TemplateFailure("sum adds no strings; use join");
        }
        for (Iterator<?> items = Values.iterate(value); items.hasNext(); ) {
            sum = Operators.apply("+", sum, attribute.apply(items.next()));
        }
        return sum;
    }

    /** The items that are the first of their kind. */
    private static Object unique(Object value, Arguments arguments) {
        Object[] given = arguments.bind("unique", 0, "case_sensitive", "attribute");
        UnaryOperator<Object> key = key(attribute(given[1], null), given[0]);
        Set<Object> seen = new HashSet<>();
        return lazy(() -> stream(value).filter(item -> seen.add(hashable(key.apply(item)))));
    }

    /** A value of which equal ones in Python are equal in Java. */
    private static Object hashable(Object value) {
        PythonDict.hashable(value);
        if (value instanceof Undefined) {
            return Undefined.class;
        }
        Number number = Operators.number(value);
        return number != null
                ? (Object) (number.doubleValue() + 0.0)
                : value instanceof PythonTuple tuple
                        ? tuple.stream().map(ListFilters::hashable).toList()
                        : Markup.plain(value);
    }

    private static Object batch(Object value, Arguments arguments) {
        Object[] given = arguments.bind("batch", 1, "linecount", "fill_with");
        int size = Arguments.whole("batch", given[0], 1);
        Budget.list(Math.abs((long) size));
        List<Object> rows = new ArrayList<>();
        List<Object> row = new ArrayList<>();
        for (Object item : Values.list(value)) {
            if (row.size() == size) {
                rows.add(row);
                row = new ArrayList<>();
            }
            row.add(item);
        }
        if (!row.isEmpty()) {
            filled(row, size - row.size(), given[1]);
            rows.add(row);
        }
        return new PythonIterator(rows::iterator);
    }

    private static Object slices(Object value, Arguments arguments) {
        Object[] given = arguments.bind("slice", 1, "slices", "fill_with");
        int count = Arguments.whole("slice", given[0], 1);
        if (count == 0) {
            throw new TemplateFailure("slice makes at least one slice");
        }
        Budget.list(Math.abs((long) count));
        List<Object> items = Values.list(value);
        List<Object> slices = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < count; i++) {
            boolean longer = i < items.size() % count;
            int end = start + items.size() / count + (longer ? 1 : 0);
            List<Object> slice = new ArrayList<>(items.subList(start, end));
            filled(slice, longer ? 0 : 1, given[1]);
            slices.add(slice);
            start = end;
        }
        return new PythonIterator(slices::iterator);
    }

    private static void filled(List<Object> row, int missing, Object with) {
        if (with != null && with != PythonNone.NONE) {
            row.addAll(Collections.nCopies(Math.max(0, missing), with));
        }
    }
}
