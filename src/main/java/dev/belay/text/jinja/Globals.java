package dev.belay.text.jinja;

import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;

/** The functions that every template has: those of Jinja2 and those that transformers adds. */
final class Globals {
    private Globals() {}

    /** A function by its name. */
    private record Function(String name, Callable body) implements Callable {
        @Override
        public Object call(Arguments arguments) {
            return body.call(arguments);
        }

        @Override
        public String toString() {
            return "<function " + name + ">";
        }
    }

    private static final List<Function> FUNCTIONS = List.of(
            new Function("cycler", arguments -> {
                if (arguments.positional().isEmpty() || !arguments.named().isEmpty()) {
                    throw new TemplateFailure("cycler() needs at least one item");
                }
                return new Cycler(arguments.positional());
            }),
            new Function("dict", PythonDict::of),
            new Function("joiner", arguments -> {
                Object separator = arguments.bind("joiner", 0, "sep")[0];
                return new Joiner(separator == null ? ", " : separator);
            }),
            new Function("namespace", arguments -> new Namespace(PythonDict.of(arguments))),
            new Function("raise_exception", arguments -> {
                Object message = arguments.bind("raise_exception", 1, "message")[0];
                throw new TemplateFailure("the template refuses these messages: "
                        + PythonText.str(message).strip().replaceAll("\\s+", " "));
            }),
            new Function("range", PythonRange::of),
            new Function("strftime_now", arguments -> {
                Object format = arguments.bind("strftime_now", 1, "format")[0];
                return Strftime.format(ZonedDateTime.now(), Arguments.string("strftime_now", format));
            }));

    static Scope scope() {
        Scope scope = new Scope(null);
        FUNCTIONS.forEach(function -> scope.set(function.name, function));
        return scope;
    }

    /** Items in turn, and the first again after the last. */
    private static final class Cycler implements Values.HasAttributes {
        private final List<Object> items;
        private int at;

        Cycler(List<Object> items) {
            this.items = items;
        }

        private final Map<String, Callable> methods = Map.of(
                "next",
                arguments -> {
                    arguments.ordered("next", 0, 0);
                    Object item = current();
                    at = (at + 1) % size();
                    return item;
                },
                "reset",
                arguments -> {
                    arguments.ordered("reset", 0, 0);
                    at = 0;
                    return PythonNone.NONE;
                });

        private Object current() {
            return items.get(at);
        }

        private int size() {
            return items.size();
        }

        @Override
        public Object attribute(String name) {
            return name.equals("current") ? current() : methods.get(name);
        }
    }

    /** Nothing when it is called first, and the separator from then on. */
    private static final class Joiner implements Callable {
        private final Object separator;
        private boolean used;

        Joiner(Object separator) {
            this.separator = separator;
        }

        @Override
        public Object call(Arguments arguments) {
            arguments.ordered("joiner", 0, 0);
            Object text = used ? separator : "";
            used = true;
            return text;
        }
    }
}
