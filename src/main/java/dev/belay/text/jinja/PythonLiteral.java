package dev.belay.text.jinja;

/** String literals as Python and Jinja2 read them. */
final class PythonLiteral {
    private PythonLiteral() {}

    /**
     * Appends the literal at {@code start}, together with literals that follow it directly, in the spelling of {@link #quote},
     * and returns the index behind it.
     */
    static int copy(String source, int start, StringBuilder out) {
        StringBuilder value = new StringBuilder();
        int end = read(source, start, value);
        int next = end;
        while (next < source.length()) {
            char c = source.charAt(next);
            if (c == '\'' || c == '"') {
                end = read(source, next, value);
                next = end;
            } else if (Character.isWhitespace(c)) {
                next++;
            } else {
                break;
            }
        }
        out.append(quote(value.toString()));
        return end;
    }

    /** The literal of a value that Jinjava reads back unchanged. */
    static String quote(String value) {
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'";
    }

    private static int read(String source, int start, StringBuilder value) {
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
                + source.substring(start, Math.min(source.length(), start + 20)).replace('\n', ' ')
                + "... is not closed");
    }

    /** Reads the escape whose letter is at {@code i}; an unknown one stays as it is, with its backslash. */
    private static int escape(String source, int i, StringBuilder value) {
        char c = source.charAt(i);
        int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        if (digits > 0 && i + digits < source.length()) {
            value.appendCodePoint(Integer.parseInt(source, i + 1, i + 1 + digits, 16));
            return i + 1 + digits;
        }
        int known = "\\'\"ntrbfav0\n".indexOf(c);
        if (known < 0) {
            value.append('\\').append(c);
        } else if (c != '\n') {
            value.append("\\'\"\n\t\r\b\f\u0007\u000b\0".charAt(known));
        }
        return i + 1;
    }
}
