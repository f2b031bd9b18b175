package dev.belay.text.jinja;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The arguments of a call, filter or test. */
record Arguments(List<Object> positional, Map<String, Object> named) {
    static final Arguments NONE = new Arguments(List.of(), Map.of());

    static Arguments of(Object... positional) {
        return new Arguments(List.of(positional), Map.of());
    }

    /** These without the first {@code count} positional ones. */
    Arguments from(int count) {
        return new Arguments(positional.subList(count, positional.size()), named);
    }

    /**
     * The arguments in the order of the parameters; null for those that are not given.
     *
     * @param required how many of the first parameters must be given
     * @throws TemplateFailure if one is missing, given twice or not known
     */
    Object[] bind(String function, int required, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new TemplateFailure(
                    function + "() takes at most " + parameters.length + " arguments, but gets " + positional.size());
        }
        Object[] bound = Arrays.copyOf(positional.toArray(), parameters.length);
        Map<String, Object> left = new HashMap<>(named);
        for (int i = 0; i < parameters.length; i++) {
            Object value = left.remove(parameters[i]);
            if (value != null && bound[i] != null) {
                throw new TemplateFailure(function + "() gets its argument " + parameters[i] + " twice");
            }
            bound[i] = value == null ? bound[i] : value;
            if (bound[i] == null && i < required) {
                throw new TemplateFailure(function + "() needs an argument " + parameters[i]);
            }
        }
        for (String name : left.keySet()) {
            throw new TemplateFailure(function + "() takes no argument " + name);
        }
        return bound;
    }

    /** The positional arguments of a function that takes no named ones, with null for those not given. */
    Object[] ordered(String function, int required, int most) {
        if (!named.isEmpty() || positional.size() > most || positional.size() < required) {
            throw new TemplateFailure(function + "() takes "
                    + (required == most ? most : required + " to " + most) + " arguments without names, but gets "
                    + (positional.size() + named.size()));
        }
        return Arrays.copyOf(positional.toArray(), most);
    }

    /** An argument that must be a string. */
    static String string(String function, Object value) {
        if (Markup.plain(value) instanceof String text) {
            return text;
        }
        throw new TemplateFailure(function + "() needs a string, not " + Values.type(Undefined.check(value)));
    }

    /** An argument that must be a whole number, cut to those of 32 bits; {@code otherwise} if it is not given. */
    static int whole(String function, Object value, int otherwise) {
        return switch (value) {
            case null -> otherwise;
            case Long number -> Math.clamp(number, Integer.MIN_VALUE, Integer.MAX_VALUE);
            case Boolean truth -> truth ? 1 : 0;
            default ->
                throw new TemplateFailure(
                        function + "() needs a whole number, not " + Values.type(Undefined.check(value)));
        };
    }
}
