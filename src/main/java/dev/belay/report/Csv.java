package dev.belay.report;

import dev.belay.io.OutputFile;
import java.nio.file.Path;
import java.util.Objects;

/**
 * A CSV file (RFC 4180, UTF-8, a line feed ends a row) that appears when it is complete. Numbers are written in full
 * precision with a point, missing ones (null, NaN) as nothing.
 */
public final class Csv implements AutoCloseable {
    private final OutputFile out;
    private final int columns;

    private Csv(OutputFile out, int columns) {
        this.out = out;
        this.columns = columns;
    }

    /** Opens the file and writes its header. */
    public static Csv create(Path target, String... header) {
        OutputFile out = OutputFile.create(target);
        out.write(line((Object[]) header));
        return new Csv(out, header.length);
    }

    /** Appends a row with one value for each column. */
    public void row(Object... values) {
        if (values.length != columns) {
            throw new IllegalArgumentException(
                    "row of " + values.length + " values in a table of " + columns + " columns: " + out.target());
        }
        out.write(line(values));
    }

    /** Closes the file and gives it its name. */
    public void commit() {
        out.commit();
    }

    /** Without a commit, what was written stays under the partial name. */
    @Override
    public void close() {
        out.close();
    }

    /** One row, quoted where needed, with its line feed. */
    static String line(Object... values) {
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < values.length; i++) {
            line.append(i == 0 ? "" : ",").append(field(values[i]));
        }
        return line.append('\n').toString();
    }

    private static String field(Object value) {
        String text = Objects.toString(value, "");
        if (text.equals("NaN")) {
            return value instanceof Number ? "" : text;
        }
        boolean quote = !text.equals(text.strip()) || text.chars().anyMatch(c -> ",\"\r\n".indexOf(c) >= 0);
        return quote ? '"' + text.replace("\"", "\"\"") + '"' : text;
    }
}
