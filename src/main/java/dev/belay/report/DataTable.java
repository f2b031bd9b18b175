package dev.belay.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** A table of what was found, one row for each thing; the page sorts it by any column. */
public final class DataTable {
    private static final int MAX_ROWS = 1000;
    private static final int MAX_TEXT = 200;

    private enum Kind {
        NUMBER("n"),
        NAME("name"),
        TEXT(""),
        WIDE("wide");

        private final String cssClass;

        Kind(String cssClass) {
            this.cssClass = cssClass;
        }
    }

    private record Column(String name, Kind kind, int digits) {}

    private final String title;
    private final String lead;
    private final List<Column> columns = new ArrayList<>();
    private final List<Object[]> rows = new ArrayList<>();
    private int leftOut;

    /**
     * An empty table.
     *
     * @param title what its rows are
     * @param lead one or two sentences on what it shows
     */
    public DataTable(String title, String lead) {
        this.title = title;
        this.lead = lead;
    }

    /** Adds a column of numbers, shown with that many digits after the point. */
    public DataTable number(String name, int digits) {
        return column(name, Kind.NUMBER, digits);
    }

    /** Adds a column of names of things, such as ids and hashes. */
    public DataTable name(String name) {
        return column(name, Kind.NAME, 0);
    }

    /** Adds a column of short texts. */
    public DataTable text(String name) {
        return column(name, Kind.TEXT, 0);
    }

    /** Adds a column of long texts, which are shortened. */
    public DataTable wide(String name) {
        return column(name, Kind.WIDE, 0);
    }

    private DataTable column(String name, Kind kind, int digits) {
        columns.add(new Column(name, kind, digits));
        return this;
    }

    /**
     * Adds a row. Of more than {@value #MAX_ROWS} rows the page shows the first.
     *
     * @param cells a number or a text for each column; null = none
     */
    public void row(Object... cells) {
        if (cells.length != columns.size()) {
            throw new IllegalArgumentException(
                    "a row of " + cells.length + " cells in a table of " + columns.size() + " columns");
        }
        if (rows.size() == MAX_ROWS) {
            leftOut++;
        } else {
            // A long text is not kept whole.
            rows.add(Stream.of(cells)
                    .map(cell -> cell instanceof String text ? HtmlText.shorten(text, MAX_TEXT) : cell)
                    .toArray());
        }
    }

    String title() {
        return title;
    }

    String lead() {
        return lead;
    }

    boolean isEmpty() {
        return rows.isEmpty();
    }

    /** The table in a box of its own, which scrolls where it is too wide. */
    String render() {
        StringBuilder out = new StringBuilder(HtmlText.scrolls(title));
        out.append("<table class=\"sortable\">\n<caption>").append(HtmlText.escape(title));
        out.append("</caption>\n<thead><tr>");
        for (Column column : columns) {
            out.append("<th scope=\"col\" class=\"")
                    .append(column.kind().cssClass)
                    .append("\">");
            out.append(HtmlText.escape(column.name())).append("</th>");
        }
        out.append("</tr></thead>\n<tbody>\n");
        for (Object[] row : rows) {
            out.append("<tr>");
            for (int i = 0; i < row.length; i++) {
                cell(out, columns.get(i), row[i]);
            }
            out.append("</tr>\n");
        }
        out.append("</tbody></table></div>\n");
        if (leftOut > 0) {
            out.append("<p class=\"more\">and ").append(HtmlText.count(leftOut)).append(" more</p>\n");
        }
        return out.toString();
    }

    private static void cell(StringBuilder out, Column column, Object value) {
        out.append("<td class=\"").append(column.kind().cssClass).append('"');
        if (column.kind() == Kind.NUMBER) {
            double number = value == null ? Double.NaN : ((Number) value).doubleValue();
            out.append(" data-v=\"")
                    .append(Double.isFinite(number) ? Double.toString(number) : "")
                    .append("\">");
            out.append(HtmlText.fixed(number, column.digits()));
        } else {
            String text = Objects.requireNonNullElse((String) value, "");
            out.append('>').append(HtmlText.escape(text));
        }
        out.append("</td>");
    }
}
