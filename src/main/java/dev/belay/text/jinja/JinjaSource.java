package dev.belay.text.jinja;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Rewrites a Jinja2 template into one that leaves Jinjava nothing to decide about white space: comments and the signs of
 * {@code {%-}, {@code -%}} and {@code {%+} are gone, what they, trim_blocks and lstrip_blocks would remove is removed, raw
 * blocks and text with braces have become string literals, and string literals are escaped the way Jinjava reads them.
 */
final class JinjaSource {
    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(-?)%}");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");

    private final String source;
    private final StringBuilder out = new StringBuilder();
    private int at;
    private boolean lineStart = true;

    private JinjaSource(String source) {
        this.source = source;
    }

    /**
     * Returns the rewritten template.
     *
     * @throws TemplateFailure if a tag, comment, raw block or string is not closed
     */
    static String rewrite(String template) {
        String text = template.replace("\r\n", "\n").replace('\r', '\n');
        // jinja2's keep_trailing_newline is off: one line feed at the end of the source does not count.
        JinjaSource source = new JinjaSource(text.endsWith("\n") ? text.substring(0, text.length() - 1) : text);
        while (source.at < source.source.length()) {
            source.step();
        }
        return source.out.toString();
    }

    /** Copies the text up to the next delimiter and then what the delimiter opens. */
    private void step() {
        int open = nextOpening();
        if (open < 0) {
            text(source.substring(at));
            at = source.length();
            return;
        }
        char kind = source.charAt(open + 1);
        text(beforeTag(source.substring(at, open), sign(open + 2), kind == '{'));
        Matcher raw = RAW.matcher(source).region(open, source.length());
        if (kind == '#') {
            comment(open);
        } else if (kind == '%' && raw.lookingAt()) {
            rawBlock(raw);
        } else {
            code(open, kind == '{' ? "}}" : "%}");
        }
    }

    private int nextOpening() {
        for (int i = source.indexOf('{', at); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            if ("{%#".indexOf(source.charAt(i + 1)) >= 0) {
                return i;
            }
        }
        return -1;
    }

    private char sign(int index) {
        char c = index < source.length() ? source.charAt(index) : ' ';
        return c == '-' || c == '+' ? c : ' ';
    }

    /** The part of {@code text} that stays in front of a tag: {@code -} strips all white space, lstrip_blocks an indent. */
    private String beforeTag(String text, char sign, boolean expression) {
        if (sign == '-') {
            return text.stripTrailing();
        }
        int line = text.lastIndexOf('\n') + 1;
        boolean indent = (line > 0 || lineStart) && text.substring(line).isBlank();
        return sign == ' ' && !expression && indent ? text.substring(0, line) : text;
    }

    /** Moves behind a closing delimiter and the white space that goes with it. */
    private void close(int end, char sign, boolean trim) {
        at = end;
        if (sign == '-') {
            while (at < source.length() && Character.isWhitespace(source.charAt(at))) {
                at++;
            }
        } else if (sign == ' ' && trim && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
        lineStart = source.charAt(at - 1) == '\n';
    }

    private void comment(int open) {
        int end = source.indexOf("#}", open + 2);
        if (end < 0) {
            throw unclosed("comment", open);
        }
        close(end + 2, end > open + 2 ? sign(end - 1) : ' ', true);
    }

    private void rawBlock(Matcher raw) {
        int open = raw.start();
        close(raw.end(), raw.group(1).isEmpty() ? ' ' : '-', false);
        Matcher end = END_RAW.matcher(source);
        if (!end.find(at)) {
            throw unclosed("raw block", open);
        }
        text(beforeTag(source.substring(at, end.start()), charOf(end.group(1)), false));
        close(end.end(), charOf(end.group(2)), true);
    }

    private static char charOf(String sign) {
        return sign.isEmpty() ? ' ' : sign.charAt(0);
    }

    /** Copies an expression or a statement, whose brackets and strings may hold the closing delimiter. */
    private void code(int open, String closing) {
        StringBuilder code = new StringBuilder();
        int depth = 0;
        int i = open + (sign(open + 2) == ' ' ? 2 : 3);
        while (depth > 0 || !source.startsWith(closing, i)) {
            if (i >= source.length()) {
                throw unclosed("tag", open);
            }
            char c = source.charAt(i);
            if (c == '\'' || c == '"') {
                i = PythonLiteral.copy(source, i, code);
                continue;
            }
            boolean sign = depth == 0 && (c == '-' || c == '+') && source.startsWith(closing, i + 1);
            if (sign) {
                break;
            }
            depth += "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
            // Braces that touch would look like delimiters to Jinjava.
            if ("{}%#".indexOf(c) >= 0 && !code.isEmpty() && "{}%#".indexOf(code.charAt(code.length() - 1)) >= 0) {
                code.append(' ');
            }
            code.append(c == '\n' ? ' ' : c);
            i++;
        }
        char sign = sign(i);
        out.append(source, open, open + 2).append(' ');
        out.append(code.toString().strip()).append(' ').append(closing);
        close(i + (sign == ' ' ? 0 : 1) + 2, sign, closing.equals("%}"));
    }

    private void text(String text) {
        if (text.indexOf('{') < 0 && text.indexOf('}') < 0) {
            out.append(text);
        } else {
            out.append("{{ ").append(PythonLiteral.quote(text)).append(" }}");
        }
    }

    private TemplateFailure unclosed(String what, int open) {
        long line = source.substring(0, open).lines().count() + (open == 0 || source.charAt(open - 1) == '\n' ? 1 : 0);
        return new TemplateFailure("the " + what + " that begins on line " + line + " is not closed");
    }
}
