package dev.belay.text.jinja;

import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Values as Python prints them. */
final class PythonText {
    /** Doubles of this size and more have an exponent. */
    private static final double LARGE = 1e16;

    private static final double SMALL = 1e-4;

    private PythonText() {}

    /** Python's {@code str(value)}; nothing for an undefined one. */
    static String str(Object value) {
        return Budget.made(
                switch (value) {
                    case String text -> text;
                    case Undefined _ -> "";
                    case PythonNone _ -> "None";
                    case Boolean truth -> truth ? "True" : "False";
                    case Double number -> number(number);
                    case PythonTuple tuple when tuple.size() == 1 -> "(" + repr(tuple.get(0)) + ",)";
                    case PythonTuple tuple -> "(" + all(tuple) + ")";
                    case PythonRange range -> range.toString();
                    case List<?> list -> "[" + all(list) + "]";
                    case PythonDict.View view -> view.name() + "([" + all(view.items()) + "])";
                    case Map<?, ?> map -> map(map);
                    default -> value.toString();
                });
    }

    private static String all(List<?> items) {
        return items.stream().map(PythonText::repr).collect(Collectors.joining(", "));
    }

    static String map(Map<?, ?> map) {
        return map.entrySet().stream()
                .map(e -> repr(e.getKey()) + ": " + repr(e.getValue()))
                .collect(Collectors.joining(", ", "{", "}"));
    }

    /** Python's {@code repr(value)}. */
    static String repr(Object value) {
        if (value instanceof Undefined) {
            return "Undefined";
        }
        if (value instanceof Markup markup) {
            return "Markup(" + repr(markup.text()) + ")";
        }
        if (!(value instanceof String text)) {
            return str(value);
        }
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(quote);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append(String.format(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c));
                    }
                }
            }
        });
        return out.append(quote).toString();
    }

    static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    private static String number(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        String java = Double.toString(value);
        int exponent = java.indexOf('E');
        if (exponent < 0) {
            return java;
        }
        double size = Math.abs(value);
        if (size >= SMALL && size < LARGE) {
            String plain = new BigDecimal(java).stripTrailingZeros().toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = java.substring(0, exponent).replaceFirst("\\.0$", "");
        int power = Integer.parseInt(java.substring(exponent + 1));
        return digits + String.format("e%s%02d", power < 0 ? "-" : "+", Math.abs(power));
    }
}
