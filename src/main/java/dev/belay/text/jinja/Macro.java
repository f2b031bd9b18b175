package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A macro, or the block of a {@code call}: it sees the variables of the place where it is written. */
final class Macro implements Callable, Values.HasAttributes {
    /** Most calls of macros within each other. */
    private static final int MOST_CALLS = 100;

    /**
     * What a macro is made of.
     *
     * @param defaults of the last parameters
     * @param special which of {@code caller}, {@code varargs} and {@code kwargs} the body uses
     */
    record Definition(
            String name, List<String> parameters, List<Expression> defaults, Statement body, List<String> special) {}

    private final Definition definition;
    private final Scope around;

    Macro(Definition definition, Scope around) {
        this.definition = definition;
        this.around = around;
    }

    @Override
    public Object call(Arguments arguments) {
        Scope scope = new Scope(around);
        bind(arguments, scope);
        return Budget.nestedCall(MOST_CALLS, () -> Statement.render(definition.body, scope));
    }

    private void bind(Arguments arguments, Scope scope) {
        List<String> parameters = definition.parameters;
        List<Object> extra = new ArrayList<>();
        Map<Object, Object> left = new LinkedHashMap<>(arguments.named());
        if (arguments.positional().size() > parameters.size()) {
            extra.addAll(arguments
                    .positional()
                    .subList(parameters.size(), arguments.positional().size()));
        }
        int withDefault = parameters.size() - definition.defaults.size();
        List<Integer> missing = new ArrayList<>();
        for (int i = 0; i < parameters.size(); i++) {
            String name = parameters.get(i);
            Object value =
                    i < arguments.positional().size() ? arguments.positional().get(i) : left.remove(name);
            if (value == null) {
                missing.add(i);
                value = new Undefined("the macro " + definition.name + " got no argument " + name);
            }
            scope.set(name, value);
        }
        for (int i : missing) {
            if (i >= withDefault) {
                scope.set(
                        parameters.get(i),
                        definition.defaults.get(i - withDefault).eval(scope));
            }
        }
        if (uses("caller") && !parameters.contains("caller")) {
            Object caller = left.remove("caller");
            scope.set("caller", caller == null ? new Undefined("the macro has no caller") : caller);
        }
        if (uses("kwargs")) {
            scope.set("kwargs", left);
            left = Map.of();
        }
        if (uses("varargs")) {
            scope.set("varargs", new PythonTuple(extra));
            extra = List.of();
        }
        if (!left.isEmpty() || !extra.isEmpty()) {
            throw new TemplateFailure("the macro " + definition.name + " takes no "
                    + (left.isEmpty()
                            ? "more than " + parameters.size() + " arguments"
                            : "argument " + left.keySet().iterator().next()));
        }
    }

    private boolean uses(String special) {
        return definition.special.contains(special);
    }

    @Override
    public Object attribute(String name) {
        return switch (name) {
            case "name" -> definition.name;
            case "arguments" -> new PythonTuple(definition.parameters);
            case "caller" -> uses("caller");
            case "catch_kwargs" -> uses("kwargs");
            case "catch_varargs" -> uses("varargs");
            default -> null;
        };
    }

    @Override
    public String toString() {
        return "<Macro " + PythonText.repr(definition.name) + ">";
    }
}
