package dev.belay.text.jinja;

import static java.util.Map.entry;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Locale;
import java.util.Map;

/** The filters that make numbers. */
final class Numbers {
    /** Digits that rounding can keep or take off. */
    private static final int MOST_DIGITS = 400;

    static final Map<String, Filter> FILTERS = Map.ofEntries(
            entry("abs", (value, a) -> {
                a.bind("abs", 0);
                Number number = Operators.number(Undefined.check(value));
                if (number == null) {
                    throw new TemplateFailure("abs needs a number, not " + Values.type(value));
                }
                return Operators.order(number, 0L) < 0 ? Operators.signed("-", number) : number;
            }),
            entry("float", Numbers::toReal),
            entry("int", Numbers::toWhole),
            entry("round", Numbers::round));

    private Numbers() {}

    /** A number without its fraction. */
    static long truncated(Number number) {
        double value = number.doubleValue();
        if (number instanceof Double && !(Math.abs(value) < Long.MAX_VALUE)) {
            throw new TemplateFailure("the number " + PythonText.str(number) + " is too large for a whole one");
        }
        return number.longValue();
    }

    private static Object toReal(Object value, Arguments arguments) {
        Object otherwise = arguments.bind("float", 0, "default")[0];
        Number number =
                Markup.plain(value) instanceof String text ? real(text) : Operators.number(Undefined.check(value));
        return number != null ? (Object) number.doubleValue() : otherwise == null ? 0.0 : otherwise;
    }

    private static Object toWhole(Object value, Arguments arguments) {
        Object[] given = arguments.bind("int", 0, "default", "base");
        Number number = Markup.plain(value) instanceof String text
                ? whole(text, Arguments.whole("int", given[1], 10))
                : Operators.number(Undefined.check(value));
        if (number == null || number instanceof Double real && !Double.isFinite(real)) {
            return given[0] == null ? 0L : given[0];
        }
        return truncated(number);
    }

    /** The number that Python's {@code int(text, base)} or else {@code float(text)} reads; null for none. */
    private static Number whole(String text, int base) {
        String digits = PythonStrings.strip(text, null, true, true).toLowerCase(Locale.ROOT);
        boolean negative = digits.startsWith("-");
        digits = negative || digits.startsWith("+") ? digits.substring(1) : digits;
        int radix = base;
        boolean prefixed = digits.length() > 2 && digits.charAt(0) == '0' && PythonLiteral.base(digits.charAt(1)) != 10;
        if (prefixed && (base == 0 || base == PythonLiteral.base(digits.charAt(1)))) {
            radix = PythonLiteral.base(digits.charAt(1));
            digits = digits.substring(digits.charAt(2) == '_' ? 3 : 2);
        }
        if (digits.matches("[0-9a-z]+(_[0-9a-z]+)*")) {
            try {
                long size = Long.parseLong(digits.replace("_", ""), radix == 0 ? 10 : radix);
                return negative ? -size : size;
            } catch (NumberFormatException e) {
                // It may still be a real number.
            }
        }
        return real(text);
    }

    /** The number that Python's {@code float(text)} reads; null for none. */
    private static Double real(String text) {
        String digits = PythonStrings.strip(text, null, true, true).toLowerCase(Locale.ROOT);
        if (digits.matches("[-+]?(inf|infinity)")) {
            return digits.startsWith("-") ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
        }
        if (digits.matches("[-+]?nan")) {
            return Double.NaN;
        }
        boolean number = digits.matches("[-+]?(\\d+(_\\d+)*\\.?(\\d+(_\\d+)*)?|\\.\\d+(_\\d+)*)(e[-+]?\\d+(_\\d+)*)?");
        return number ? Double.valueOf(digits.replace("_", "")) : null;
    }

    private static Object round(Object value, Arguments arguments) {
        Object[] given = arguments.bind("round", 0, "precision", "method");
        int digits = Arguments.whole("round", given[0], 0);
        Object method = given[1] == null ? "common" : given[1];
        Number number = Operators.number(Undefined.check(value));
        if (number == null || Math.abs((long) digits) > MOST_DIGITS) {
            throw new TemplateFailure("round needs a number and at most " + MOST_DIGITS + " digits");
        }
        if (method.equals("common")) {
            return number instanceof Double real ? (Object) rounded(real, digits) : rounded(number.longValue(), digits);
        }
        double scale = Math.pow(10, digits);
        double scaled = number.doubleValue() * scale;
        if (method.equals("ceil")) {
            return Math.ceil(scaled) / scale;
        }
        if (method.equals("floor")) {
            return Math.floor(scaled) / scale;
        }
        throw new TemplateFailure("the method of round is common, ceil or floor");
    }

    private static double rounded(double value, int digits) {
        return Double.isFinite(value)
                ? Math.copySign(
                        new BigDecimal(value)
                                .setScale(digits, RoundingMode.HALF_EVEN)
                                .doubleValue(),
                        value)
                : value;
    }

    private static long rounded(long value, int digits) {
        return digits >= 0
                ? value
                : new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).longValue();
    }
}
