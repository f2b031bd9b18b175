package dev.belay.text.jinja;

import java.util.Map;

/** Jinja2's {@code namespace}: the one object whose attributes a template can set. */
record Namespace(Map<Object, Object> values) implements Values.HasAttributes {
    @Override
    public Object attribute(String name) {
        return values.get(name);
    }

    @Override
    public String toString() {
        return "<Namespace " + PythonText.map(values) + ">";
    }
}
