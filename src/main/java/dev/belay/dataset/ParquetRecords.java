package dev.belay.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.PqList;
import dev.hardwood.row.PqMap;
import dev.hardwood.row.PqStruct;
import dev.hardwood.row.StructAccessor;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A Parquet file, read by Hardwood. */
final class ParquetRecords implements Records {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /** Hardwood says at each start how it computes; nobody asked. */
    private static final Logger LIBRARY = Logger.getLogger("dev.hardwood");

    static {
        LIBRARY.setLevel(Level.WARNING);
    }

    /** What the library says of a compression that it has no code for. */
    private static final Pattern CODEC = Pattern.compile("Cannot read (\\w+)-compressed Parquet file");

    private final Path file;
    private final ParquetFileReader reader;
    private final RowReader rows;
    private long number;

    ParquetRecords(Path file) throws IOException {
        this.file = file;
        ParquetFileReader opened = null;
        try (Patience patience = new Patience()) {
            opened = ParquetFileReader.open(InputFile.of(file));
            rows = opened.rowReader();
            patience.check();
        } catch (RuntimeException | OutOfMemoryError e) {
            if (opened != null) {
                opened.close();
            }
            throw failure(file + " is not a Parquet file that can be read", e);
        }
        reader = opened;
    }

    private static BelayException failure(String what, Throwable e) {
        if (e instanceof OutOfMemoryError) {
            return new BelayException(what + ": it asks for more memory than there is; is it whole?", e);
        }
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        String reason = String.valueOf(cause.getMessage()).lines().findFirst().orElse("unknown reason");
        Matcher codec = CODEC.matcher(reason);
        if (codec.find()) {
            reason = "it is compressed by " + codec.group(1)
                    + ", which Belay does not read; write it with snappy, zstd or gzip";
        }
        return new BelayException(what + ": " + reason, e);
    }

    @Override
    public ObjectNode next() {
        number++;
        try (Patience patience = new Patience()) {
            boolean there = rows.hasNext();
            patience.check();
            if (!there) {
                return null;
            }
            rows.next();
            if (rows.getFieldCount() == 0) {
                throw new IllegalStateException("it has no columns; it is damaged, so copy it again");
            }
            return struct(rows);
        } catch (RuntimeException | OutOfMemoryError e) {
            throw failure(place() + " cannot be read", e);
        }
    }

    private static ObjectNode struct(StructAccessor fields) {
        ObjectNode record = JSON.objectNode();
        for (int i = 0; i < fields.getFieldCount(); i++) {
            record.set(fields.getFieldName(i), fields.isNull(i) ? JSON.nullNode() : value(fields.getValue(i)));
        }
        return record;
    }

    private static JsonNode value(Object value) {
        return switch (value) {
            case null -> JSON.nullNode();
            case String text -> JSON.textNode(text);
            case Boolean truth -> JSON.booleanNode(truth);
            case Integer number -> JSON.numberNode(number);
            case Long number -> JSON.numberNode(number);
            case Float number -> JSON.numberNode(number);
            case Double number -> JSON.numberNode(number);
            case BigDecimal number -> JSON.numberNode(number);
            case byte[] bytes -> text(bytes);
            case PqStruct struct -> struct(struct);
            case PqMap map -> {
                ObjectNode object = JSON.objectNode();
                for (PqMap.Entry entry : map.getEntries()) {
                    object.set(value(entry.getKey()).asText(), value(entry.getValue()));
                }
                yield object;
            }
            case PqList list -> {
                ArrayNode array = JSON.arrayNode();
                for (int i = 0; i < list.size(); i++) {
                    array.add(list.isNull(i) ? JSON.nullNode() : value(list.get(i)));
                }
                yield array;
            }
            default -> JSON.textNode(value.toString());
        };
    }

    /** Some writers do not say that a column of bytes is text: UTF-8 is taken as text, anything else stays bytes. */
    private static JsonNode text(byte[] bytes) {
        try {
            return JSON.textNode(StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString());
        } catch (CharacterCodingException e) {
            return JSON.binaryNode(bytes);
        }
    }

    @Override
    public String place() {
        return file + " row " + number;
    }

    @Override
    public void close() {
        rows.close();
        try {
            reader.close();
        } catch (IOException e) {
            throw new BelayException("cannot close " + file + ": " + e.getMessage(), e);
        }
    }
}
