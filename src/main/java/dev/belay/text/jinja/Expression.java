package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A part of a template that has a value. */
interface Expression {
    Object eval(Scope scope);

    /** What it is in the template, for messages; empty if that is not short. */
    default String path() {
        return "";
    }

    /** A variable. */
    record Name(String name) implements Expression {
        @Override
        public Object eval(Scope scope) {
            return scope.get(name);
        }

        @Override
        public String path() {
            return name;
        }
    }

    /** {@code base.name}. */
    record Attribute(Expression base, String name) implements Expression {
        @Override
        public Object eval(Scope scope) {
            Object value = Values.attribute(base.eval(scope), name);
            return value == null ? Undefined.of(path()) : value;
        }

        @Override
        public String path() {
            return base.path() + "." + name;
        }
    }

    /** {@code base[key]}. */
    record Item(Expression base, Expression key) implements Expression {
        @Override
        public Object eval(Scope scope) {
            Object value = Values.item(base.eval(scope), key.eval(scope));
            return value == null ? Undefined.of(path()) : value;
        }

        @Override
        public String path() {
            return base.path() + "[" + key.path() + "]";
        }
    }

    /** A string, number, boolean or None. */
    record Constant(Object value) implements Expression {
        @Override
        public Object eval(Scope scope) {
            return value;
        }

        @Override
        public String path() {
            String text = PythonText.repr(value);
            return text.length() > 40 ? "..." : text;
        }
    }

    /** The arguments in parentheses; {@code rest} and {@code namedRest} stand behind {@code *} and {@code **}, or are null. */
    record Given(List<Expression> positional, Map<String, Expression> named, Expression rest, Expression namedRest) {
        static final Given NONE = new Given(List.of(), Map.of(), null, null);

        Arguments eval(Scope scope) {
            List<Object> values = new ArrayList<>(positional.size());
            positional.forEach(argument -> values.add(argument.eval(scope)));
            Map<String, Object> byName = new LinkedHashMap<>();
            named.forEach((name, argument) -> byName.put(name, argument.eval(scope)));
            if (rest != null) {
                values.addAll(Values.list(rest.eval(scope)));
            }
            if (namedRest != null) {
                if (!(namedRest.eval(scope) instanceof Map<?, ?> map)) {
                    throw new TemplateFailure("'**' needs a mapping");
                }
                map.forEach((name, value) -> byName.put(Arguments.string("**", name), value));
            }
            return new Arguments(values, byName);
        }
    }

    /** {@code function(arguments)}. */
    record Call(Expression function, Given given) implements Expression {
        @Override
        public Object eval(Scope scope) {
            return call(scope, null);
        }

        /** Calls it, with a {@code caller} unless that is null. */
        Object call(Scope scope, Macro caller) {
            Object callee = function.eval(scope);
            if (callee instanceof Undefined undefined) {
                throw function instanceof Attribute attribute
                                && undefined
                                        .reason()
                                        .equals(Undefined.of(attribute.path()).reason())
                        ? new TemplateFailure("there is no method '" + attribute.name() + "' of "
                                + Values.type(attribute.base().eval(scope)))
                        : undefined.failure();
            }
            if (!(callee instanceof Callable callable)) {
                throw new TemplateFailure(Values.type(callee) + " cannot be called");
            }
            Arguments arguments = given.eval(scope);
            if (caller != null) {
                arguments.named().put("caller", caller);
            }
            return callable.call(arguments);
        }
    }

    /** Operands of the same strength, with a sign between each two of them. */
    record Chain(Expression first, List<String> signs, List<Expression> operands) implements Expression {
        @Override
        public Object eval(Scope scope) {
            Object value = first.eval(scope);
            for (int i = 0; i < signs.size(); i++) {
                value = Operators.apply(signs.get(i), value, operands.get(i).eval(scope));
            }
            return value;
        }
    }

    /** {@code a < b <= c}: holds if every two neighbours do. */
    record Comparison(Expression first, List<String> signs, List<Expression> operands) implements Expression {
        @Override
        public Object eval(Scope scope) {
            Object left = first.eval(scope);
            for (int i = 0; i < signs.size(); i++) {
                Object right = operands.get(i).eval(scope);
                if (!Operators.compare(signs.get(i), left, right)) {
                    return false;
                }
                left = right;
            }
            return true;
        }
    }

    /** {@code a and b and c} or {@code a or b or c}: the first operand that decides it, or the last. */
    record Choice(boolean decides, List<Expression> operands) implements Expression {
        @Override
        public Object eval(Scope scope) {
            Object value = null;
            for (Iterator<Expression> left = operands.iterator(); left.hasNext(); ) {
                value = left.next().eval(scope);
                if (left.hasNext() && Values.truth(value) == decides) {
                    break;
                }
            }
            return value;
        }
    }
}
