package dev.belay.report;

import java.util.Locale;

/** Text and numbers as they stand in the page: escaped, and never in the machine's locale. */
final class HtmlText {
    /** Stands for a number that is not there. */
    static final String NONE = "–";

    private static final char MINUS = '−';

    private HtmlText() {}

    /** Escapes text for element content and quoted attributes of HTML and XML; control characters become pictures. */
    static String escape(String text) {
        StringBuilder out = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(c -> {
            switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> out.appendCodePoint(printable(c));
            }
        });
        return out.toString();
    }

    /** Opens a box that scrolls where its content is too wide, also by keyboard; {@code what} names it. */
    static String scrolls(String what) {
        return "<div class=\"scroll card\" role=\"region\" tabindex=\"0\" aria-label=\"" + escape(what) + "\">";
    }

    private static int printable(int c) {
        if (c == '\n' || c == '\t') {
            return c;
        }
        if (c < 0x20) {
            return 0x2400 + c;
        }
        boolean loneSurrogate = c >= 0xD800 && c <= 0xDFFF;
        boolean bidiControl = c >= 0x202A && c <= 0x202E || c >= 0x2066 && c <= 0x2069;
        boolean noXml = c >= 0x7F && c <= 0x9F || c == 0xFFFE || c == 0xFFFF;
        return loneSurrogate || bidiControl || noXml ? 0xFFFD : c;
    }

    /** Text of a token with its white space made visible, not escaped; spaces stay. */
    static String visible(String token) {
        String shown =
                token.replace("\r\n", "↵").replace("\n", "↵").replace("\r", "↵").replace("\t", "⇥");
        return shown.isEmpty() ? "∅" : shown;
    }

    /** The text, or its first {@code limit} code points and an ellipsis; white space is folded. */
    static String shorten(String text, int limit) {
        String folded = text.strip().replaceAll("\\s+", " ");
        if (folded.codePointCount(0, folded.length()) <= limit) {
            return folded;
        }
        return folded.substring(0, folded.offsetByCodePoints(0, limit - 1)).stripTrailing() + "…";
    }

    /** A refusal score: two digits. */
    static String score(double value) {
        return fixed(value, 2);
    }

    /** A number with that many digits after the point, a real minus sign, and no negative zero. */
    static String fixed(double value, int digits) {
        if (!Double.isFinite(value)) {
            return NONE;
        }
        String text = String.format(Locale.ROOT, "%." + digits + "f", Math.abs(value));
        boolean zero = text.chars().allMatch(c -> c == '0' || c == '.');
        return value < 0 && !zero ? MINUS + text : text;
    }

    /** Like {@link #fixed} with a sign in front of positive numbers too. */
    static String signed(double value, int digits) {
        String text = fixed(value, digits);
        boolean plain = value > 0 && text.chars().anyMatch(c -> c >= '1' && c <= '9');
        return plain ? "+" + text : text;
    }

    /** A share as per cent; one more digit below 10 % and from 99 to 100 %, unless it is round. */
    static String percent(double share) {
        if (!Double.isFinite(share)) {
            return NONE;
        }
        double percent = share * 100;
        boolean round = Math.abs(percent - Math.rint(percent)) < 0.05;
        return fixed(percent, round || percent >= 10 && percent <= 99 || percent > 100 ? 0 : 1) + " %";
    }

    /** A count with thin spaces between thousands. */
    static String count(long value) {
        return String.format(Locale.ROOT, "%,d", value).replace(',', '\u202F');
    }

    /** "1 transcript", "48 transcripts". */
    static String counted(long value, String noun) {
        return count(value) + " " + noun + (value == 1 ? "" : "s");
    }

    /** How many digits after the point tell apart values that spread over {@code range}: two significant ones. */
    static int digits(double range) {
        if (!(range > 0) || !Double.isFinite(range)) {
            return 2;
        }
        return Math.clamp(1 - (int) Math.floor(Math.log10(range)), 0, 6);
    }
}
