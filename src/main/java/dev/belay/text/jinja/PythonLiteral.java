package dev.belay.text.jinja;

/** Literals as Python and Jinja2 read them. */
final class PythonLiteral {
    private static final String ESCAPES = "\\'\"abfnrtv\n";
    private static final String ESCAPED = "\\'\"\u0007\b\f\n\r\t\u000b";
    private static final int MOST_SHOWN = 20;

    private PythonLiteral() {}

    /**
     * Appends the value of the string literal at {@code start} and returns the index behind it.
     *
     * @throws TemplateFailure if it is not closed or has an escape that is cut short
     */
    static int read(String source, int start, StringBuilder value) {
        char quote = source.charAt(start);
        int i = start + 1;
        while (i < source.length()) {
            char c = source.charAt(i++);
            if (c == quote) {
                return i;
            }
            if (c == '\\' && i < source.length()) {
                i = escape(source, i, value);
            } else {
                value.append(c);
            }
        }
        throw new TemplateFailure("the string "
                + source.substring(start, Math.min(source.length(), start + MOST_SHOWN))
                        .replace('\n', ' ') + "... is not closed");
    }

    /** Reads the escape whose letter is at {@code i}; an unknown one stays as it is, with its backslash. */
    private static int escape(String source, int i, StringBuilder value) {
        char c = source.charAt(i);
        int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        if (digits > 0) {
            value.appendCodePoint(number(source, i + 1, i + 1 + digits, 16));
            return i + 1 + digits;
        }
        if (Character.digit(c, 8) >= 0) {
            int end = i + 1;
            while (end < i + 3 && end < source.length() && Character.digit(source.charAt(end), 8) >= 0) {
                end++;
            }
            value.appendCodePoint(number(source, i, end, 8));
            return end;
        }
        int closed = source.indexOf('}', i);
        if (source.startsWith("N{", i) && closed > 0) {
            String name = source.substring(i + 2, closed);
            try {
                value.appendCodePoint(Character.codePointOf(name));
            } catch (IllegalArgumentException e) {
                throw new TemplateFailure("the escape \\N{" + name + "} names no character");
            }
            return closed + 1;
        }
        int known = ESCAPES.indexOf(c);
        if (known < 0) {
            value.append('\\').append(c);
        } else if (c != '\n') {
            value.append(ESCAPED.charAt(known));
        }
        return i + 1;
    }

    private static int number(String source, int start, int end, int base) {
        try {
            int character = Integer.parseInt(source, start, end, base);
            if (Character.isValidCodePoint(character)) {
                return character;
            }
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            // Said below.
        }
        throw new TemplateFailure("the escape \\"
                + source.substring(start - 1, Math.min(source.length(), end)).replace('\n', ' ') + " is no character");
    }

    /** The value of a whole number in decimal, or with 0x, 0o or 0b in front. */
    static long whole(String literal) {
        String digits = literal.replace("_", "");
        int base = digits.length() < 2 ? 10 : base(digits.charAt(1));
        try {
            return Long.parseLong(base == 10 ? digits : digits.substring(2), base);
        } catch (NumberFormatException e) {
            throw new TemplateFailure(
                    "the number " + literal.substring(0, Math.min(literal.length(), MOST_SHOWN)) + " is too large");
        }
    }

    /** The base that a letter behind a zero stands for; 10 for none. */
    static int base(char letter) {
        return switch (letter) {
            case 'x', 'X' -> 16;
            case 'o', 'O' -> 8;
            case 'b', 'B' -> 2;
            default -> 10;
        };
    }
}
