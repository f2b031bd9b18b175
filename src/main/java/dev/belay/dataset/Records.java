package dev.belay.dataset;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/** The records of a file, one after the other. */
public interface Records extends AutoCloseable {
    /**
     * Opens a file by the ending of its name: csv, tsv, jsonl, ndjson, json (an array of objects) or parquet.
     *
     * @throws BelayException if it cannot be opened, or has another ending
     */
    static Records open(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        if (!Files.isRegularFile(file)) {
            throw new BelayException("cannot read " + file + ": "
                    + (Files.isDirectory(file) ? "it is a folder; name a file in it" : "no such file"));
        }
        try {
            return switch (name.substring(name.lastIndexOf('.') + 1)) {
                case "csv" -> new CsvRecords(file, ',');
                case "tsv" -> new CsvRecords(file, '\t');
                case "jsonl", "ndjson" -> new JsonRecords(file, true);
                case "json" -> new JsonRecords(file, false);
                case "parquet" -> new ParquetRecords(file);
                default ->
                    throw new BelayException(file
                            + ": its name says none of the kinds that are known; end it with .csv, .tsv, .jsonl, .json or"
                            + " .parquet");
            };
        } catch (IOException e) {
            throw TextInput.failure(file.toString(), e);
        }
    }

    /**
     * The next record, or null after the last. Its fields are the columns; empty cells are empty strings.
     *
     * @throws BelayException naming the file and the record, if that cannot be read
     */
    ObjectNode next();

    /** Where the record read last is, for messages: the file and a line or the record's number. */
    String place();

    @Override
    void close();
}
