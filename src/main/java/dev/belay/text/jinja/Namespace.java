package dev.belay.text.jinja;

import java.util.Map;

/** Jinja2's {@code namespace}: the one object whose attributes a template can set. It equals itself only. */
final class Namespace implements Values.HasAttributes {
    private final Map<Object, Object> values;

    Namespace(Map<Object, Object> values) {
        this.values = values;
    }

    @Override
    public Object attribute(String name) {
        return values.get(name);
    }

    void set(String name, Object value) {
        values.put(name, value);
    }

    @Override
    public String toString() {
        return "<Namespace " + PythonText.map(values) + ">";
    }
}
