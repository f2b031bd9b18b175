package dev.belay.text.jinja;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;

/** Python's tuple: a list that prints in parentheses and equals no list. */
final class PythonTuple extends AbstractList<Object> {
    private final List<?> items;

    PythonTuple(List<?> items) {
        this.items = items;
    }

    static PythonTuple of(Object... items) {
        return new PythonTuple(Arrays.asList(items));
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
