package dev.belay.dataset;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/** A table as text: the first row names the columns, cells in double quotes may hold separators and line feeds. */
final class CsvRecords implements Records {
    private static final CsvMapper CSV =
            CsvMapper.builder().enable(CsvParser.Feature.WRAP_AS_ARRAY).build();

    private final Path file;
    private final MappingIterator<String[]> rows;
    private final String[] columns;
    private long number;

    CsvRecords(Path file, char separator) throws IOException {
        this.file = file;
        BufferedReader text = TextInput.open(file);
        rows = CSV.readerFor(String[].class)
                .with(CSV.schema().withColumnSeparator(separator))
                .readValues(text);
        columns = row();
        if (columns == null) {
            close();
            throw new BelayException(file + " is empty; its first row should name the columns");
        }
        Set<String> names = new HashSet<>();
        for (String column : columns) {
            if (!names.add(column.strip())) {
                close();
                throw new BelayException(file + ": two columns are named '" + column.strip() + "'; rename one");
            }
        }
    }

    private String[] row() {
        try {
            if (!rows.hasNextValue()) {
                return null;
            }
            return rows.nextValue();
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 1 : e.getLocation().getLineNr();
            throw new BelayException(file + " line " + line + ": " + OutputFile.reason(e), e);
        } catch (IOException e) {
            throw TextInput.failure(place(), e);
        }
    }

    @Override
    public ObjectNode next() {
        number++;
        String[] cells = row();
        while (cells != null && cells.length == 1 && cells[0].isEmpty() && columns.length > 1) {
            cells = row();
        }
        if (cells == null) {
            return null;
        }
        if (cells.length != columns.length) {
            throw new BelayException(place() + " has " + cells.length + " cells, but there are " + columns.length
                    + " columns; is a quote missing?");
        }
        ObjectNode record = JsonNodeFactory.instance.objectNode();
        for (int i = 0; i < cells.length; i++) {
            record.put(columns[i].strip(), cells[i]);
        }
        return record;
    }

    @Override
    public String place() {
        return file + " row " + number
                + (number == 0
                        ? ""
                        : " (up to line " + rows.getCurrentLocation().getLineNr() + ")");
    }

    @Override
    public void close() {
        try {
            rows.close();
        } catch (IOException e) {
            throw new BelayException("cannot close " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
