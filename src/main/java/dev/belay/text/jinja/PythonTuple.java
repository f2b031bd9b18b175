package dev.belay.text.jinja;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;

/** Python's tuple: a list that prints in parentheses and equals no list. Its elements may have names. */
final class PythonTuple extends AbstractList<Object> {
    private final List<?> items;
    private final List<String> names;

    PythonTuple(List<?> items) {
        this(items, List.of());
    }

    /** A tuple whose elements are attributes by these names as well. */
    PythonTuple(List<?> items, List<String> names) {
        this.items = items;
        this.names = names;
    }

    static PythonTuple of(Object... items) {
        return new PythonTuple(Arrays.asList(items));
    }

    /** The element of a name; null if there is none. */
    Object attribute(String name) {
        int place = names.indexOf(name);
        return place < 0 ? null : items.get(place);
    }

    @Override
    public Object get(int index) {
        return items.get(index);
    }

    @Override
    public int size() {
        return items.size();
    }
}
