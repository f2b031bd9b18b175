package dev.belay.text.jinja;

import java.util.List;
import java.util.function.BiFunction;

/** The variable {@code loop} of a {@code for}; that of a recursive one can be called with the items of the next level. */
final class Loop implements Values.HasAttributes, Callable {
    /** Most levels of a recursive loop. */
    private static final int MOST_LEVELS = 100;

    private final List<Object> items;
    private final long depth;
    private final BiFunction<Object, Long, String> inner;
    private int index = -1;
    private Object changed;

    /** @param inner renders a loop over the given items at the given depth; null if the loop is not recursive */
    Loop(List<Object> items, long depth, BiFunction<Object, Long, String> inner) {
        if (depth >= MOST_LEVELS) {
            throw new TemplateFailure("a loop recurs more than " + MOST_LEVELS + " times");
        }
        this.items = items;
        this.depth = depth;
        this.inner = inner;
    }

    boolean hasNext() {
        return index + 1 < items.size();
    }

    Object next() {
        Budget.step();
        return items.get(++index);
    }

    long length() {
        return items.size();
    }

    @Override
    public Object attribute(String name) {
        return switch (name) {
            case "index" -> index + 1L;
            case "index0" -> (long) index;
            case "revindex" -> (long) items.size() - index;
            case "revindex0" -> items.size() - index - 1L;
            case "first" -> index == 0;
            case "last" -> index == items.size() - 1;
            case "length" -> length();
            case "depth" -> depth + 1;
            case "depth0" -> depth;
            case "previtem" -> index > 0 ? items.get(index - 1) : new Undefined("the first turn has no previous item");
            case "nextitem" -> hasNext() ? items.get(index + 1) : new Undefined("the last turn has no next item");
            case "cycle" -> (Callable) this::cycle;
            case "changed" -> (Callable) this::changed;
            default -> null;
        };
    }

    private Object cycle(Arguments arguments) {
        List<Object> given = arguments.positional();
        if (given.isEmpty() || !arguments.named().isEmpty()) {
            throw new TemplateFailure("loop.cycle() needs items");
        }
        return given.get(index % given.size());
    }

    private Object changed(Arguments arguments) {
        Object now = new PythonTuple(arguments.positional());
        boolean other = changed == null || !Operators.equal(changed, now);
        changed = now;
        return other;
    }

    @Override
    public Object call(Arguments arguments) {
        if (inner == null) {
            throw new TemplateFailure("'loop' can only be called in a loop that says 'recursive'");
        }
        return inner.apply(arguments.ordered("loop", 1, 1)[0], depth + 1);
    }

    @Override
    public String toString() {
        return "<LoopContext " + (index + 1) + "/" + items.size() + ">";
    }
}
