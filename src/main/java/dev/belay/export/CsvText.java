package dev.belay.export;

/** Cells of a CSV file as RFC 4180 has them: lines end in CR LF, quotes are doubled. */
final class CsvText {
    private CsvText() {}

    /**
     * A text that a spreadsheet takes as text: one that begins with = + - @, a tab or a line end, which it would take for a formula, gets
     * a ' before it.
     */
    static String text(String text) {
        boolean formula = !text.isEmpty() && "=+-@\t\r\n".indexOf(text.charAt(0)) >= 0;
        return quoted(formula ? "'" + text : text);
    }

    /** A number; nothing if it is none. */
    static String number(double value) {
        return Double.isNaN(value) ? "" : Double.toString(value);
    }

    /** One line. */
    static String line(String... cells) {
        return String.join(",", cells) + "\r\n";
    }

    private static String quoted(String text) {
        boolean plain = text.chars().noneMatch(c -> c == ',' || c == '"' || c == '\r' || c == '\n');
        return plain ? text : '"' + text.replace("\"", "\"\"") + '"';
    }
}
