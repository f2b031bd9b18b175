package dev.belay.text.jinja;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * What one rendering may use, so that a template from a stranger can neither hang nor fill the memory: so many expressions and turns
 * of loops, so long strings and lists, so many characters in all, and, whatever else it does, so many seconds.
 */
final class Budget {
    /** Turns of loops and evaluated expressions. */
    static final long STEPS = 250_000;

    /** Characters of one string. */
    static final long STRING = 1 << 24;

    /** Elements of one list. */
    static final int LIST = 1 << 20;

    /** Characters and list elements of all intermediate results. */
    static final long TOTAL = 1 << 28;

    private static final long SECONDS = 30;
    private static final ThreadLocal<Budget> CURRENT = new ThreadLocal<>();

    private final long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
    private long steps;
    private long total;
    private int calls;

    private Budget() {}

    /** Begins a rendering on this thread. */
    static void begin() {
        CURRENT.set(new Budget());
    }

    /** Ends it. */
    static void end() {
        CURRENT.remove();
    }

    /** Counts an expression or a turn of a loop. */
    static void step() {
        Budget budget = CURRENT.get();
        if (++budget.steps > STEPS) {
            throw new TemplateFailure("it takes more than " + STEPS + " steps");
        }
        budget.checkTime();
    }

    private void checkTime() {
        if (System.nanoTime() > deadline) {
            throw new TemplateFailure("it takes more than " + SECONDS + " seconds");
        }
    }

    /** Counts a string that is about to be made. */
    static void string(long characters) {
        fits(characters);
        CURRENT.get().add(characters);
    }

    /** Checks the length of a string that grows, and is counted when it is made. */
    static void fits(long characters) {
        if (characters > STRING) {
            throw new TemplateFailure("it makes a string of more than " + STRING + " characters");
        }
    }

    /** Checks the length of a list that grows, and is counted when it is made. */
    static void fitsList(long elements) {
        if (elements > LIST) {
            throw new TemplateFailure("it makes a list of more than " + LIST + " elements");
        }
    }

    /** Counts a list that is about to be made. */
    static void list(long elements) {
        fitsList(elements);
        CURRENT.get().add(elements);
    }

    /**
     * Counts a list or mapping that was made of others, with all that is inside them as often as it is: what is twice in a list that is
     * twice in a list, and so on, would take whatever compares or prints it for ever.
     */
    static <T> T nested(T value) {
        list(count(value, 0) - 1);
        return value;
    }

    private static long count(Object value, long before) {
        long count = before + 1;
        Collection<?> inside = switch (value) {
            case Collection<?> items -> items;
            case Map<?, ?> map -> map.values();
            case null, default -> List.of();
        };
        if (before <= LIST) {
            for (Object item : inside) {
                count = count(item, count);
            }
        }
        return count;
    }

    /** Counts an item that is made when it is asked for. */
    static void item() {
        Budget budget = CURRENT.get();
        budget.add(1);
        budget.checkTime();
    }

    /** Renders what a macro calls, which may be another macro. */
    static <T> T nestedCall(int most, Supplier<T> call) {
        step();
        Budget budget = CURRENT.get();
        if (budget.calls >= most) {
            throw new TemplateFailure("a macro recurs more than " + most + " times");
        }
        budget.calls++;
        try {
            return call.get();
        } finally {
            budget.calls--;
        }
    }

    /** Counts a value that was made. */
    static <T> T made(T value) {
        switch (value) {
            case String text -> string(text.length());
            case Markup markup -> string(markup.text().length());
            case Collection<?> items -> list(items.size());
            case null, default -> {}
        }
        return value;
    }

    private void add(long size) {
        total += size;
        if (total > TOTAL) {
            throw new TemplateFailure("its strings and lists come to more than " + TOTAL + " characters and elements");
        }
    }
}
