package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Python's operators, which fail where Python fails, so that an undefined value never becomes text in a prompt. */
final class Operators {
    private Operators() {}

    /** A number, or a boolean as the number it is; null for any other value. */
    static Number number(Object value) {
        return switch (value) {
            case Long number -> number;
            case Double number -> number;
            case Boolean truth -> truth ? 1L : 0L;
            default -> null;
        };
    }

    /** {@code left sign right} for a sign of arithmetic. */
    static Object apply(String sign, Object left, Object right) {
        if (sign.equals("%") && Markup.plain(left) instanceof String format) {
            Object values = left instanceof Markup ? Markup.escaped(right) : right;
            return Budget.made(Markup.like(left, PythonFormat.percent(format, values)));
        }
        Undefined.check(left);
        Undefined.check(right);
        Number a = number(left);
        Number b = number(right);
        if (a != null && b != null) {
            return arithmetic(sign, a, b);
        }
        Object made = switch (sign) {
            case "+" -> added(left, right);
            case "*" -> a == null ? repeated(left, right) : repeated(right, left);
            default -> null;
        };
        if (made == null) {
            throw new TemplateFailure("cannot take " + Values.type(left) + " " + sign + " " + Values.type(right));
        }
        return made;
    }

    private static Object added(Object left, Object right) {
        if (Markup.plain(left) instanceof String a && Markup.plain(right) instanceof String b) {
            Budget.string((long) a.length() + b.length());
            return left instanceof Markup || right instanceof Markup
                    ? new Markup(Markup.escape(left) + Markup.escape(right))
                    : a + b;
        }
        boolean lists = left instanceof List && right instanceof List;
        boolean tuples = left instanceof PythonTuple && right instanceof PythonTuple;
        boolean mixed = left instanceof PythonTuple != right instanceof PythonTuple;
        if (!lists || mixed || left instanceof PythonRange || right instanceof PythonRange) {
            return null;
        }
        List<Object> both = new ArrayList<>((List<?>) left);
        both.addAll((List<?>) right);
        return Budget.nested(tuples ? new PythonTuple(both) : both);
    }

    /** A string or list so many times; null if that is not possible. */
    private static Object repeated(Object value, Object by) {
        if (!(by instanceof Long) && !(by instanceof Boolean)) {
            return null;
        }
        int times = Math.max(0, Arguments.whole("*", by, 0));
        if (Markup.plain(value) instanceof String text) {
            Budget.string((long) text.length() * times);
            return Markup.like(value, text.repeat(times));
        }
        if (!(value instanceof List<?> list) || value instanceof PythonRange) {
            return null;
        }
        Budget.list((long) list.size() * times);
        List<Object> all = new ArrayList<>();
        for (int i = 0; i < times && !list.isEmpty(); i++) {
            all.addAll(list);
        }
        return Budget.nested(value instanceof PythonTuple ? new PythonTuple(all) : all);
    }

    private static Number arithmetic(String sign, Number a, Number b) {
        boolean whole = a instanceof Long && b instanceof Long;
        boolean divides = sign.equals("/") || sign.equals("//") || sign.equals("%");
        if (divides && b.doubleValue() == 0) {
            throw new TemplateFailure("a number is divided by 0");
        }
        if (sign.equals("**")) {
            return power(a, b);
        }
        if (!whole || sign.equals("/")) {
            return real(sign, a.doubleValue(), b.doubleValue());
        }
        long x = a.longValue();
        long y = b.longValue();
        try {
            return switch (sign) {
                case "+" -> Math.addExact(x, y);
                case "-" -> Math.subtractExact(x, y);
                case "*" -> Math.multiplyExact(x, y);
                case "//" -> Math.floorDivExact(x, y);
                default -> Math.floorMod(x, y);
            };
        } catch (ArithmeticException e) {
            throw new TemplateFailure("the number " + x + " " + sign + " " + y + " is too large");
        }
    }

    private static double real(String sign, double a, double b) {
        double remainder = a % b;
        double floored = remainder != 0 && remainder < 0 != b < 0 ? remainder + b : remainder;
        return switch (sign) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor((a - floored) / b + 0.5);
            default -> floored == 0 ? Math.copySign(0.0, b) : floored;
        };
    }

    private static Number power(Number a, Number b) {
        if (!(a instanceof Long) || !(b instanceof Long exponent) || exponent < 0) {
            if (a.doubleValue() == 0 && b.doubleValue() < 0) {
                throw new TemplateFailure("0 is raised to a negative power");
            }
            if (a.doubleValue() < 0 && b.doubleValue() != Math.rint(b.doubleValue())) {
                throw new TemplateFailure("a root of a negative number");
            }
            return Math.pow(a.doubleValue(), b.doubleValue());
        }
        long result = 1;
        long square = a.longValue();
        try {
            for (long left = exponent; left > 0; left /= 2) {
                result = left % 2 == 1 ? Math.multiplyExact(result, square) : result;
                square = left > 1 ? Math.multiplyExact(square, square) : square;
            }
        } catch (ArithmeticException e) {
            throw new TemplateFailure("the power " + a + "**" + b + " is too large");
        }
        return result;
    }

    /** {@code -value} or {@code +value}. */
    static Number signed(String sign, Object value) {
        Number number = number(Undefined.check(value));
        if (number == null) {
            throw new TemplateFailure("'" + sign + "' in front of " + Values.type(value));
        }
        return sign.equals("+") ? number : number instanceof Double real ? -real : arithmetic("-", 0L, number);
    }

    /** {@code left sign right} for a sign of comparison, {@code in} or {@code not in}. */
    static boolean compare(String sign, Object left, Object right) {
        return switch (sign) {
            case "==" -> equal(left, right);
            case "!=" -> !equal(left, right);
            case "in" -> Values.contains(right, left);
            case "not in" -> !Values.contains(right, left);
            default -> {
                if (left instanceof Double a && a.isNaN() || right instanceof Double b && b.isNaN()) {
                    yield false;
                }
                int order = order(left, right);
                yield switch (sign) {
                    case "<" -> order < 0;
                    case "<=" -> order <= 0;
                    case ">" -> order > 0;
                    default -> order >= 0;
                };
            }
        };
    }

    /** Python's order of two numbers, strings, lists or tuples, as a comparator's. */
    static int order(Object left, Object right) {
        Number a = number(Undefined.check(left));
        Number b = number(Undefined.check(right));
        if (a instanceof Long x && b instanceof Long y) {
            return Long.compare(x, y);
        }
        if (a != null && b != null) {
            return a.doubleValue() == b.doubleValue() ? 0 : Double.compare(a.doubleValue(), b.doubleValue());
        }
        if (Markup.plain(left) instanceof String x && Markup.plain(right) instanceof String y) {
            return order(x, y);
        }
        if (left instanceof List<?> x
                && right instanceof List<?> y
                && x instanceof PythonTuple == y instanceof PythonTuple
                && !(x instanceof PythonRange)
                && !(y instanceof PythonRange)) {
            Budget.step();
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return order(x.get(i), y.get(i));
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        throw new TemplateFailure("cannot compare " + Values.type(left) + " and " + Values.type(right));
    }

    /** By code points, where Java's order is one of UTF-16 units. */
    private static int order(String a, String b) {
        int same = 0;
        while (same < a.length() && same < b.length() && a.charAt(same) == b.charAt(same)) {
            same++;
        }
        if (same == a.length() || same == b.length()) {
            return Integer.compare(a.length(), b.length());
        }
        char x = a.charAt(same);
        char y = b.charAt(same);
        boolean surrogates = Character.isSurrogate(x) != Character.isSurrogate(y);
        return surrogates ? Character.isSurrogate(x) ? 1 : -1 : Character.compare(x, y);
    }

    /** Python's {@code left == right}. */
    static boolean equal(Object left, Object right) {
        if (left instanceof List<?> a && right instanceof List<?> b) {
            Budget.step();
            boolean alike = a.size() == b.size()
                    && a instanceof PythonTuple == b instanceof PythonTuple
                    && a instanceof PythonRange == b instanceof PythonRange;
            for (int i = 0; alike && i < a.size(); i++) {
                alike = equal(a.get(i), b.get(i));
            }
            return alike;
        }
        if (left instanceof Map<?, ?> a && right instanceof Map<?, ?> b) {
            Budget.step();
            boolean alike = a.size() == b.size();
            for (Map.Entry<?, ?> entry : a.entrySet()) {
                Object other = alike ? PythonDict.get(b, entry.getKey()) : null;
                alike = other != null && equal(entry.getValue(), other);
            }
            return alike;
        }
        if (left instanceof Undefined && right instanceof Undefined) {
            return true;
        }
        Number a = number(left);
        Number b = number(right);
        return a == null || b == null
                ? Markup.plain(left).equals(Markup.plain(right))
                : a instanceof Long && b instanceof Long
                        ? a.longValue() == b.longValue()
                        : a.doubleValue() == b.doubleValue();
    }
}
