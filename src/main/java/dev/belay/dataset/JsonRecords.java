package dev.belay.dataset;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;

/** JSON objects: one a line, or the elements of one array. */
final class JsonRecords implements Records {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    /** An array's elements are read one after the other: what follows one is the next. */
    private static final JsonMapper ELEMENTS = new JsonMapper();

    private final Path file;
    private final BufferedReader text;
    private final JsonParser array;
    private long number;

    JsonRecords(Path file, boolean lines) throws IOException {
        this.file = file;
        text = TextInput.open(file);
        array = lines ? null : ELEMENTS.createParser(text);
    }

    @Override
    public ObjectNode next() {
        try {
            JsonNode node = array == null ? nextLine() : nextElement();
            if (node == null) {
                return null;
            }
            if (!(node instanceof ObjectNode object)) {
                throw new BelayException(place() + " is not a JSON object");
            }
            return object;
        } catch (JsonProcessingException e) {
            String column = e.getLocation() == null
                    ? ""
                    : " at column " + e.getLocation().getColumnNr();
            String line = array == null || e.getLocation() == null
                    ? ""
                    : " of line " + e.getLocation().getLineNr();
            throw new BelayException(place() + " is not valid JSON" + column + line + ": " + OutputFile.reason(e), e);
        } catch (IOException e) {
            throw TextInput.failure(place(), e);
        }
    }

    private JsonNode nextLine() throws IOException {
        String line;
        do {
            number++;
            line = text.readLine();
        } while (line != null && line.isBlank());
        return line == null ? null : JSON.readTree(line);
    }

    private JsonNode nextElement() throws IOException {
        if (number == 0 && array.nextToken() != JsonToken.START_ARRAY) {
            throw new BelayException(
                    file + " is not a JSON array of objects; if it has one object a line, name it .jsonl");
        }
        number++;
        if (array.nextToken() == JsonToken.END_ARRAY) {
            if (array.nextToken() != null) {
                throw new BelayException(file + " has something after its array");
            }
            return null;
        }
        return array.readValueAsTree();
    }

    @Override
    public String place() {
        return file + (array == null ? " line " : " element ") + number;
    }

    @Override
    public void close() {
        try {
            text.close();
        } catch (IOException e) {
            throw new BelayException("cannot close " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
