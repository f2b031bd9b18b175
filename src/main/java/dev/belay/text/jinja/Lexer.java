package dev.belay.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Cuts a template into text and tokens by Jinja2's rules for white space with trim_blocks and lstrip_blocks on: {@code -} strips all
 * white space of its side, {@code +} keeps it, a line feed behind a tag or comment and an indent in front of it go.
 */
final class Lexer {
    enum Kind {
        /** Text that is printed as it is. */
        TEXT("text"),
        PRINT("'{{'"),
        PRINT_END("'}}'"),
        TAG("'{%'"),
        TAG_END("'%}'"),
        NAME("a name"),
        STRING("a string"),
        NUMBER("a number"),
        /** An operator or a bracket. */
        SIGN("a sign"),
        END("the end of the template");

        private final String words;

        Kind(String words) {
            this.words = words;
        }
    }

    /** A token: its text, or of a string, number or text the value. */
    record Token(Kind kind, Object value, int line) {
        boolean is(Kind other, String text) {
            return kind == other && value.equals(text);
        }

        /** What it is, for messages. */
        String words() {
            return kind == Kind.NAME || kind == Kind.SIGN ? "'" + value + "'" : kind.words;
        }
    }

    private static final Pattern RAW = Pattern.compile("\\{%[-+]?\\s*raw\\s*(-?)%}");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");
    private static final Pattern REAL =
            Pattern.compile("(?:\\d+_)*\\d+(?:(?:\\.(?:\\d+_)*\\d+)?[eE][-+]?(?:\\d+_)*\\d+|\\.(?:\\d+_)*\\d+)");
    private static final Pattern WHOLE =
            Pattern.compile("0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[0-9a-fA-F])+|[1-9](?:_?\\d)*|0(?:_?0)*");
    private static final Pattern NAME = Pattern.compile("\\w+", Pattern.UNICODE_CHARACTER_CLASS);
    private static final Pattern SIGN = Pattern.compile("//|\\*\\*|[=!<>]=|[-+/*%~\\[\\](){}<>=.:|,;]");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private int counted;
    private boolean lineStart = true;

    private Lexer(String source) {
        this.source = source;
    }

    /**
     * Returns the tokens, of which the last is {@link Kind#END}.
     *
     * @throws TemplateFailure if a tag, comment, raw block or string is not closed, or a character means nothing
     */
    static List<Token> tokens(String template) {
        String text = template.replace("\r\n", "\n").replace('\r', '\n');
        // jinja2's keep_trailing_newline is off: one line feed at the end of the source does not count.
        Lexer lexer = new Lexer(text.endsWith("\n") ? text.substring(0, text.length() - 1) : text);
        while (lexer.at < lexer.source.length()) {
            lexer.step();
        }
        lexer.add(Kind.END, "");
        return lexer.tokens;
    }

    /** Takes the text up to the next delimiter and then what the delimiter opens. */
    private void step() {
        int open = nextOpening();
        if (open < 0) {
            text(source.substring(at));
            at = source.length();
            return;
        }
        char kind = source.charAt(open + 1);
        text(beforeTag(source.substring(at, open), sign(open + 2), kind == '{'));
        at = open;
        Matcher raw = RAW.matcher(source).region(open, source.length());
        if (kind == '#') {
            comment();
        } else if (kind == '%' && raw.lookingAt()) {
            rawBlock(raw);
        } else {
            code(kind == '{');
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

    /** The part of {@code text} that stays in front of a tag. */
    private String beforeTag(String text, char sign, boolean expression) {
        if (sign == '-') {
            return PythonStrings.strip(text, null, false, true);
        }
        int start = text.lastIndexOf('\n') + 1;
        boolean indent = (start > 0 || lineStart) && PythonStrings.isBlank(text.substring(start));
        return sign == ' ' && !expression && indent ? text.substring(0, start) : text;
    }

    /** Moves behind a closing delimiter and the white space that goes with it. */
    private void close(int end, char sign, boolean trim) {
        at = end;
        if (sign == '-') {
            while (at < source.length() && PythonStrings.isSpace(source.charAt(at))) {
                at++;
            }
        } else if (sign == ' ' && trim && at < source.length() && source.charAt(at) == '\n') {
            at++;
        }
        lineStart = source.charAt(at - 1) == '\n';
    }

    private void comment() {
        int end = source.indexOf("#}", at + 2);
        if (end < 0) {
            throw unclosed("comment", at);
        }
        close(end + 2, end > at + 2 ? sign(end - 1) : ' ', true);
    }

    private void rawBlock(Matcher raw) {
        close(raw.end(), raw.group(1).isEmpty() ? ' ' : '-', false);
        Matcher end = END_RAW.matcher(source);
        if (!end.find(at)) {
            throw unclosed("raw block", raw.start());
        }
        text(beforeTag(source.substring(at, end.start()), charOf(end.group(1)), false));
        close(end.end(), charOf(end.group(2)), true);
    }

    private static char charOf(String sign) {
        return sign.isEmpty() ? ' ' : sign.charAt(0);
    }

    /** An expression or a statement, whose brackets and strings may hold the closing delimiter. */
    private void code(boolean expression) {
        int open = at;
        String closing = expression ? "}}" : "%}";
        add(expression ? Kind.PRINT : Kind.TAG, "");
        at += sign(at + 2) == ' ' ? 2 : 3;
        int depth = 0;
        while (true) {
            skipSpace();
            if (at >= source.length()) {
                throw unclosed("tag", open);
            }
            boolean signed = sign(at) == '-' || sign(at) == '+' && !expression;
            int end = signed && source.startsWith(closing, at + 1) ? at + 1 : at;
            if (depth == 0 && source.startsWith(closing, end)) {
                add(expression ? Kind.PRINT_END : Kind.TAG_END, "");
                close(end + 2, end > at ? source.charAt(at) : ' ', !expression);
                return;
            }
            depth += token();
        }
    }

    private void skipSpace() {
        while (at < source.length() && PythonStrings.isSpace(source.charAt(at))) {
            at++;
        }
    }

    /** Takes a token and returns 1 if it opens a bracket, -1 if it closes one, or 0. */
    private int token() {
        char c = source.charAt(at);
        if (c == '\'' || c == '"') {
            StringBuilder value = new StringBuilder();
            int end = PythonLiteral.read(source, at, value);
            add(Kind.STRING, value.toString());
            at = end;
            return 0;
        }
        Matcher matcher = REAL.matcher(source).region(at, source.length());
        if (source.charAt(at - 1) != '.' && matcher.lookingAt()) {
            add(Kind.NUMBER, Double.parseDouble(matcher.group().replace("_", "")));
        } else if (matcher.usePattern(WHOLE).lookingAt()) {
            add(Kind.NUMBER, PythonLiteral.whole(matcher.group()));
        } else if (matcher.usePattern(NAME).lookingAt()) {
            add(Kind.NAME, matcher.group());
        } else if (matcher.usePattern(SIGN).lookingAt()) {
            add(Kind.SIGN, matcher.group());
        } else {
            add(Kind.SIGN, "");
            throw new TemplateFailure("line " + line + ": the character '" + Character.toString(source.codePointAt(at))
                    + "' means nothing here");
        }
        at = matcher.end();
        return "([{".indexOf(c) >= 0 ? 1 : ")]}".indexOf(c) >= 0 ? -1 : 0;
    }

    private void text(String text) {
        if (!text.isEmpty()) {
            add(Kind.TEXT, text);
        }
    }

    private void add(Kind kind, Object value) {
        for (; counted < at; counted++) {
            line += source.charAt(counted) == '\n' ? 1 : 0;
        }
        tokens.add(new Token(kind, value, line));
    }

    private TemplateFailure unclosed(String what, int open) {
        long number = source.substring(0, open).chars().filter(c -> c == '\n').count() + 1;
        return new TemplateFailure("the " + what + " that begins on line " + number + " is not closed");
    }
}
