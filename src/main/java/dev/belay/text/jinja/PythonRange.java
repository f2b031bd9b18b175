package dev.belay.text.jinja;

import java.util.AbstractList;

/** Python's {@code range}: numbers from {@code start} to before {@code stop}. */
final class PythonRange extends AbstractList<Object> {
    /** Bounds below this cannot overflow. */
    private static final long LARGEST = 1L << 60;

    private final long start;
    private final long stop;
    private final long step;
    private final int size;

    private PythonRange(long start, long stop, long step) {
        this.start = start;
        this.stop = stop;
        this.step = step;
        long count = Math.max(0, Math.ceilDiv(stop - start, step));
        Budget.list(count);
        size = (int) count;
    }

    /** {@code range(stop)}, {@code range(start, stop)} or {@code range(start, stop, step)}. */
    static PythonRange of(Arguments arguments) {
        if (arguments.positional().isEmpty() || arguments.positional().size() > 3) {
            throw new TemplateFailure("range() takes one to three numbers");
        }
        Object[] given = arguments.ordered("range", 1, 3);
        long first = whole(given[0]);
        long step = given[2] == null ? 1 : whole(given[2]);
        if (step == 0) {
            throw new TemplateFailure("the step of range() is 0");
        }
        return given[1] == null ? new PythonRange(0, first, 1) : new PythonRange(first, whole(given[1]), step);
    }

    private static long whole(Object value) {
        Object number = value instanceof Boolean truth ? (Object) (truth ? 1L : 0L) : Undefined.check(value);
        if (number instanceof Long whole && Math.abs(whole) <= LARGEST) {
            return whole;
        }
        throw new TemplateFailure("range() takes whole numbers below 2^60, not " + Values.type(value));
    }

    @Override
    public Object get(int index) {
        return start + index * step;
    }

    @Override
    public int size() {
        return size;
    }

    @Override
    public String toString() {
        return "range(" + start + ", " + stop + (step == 1 ? ")" : ", " + step + ")");
    }
}
