package dev.belay.text.jinja;

import java.util.Iterator;
import java.util.function.Supplier;

/** Python's generator or iterator: its items are made when they are asked for, and only once. */
final class PythonIterator implements Iterator<Object> {
    private final Supplier<Iterator<?>> source;
    private Iterator<?> items;

    /** An iterator over what {@code source} gives when the first item is asked for. */
    PythonIterator(Supplier<Iterator<?>> source) {
        this.source = source;
    }

    @Override
    public boolean hasNext() {
        if (items == null) {
            items = source.get();
        }
        return items.hasNext();
    }

    @Override
    public Object next() {
        hasNext();
        Budget.item();
        return items.next();
    }

    @Override
    public String toString() {
        return "<generator object>";
    }
}
