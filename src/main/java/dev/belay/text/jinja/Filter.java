package dev.belay.text.jinja;

import java.util.HashMap;
import java.util.Map;

/** A filter: a function of what stands in front of the {@code |} and of arguments. */
interface Filter {
    Object apply(Object value, Arguments arguments);

    /** All filters by their names. */
    Map<String, Filter> ALL = all();

    private static Map<String, Filter> all() {
        Map<String, Filter> all = new HashMap<>(ListFilters.ALL);
        all.putAll(TextFilters.ALL);
        all.putAll(Numbers.FILTERS);
        return Map.copyOf(all);
    }

    /** Applies the filter of a name, and counts what it goes through like what it makes. */
    static Object apply(String name, Object value, Arguments arguments) {
        Filter filter = ALL.get(name);
        if (filter == null) {
            throw new TemplateFailure("there is no filter '" + name + "'");
        }
        return Budget.made(filter.apply(Budget.made(value), arguments));
    }
}
