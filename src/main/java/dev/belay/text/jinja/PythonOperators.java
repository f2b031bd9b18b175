package dev.belay.text.jinja;

import com.hubspot.jinjava.util.ObjectTruthValue;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import jinjava.de.odysseus.el.misc.NumberOperations;
import jinjava.de.odysseus.el.misc.TypeConverter;
import jinjava.de.odysseus.el.tree.Bindings;
import jinjava.de.odysseus.el.tree.impl.ast.AstBinary;
import jinjava.de.odysseus.el.tree.impl.ast.AstNode;
import jinjava.de.odysseus.el.tree.impl.ast.AstUnary;
import jinjava.javax.el.ELContext;

/** Operators that fail where Python fails, so that an undefined value never becomes the text "null" in a prompt. */
final class PythonOperators {
    private PythonOperators() {}

    /** {@code a and b}: the first falsy operand, or the last. */
    static final AstBinary.Operator AND = new AstBinary.Operator() {
        @Override
        public Object eval(Bindings bindings, ELContext context, AstNode left, AstNode right) {
            Object value = left.eval(bindings, context);
            return bindings.convert(value, Boolean.class) ? right.eval(bindings, context) : value;
        }

        @Override
        public String toString() {
            return "and";
        }
    };

    /** {@code a + b} of two strings, two lists or two numbers. */
    static final AstBinary.Operator PLUS = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            if (left instanceof String a && right instanceof String b) {
                Budget.string((long) a.length() + b.length());
                return a + b;
            }
            if (left instanceof List<?> a && right instanceof List<?> b) {
                Budget.list((long) a.size() + b.size());
                List<Object> both = new ArrayList<>(a);
                both.addAll(b);
                return Budget.nested(both);
            }
            if (left instanceof Number && right instanceof Number) {
                return NumberOperations.add(converter, left, right);
            }
            throw new TemplateFailure("cannot add " + type(left) + " and " + type(right));
        }

        @Override
        public String toString() {
            return "+";
        }
    };

    /** {@code a * b} of two numbers, or of a string or list and a number of times. */
    static final AstBinary.Operator TIMES = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            if (left instanceof Number && !(right instanceof Number)) {
                return apply(converter, right, left);
            }
            int times = right instanceof Number number ? Math.max(0, number.intValue()) : 0;
            if (left instanceof String text && right instanceof Number) {
                Budget.string((long) text.length() * times);
                return text.repeat(times);
            }
            if (left instanceof List<?> list && right instanceof Number) {
                Budget.list((long) list.size() * times);
                List<Object> all = new ArrayList<>();
                for (int i = 0; i < times && !list.isEmpty(); i++) {
                    all.addAll(list);
                }
                return Budget.nested(all);
            }
            if (left instanceof Number && right instanceof Number) {
                return NumberOperations.mul(converter, left, right);
            }
            throw new TemplateFailure("cannot multiply " + type(left) + " and " + type(right));
        }

        @Override
        public String toString() {
            return "*";
        }
    };

    /** {@code a % b} of two numbers, or a format and its arguments. */
    static final AstBinary.Operator REMAINDER = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            if (left instanceof String format) {
                return PythonStrings.percent(format, right instanceof PythonTuple tuple ? tuple : List.of(right));
            }
            if (left instanceof Number && right instanceof Number) {
                return NumberOperations.mod(converter, left, right);
            }
            throw new TemplateFailure("cannot divide " + type(left) + " by " + type(right));
        }

        @Override
        public String toString() {
            return "%";
        }
    };

    /** {@code a ** b} of two numbers; of whole ones it must fit into 64 bits. */
    static final AstBinary.Operator POWER = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            if (!(left instanceof Number base) || !(right instanceof Number exponent)) {
                throw new TemplateFailure("cannot raise " + type(left) + " to the power of " + type(right));
            }
            boolean whole = isWhole(base) && isWhole(exponent) && exponent.longValue() >= 0;
            return whole
                    ? (Number) power(base.longValue(), exponent.longValue())
                    : (Number) Math.pow(base.doubleValue(), exponent.doubleValue());
        }

        @Override
        public String toString() {
            return "**";
        }
    };

    private static long power(long base, long exponent) {
        long result = 1;
        long square = base;
        try {
            for (long left = exponent; left > 0; left /= 2) {
                result = left % 2 == 1 ? Math.multiplyExact(result, square) : result;
                square = left > 1 ? Math.multiplyExact(square, square) : square;
            }
        } catch (ArithmeticException e) {
            throw new TemplateFailure("the power " + base + "**" + exponent + " is too large");
        }
        return result;
    }

    /** Whether a number is one of whole numbers. */
    static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Integer || value instanceof Short;
    }

    /** A list or mapping between brackets. */
    static final AstUnary.Operator LITERAL = new AstUnary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object value) {
            return Budget.nested(value);
        }

        @Override
        public String toString() {
            return "";
        }
    };

    /** A literal in parentheses with a comma. */
    static final AstUnary.Operator TUPLE = new AstUnary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object items) {
            return items instanceof List<?> list ? Budget.nested(new PythonTuple(list)) : items;
        }

        @Override
        public String toString() {
            return "";
        }
    };

    /** {@code a == b} without conversions. */
    static final AstBinary.Operator EQUAL = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            return equal(left, right);
        }

        @Override
        public String toString() {
            return "==";
        }
    };

    /** {@code a != b} without conversions. */
    static final AstBinary.Operator UNEQUAL = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            return !equal(left, right);
        }

        @Override
        public String toString() {
            return "!=";
        }
    };

    /** {@code a ~ b}: both as text. */
    static final AstBinary.Operator CONCAT = new AstBinary.SimpleOperator() {
        @Override
        protected Object apply(TypeConverter converter, Object left, Object right) {
            String a = text(left);
            String b = text(right);
            Budget.string((long) a.length() + b.length());
            return a + b;
        }

        @Override
        public String toString() {
            return "~";
        }
    };

    /** What stands in front of a dot or a bracket: it must be defined. */
    static final AstUnary.Operator DEFINED = new AstUnary.Operator() {
        @Override
        public Object eval(Bindings bindings, ELContext context, AstNode node) {
            Object value = node.eval(bindings, context);
            if (value == null) {
                throw new TemplateFailure("'" + node.getStructuralId(bindings).strip() + "' is undefined");
            }
            return value;
        }

        @Override
        public String toString() {
            return "";
        }
    };

    /** Python's {@code left == right}. */
    static boolean equal(Object left, Object right) {
        if (left instanceof List<?> a && right instanceof List<?> b) {
            Budget.step();
            boolean alike = a instanceof PythonTuple == b instanceof PythonTuple && a.size() == b.size();
            for (int i = 0; alike && i < a.size(); i++) {
                alike = equal(a.get(i), b.get(i));
            }
            return alike;
        }
        if (left instanceof Number a && right instanceof Number b) {
            return a.doubleValue() == b.doubleValue();
        }
        return Objects.equals(left, right);
    }

    /** Whether a condition with this value holds; the text "false" does, though not for Jinjava. */
    static boolean truth(Object value) {
        return value instanceof String text ? !text.isEmpty() : ObjectTruthValue.evaluate(value);
    }

    /** A value as Jinja2 prints it. */
    static String text(Object value) {
        return PythonText.str(value);
    }

    /** The kind of a value in words. */
    static String type(Object value) {
        return switch (value) {
            case null -> "an undefined value";
            case PythonNone _ -> "None";
            case String _ -> "a string";
            case Number _ -> "a number";
            case Boolean _ -> "a boolean";
            case List<?> _ -> "a list";
            case java.util.Map<?, ?> _ -> "a mapping";
            default -> "a value";
        };
    }
}
