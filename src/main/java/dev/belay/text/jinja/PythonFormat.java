package dev.belay.text.jinja;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Python's {@code format % arguments} and {@code format.format(arguments)}. */
final class PythonFormat {
    private static final int MOST = 1 << 20;
    private static final Pattern PERCENT =
            Pattern.compile("%(?:\\(([^)]*)\\))?([-+ #0]*)(\\*|\\d{0,9})(?:\\.(\\d{0,9}))?[hlL]?(.?)", Pattern.DOTALL);
    private static final Pattern FIELD = Pattern.compile(
            "\\{\\{|}}|\\{([^{}!:.\\[]*)((?:\\.[^{}!:.\\[]+|\\[[^]{}]+])*)(?:!([rs]))?(?::([^{}]*))?}|[{}]");
    private static final Pattern STEP = Pattern.compile("\\.([^.\\[]+)|\\[([^]]+)]");
    private static final Pattern SPEC = Pattern.compile(
            "(?:(.)?([<>=^]))?([-+ ]?)(#?)(0?)(\\d{0,9})([,_]?)(?:\\.(\\d{1,9}))?([a-zA-Z%]?)", Pattern.DOTALL);

    private PythonFormat() {}

    /** How a value fills its field; {@code precision} is -1 if there is none. */
    private record Spec(
            String fill,
            char align,
            String sign,
            boolean alternate,
            int width,
            String group,
            int precision,
            char type) {
        Spec {
            if (width > MOST || precision > MOST) {
                throw new TemplateFailure("a format has widths of at most " + MOST);
            }
        }

        /** A number in its field: its sign, then a prefix like 0x, then the digits. */
        String number(boolean negative, String prefix, String digits, char otherwise) {
            String front = (negative ? "-" : sign.equals("-") ? "" : sign) + prefix;
            int missing = width - front.length() - digits.length();
            return align == '=' && missing > 0
                    ? front + fill.repeat(missing) + digits
                    : placed(front + digits, otherwise);
        }

        String placed(String text, char otherwise) {
            int missing = Math.max(0, width - text.codePointCount(0, text.length()));
            char place = align == 0 ? otherwise : align;
            int left = place == '<' ? 0 : place == '^' ? missing / 2 : missing;
            return fill.repeat(left) + text + fill.repeat(missing - left);
        }
    }

    /** Python's {@code format % value}. */
    static String percent(String format, Object value) {
        List<?> arguments = value instanceof PythonTuple tuple ? tuple : List.of(value);
        StringBuilder out = new StringBuilder();
        Matcher field = PERCENT.matcher(format);
        int next = 0;
        int copied = 0;
        while (field.find()) {
            out.append(format, copied, field.start());
            copied = field.end();
            if (field.group(5).isEmpty()) {
                throw new TemplateFailure("the format ends in an incomplete '%'");
            }
            char kind = field.group(5).charAt(0);
            String width = field.group(3);
            if (width.equals("*")) {
                width = String.valueOf(Arguments.whole("%", argument(arguments, next++), 0));
            }
            Object given = kind == '%'
                    ? "%"
                    : field.group(1) != null ? named(value, field.group(1)) : argument(arguments, next++);
            String precision = field.group(4) == null ? "-1" : "0" + field.group(4);
            out.append(field(kind, field.group(2), width, Integer.parseInt(precision), given));
            Budget.fits(out.length());
        }
        boolean byName = value instanceof Map || value instanceof List && !(value instanceof PythonTuple);
        if (next < arguments.size() && !byName && !(value instanceof Undefined)) {
            throw new TemplateFailure("'%' has more arguments than its format has fields");
        }
        return out.append(format.substring(copied)).toString();
    }

    private static Object argument(List<?> arguments, int index) {
        if (index >= arguments.size()) {
            throw new TemplateFailure("'%' has too few arguments");
        }
        return arguments.get(index);
    }

    private static Object named(Object value, String name) {
        Object found = value instanceof Map<?, ?> map ? map.get(name) : null;
        if (found == null) {
            throw new TemplateFailure("'%(" + name + ")' has no argument of this name");
        }
        return found;
    }

    private static String field(char kind, String flags, String width, int precision, Object value) {
        boolean left = flags.contains("-") || width.startsWith("-");
        boolean zero = flags.contains("0") && !left && "srac%".indexOf(kind) < 0;
        Spec spec = new Spec(
                zero ? "0" : " ",
                left ? '<' : zero ? '=' : '>',
                flags.contains("+") ? "+" : flags.contains(" ") ? " " : "-",
                flags.contains("#"),
                width.isEmpty() ? 0 : Math.abs(Integer.parseInt(width)),
                "",
                precision,
                kind);
        return switch (kind) {
            case '%' -> "%";
            case 's' -> spec.placed(cut(PythonText.str(value), precision), '>');
            case 'r', 'a' -> spec.placed(cut(PythonText.repr(value), precision), '>');
            case 'c' -> spec.placed(value instanceof Long number ? character(number) : one(value), '>');
            case 'd', 'i', 'u' -> {
                Number number = Operators.number(Undefined.check(value));
                long whole = number == null ? needsNumber(value) : Numbers.truncated(number);
                yield whole(spec, whole, 'd');
            }
            case 'x', 'X', 'o' ->
                whole(
                        spec,
                        value instanceof Boolean || value instanceof Long
                                ? Operators.number(value).longValue()
                                : needsNumber(value),
                        kind);
            case 'e', 'E', 'f', 'F', 'g', 'G' -> {
                Number number = Operators.number(Undefined.check(value));
                yield real(
                        spec,
                        number == null ? needsNumber(value) : number.doubleValue(),
                        precision < 0 ? 6 : precision,
                        kind);
            }
            default -> throw new TemplateFailure("'%" + kind + "' is no format");
        };
    }

    private static String one(Object value) {
        String text = Arguments.string("%c", value);
        if (text.codePointCount(0, text.length()) != 1) {
            throw new TemplateFailure("'%c' needs one character");
        }
        return text;
    }

    private static String character(long number) {
        if (number < 0 || number > Character.MAX_CODE_POINT) {
            throw new TemplateFailure("'" + number + "' is no character");
        }
        return Character.toString((int) number);
    }

    private static long needsNumber(Object value) {
        throw new TemplateFailure("the format needs a number, not " + Values.type(value));
    }

    private static String cut(String text, int precision) {
        int size = text.codePointCount(0, text.length());
        return precision < 0 || precision >= size ? text : text.substring(0, text.offsetByCodePoints(0, precision));
    }

    /** Python's {@code format.format(arguments)}. */
    static String format(String format, Arguments arguments) {
        StringBuilder out = new StringBuilder();
        Matcher field = FIELD.matcher(format);
        int next = 0;
        int copied = 0;
        while (field.find()) {
            out.append(format, copied, field.start());
            copied = field.end();
            if (field.group(1) == null) {
                if (field.group().length() == 1) {
                    throw new TemplateFailure("format() has a single '" + field.group() + "'");
                }
                out.append(field.group(), 0, 1);
                continue;
            }
            String name = field.group(1).isEmpty() ? String.valueOf(next++) : field.group(1);
            Object value = stepped(argument(arguments, name), field.group(2));
            String conversion = field.group(3);
            Object converted = conversion == null
                    ? value
                    : conversion.equals("r") ? PythonText.repr(value) : PythonText.str(value);
            String spec = field.group(4) == null ? "" : field.group(4);
            out.append(spec.isEmpty() ? PythonText.str(converted) : formatted(converted, spec));
            Budget.fits(out.length());
        }
        return out.append(format.substring(copied)).toString();
    }

    private static Object argument(Arguments arguments, String name) {
        Object value = name.matches("\\d{1,9}")
                ? Integer.parseInt(name) < arguments.positional().size()
                        ? arguments.positional().get(Integer.parseInt(name))
                        : null
                : arguments.named().get(name);
        if (value == null) {
            throw new TemplateFailure("format() has no argument " + name);
        }
        return value;
    }

    private static Object stepped(Object base, String path) {
        Object value = base;
        for (Matcher step = STEP.matcher(path); step.find(); ) {
            String key = step.group(2);
            Object next = key == null
                    ? Values.attribute(value, step.group(1))
                    : Values.item(value, key.matches("\\d{1,9}") ? (Object) Long.parseLong(key) : key);
            value = next == null ? Undefined.of(path) : next;
        }
        return value;
    }

    private static String formatted(Object given, String text) {
        Object value = Markup.plain(given);
        Matcher matcher = SPEC.matcher(text);
        if (!matcher.matches()) {
            throw new TemplateFailure("'" + text + "' is no format");
        }
        boolean zero = !matcher.group(5).isEmpty();
        String fill = matcher.group(1) != null ? matcher.group(1) : zero ? "0" : " ";
        char align = matcher.group(2) != null ? matcher.group(2).charAt(0) : zero ? '=' : 0;
        char type = matcher.group(9).isEmpty() ? 0 : matcher.group(9).charAt(0);
        Spec spec = new Spec(
                fill,
                value instanceof String && align == '=' && matcher.group(2) == null ? '<' : align,
                matcher.group(3).isEmpty() ? "-" : matcher.group(3),
                !matcher.group(4).isEmpty(),
                matcher.group(6).isEmpty() ? 0 : Integer.parseInt(matcher.group(6)),
                matcher.group(7),
                matcher.group(8) == null ? -1 : Integer.parseInt(matcher.group(8)),
                type);
        if (value instanceof String string && (type == 0 || type == 's') && align != '=') {
            return spec.placed(cut(string, spec.precision()), '<');
        }
        Number number = value instanceof Boolean && type == 0 ? null : Operators.number(value);
        if (number == null) {
            throw new TemplateFailure("'" + text + "' is no format of " + Values.type(value));
        }
        boolean forWhole = type == 0 || "bcdoxXn".indexOf(type) >= 0;
        if (number instanceof Long whole && forWhole) {
            return type == 'c' ? spec.placed(character(whole), '<') : whole(spec, whole, type);
        }
        if (type == 0) {
            return plain(spec, number.doubleValue());
        }
        if ("eEfFgG%n".indexOf(type) < 0) {
            throw new TemplateFailure("'" + type + "' is no format of " + Values.type(value));
        }
        int precision = spec.precision() < 0 ? 6 : spec.precision();
        return real(spec, number.doubleValue(), precision, type == 'n' ? 'g' : type);
    }

    private static String whole(Spec spec, long value, char type) {
        int base = type == 0 ? 10 : PythonLiteral.base(type);
        String digits = Long.toString(value, base).replace("-", "");
        String prefix = spec.alternate() && base != 10 ? "0" + type : "";
        digits = grouped(spec, digits, base == 10 ? 3 : 4);
        digits = "0".repeat(Math.max(0, spec.precision() - digits.length())) + digits;
        return spec.number(value < 0, prefix, type == 'X' ? digits.toUpperCase(Locale.ROOT) : digits, '>');
    }

    private static String grouped(Spec spec, String digits, int size) {
        return spec.group().isEmpty() ? digits : digits.replaceAll("(?<=\\w)(?=(\\w{" + size + "})+$)", spec.group());
    }

    /** A real number without a type: all its digits, or with a precision so many, but always a digit behind the point. */
    private static String plain(Spec spec, double value) {
        boolean negative = Math.copySign(1, value) < 0;
        String digits = spec.precision() < 0
                ? PythonText.str(Math.abs(value))
                : general(Math.abs(value), spec.precision(), false, spec.precision() - 1);
        boolean bare = spec.precision() >= 0 && digits.chars().allMatch(Character::isDigit);
        return spec.number(negative, "", grouped(spec, bare ? digits + ".0" : digits), '>');
    }

    private static String grouped(Spec spec, String digits) {
        int end = digits.indexOf('.') < 0 ? digits.length() : digits.indexOf('.');
        return grouped(spec, digits.substring(0, end), 3) + digits.substring(end);
    }

    private static String real(Spec spec, double value, int precision, char type) {
        double size = Math.abs(value);
        boolean negative = Math.copySign(1, value) < 0 && !Double.isNaN(value);
        String digits;
        if (Double.isNaN(size) || Double.isInfinite(size)) {
            digits = Double.isNaN(size) ? "nan" : "inf";
        } else {
            digits = switch (Character.toLowerCase(type)) {
                case 'e' -> exponential(size, precision);
                case 'g' -> general(size, precision, spec.alternate(), precision);
                case '%' -> fixed(new BigDecimal(size).movePointRight(2), precision);
                default -> fixed(new BigDecimal(size), precision);
            };
        }
        digits = grouped(spec, digits) + (type == '%' ? "%" : "");
        return spec.number(negative, "", Character.isUpperCase(type) ? digits.toUpperCase(Locale.ROOT) : digits, '>');
    }

    private static String fixed(BigDecimal value, int precision) {
        return value.setScale(precision, RoundingMode.HALF_EVEN).toPlainString();
    }

    private static String exponential(double value, int precision) {
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(precision + 1, RoundingMode.HALF_EVEN));
        int exponent = rounded.signum() == 0 ? 0 : rounded.precision() - rounded.scale() - 1;
        String digits = fixed(rounded.movePointLeft(exponent), precision);
        return digits + String.format("e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    /** Fixed, or with an exponent if it is below -4 or at least {@code most}. */
    private static String general(double value, int precision, boolean keepZeros, int most) {
        int digits = Math.max(1, precision);
        String exponential = exponential(value, digits - 1);
        int at = exponential.indexOf('e');
        int exponent = Integer.parseInt(exponential.substring(at + 1).replace("+", ""));
        boolean plain = exponent >= -4 && exponent < Math.max(1, most);
        String text = plain ? fixed(new BigDecimal(value), digits - 1 - exponent) : exponential.substring(0, at);
        if (!keepZeros && text.indexOf('.') >= 0) {
            text = text.replaceFirst("\\.?0+$", "");
        }
        return plain ? text : text + exponential.substring(at);
    }
}
