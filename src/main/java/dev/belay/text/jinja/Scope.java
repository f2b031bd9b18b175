package dev.belay.text.jinja;

import java.util.HashMap;
import java.util.Map;

/** Variables of a block, which sees those of the blocks around it and assigns only its own. */
final class Scope {
    private final Scope outer;
    private final Map<String, Object> variables = new HashMap<>();

    Scope(Scope outer) {
        this.outer = outer;
    }

    Object get(String name) {
        for (Scope scope = this; scope != null; scope = scope.outer) {
            Object value = scope.variables.get(name);
            if (value != null) {
                return value;
            }
        }
        return Undefined.of(name);
    }

    void set(String name, Object value) {
        variables.put(name, value);
    }
}
