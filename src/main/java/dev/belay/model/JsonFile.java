package dev.belay.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A small JSON file with typed look-ups; every error names the file and the key. */
public final class JsonFile {
    /** Far deeper than every such file, and shallow enough to be told of in a message. */
    private static final int DEEPEST = 100;

    /** Reads Python's NaN and Infinity too; whoever looks up a number refuses them. */
    private static final ObjectMapper JSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(DEEPEST)
                            .build())
                    .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private final Path path;
    private final JsonNode root;

    private JsonFile(Path path, JsonNode root) {
        this.path = path;
        this.root = root;
    }

    /**
     * Reads a JSON object.
     *
     * @throws BelayException if the file cannot be read or is not a JSON object
     */
    public static JsonFile read(Path path) {
        JsonNode root = parse(path);
        if (!root.isObject()) {
            throw new BelayException(path + ": not a JSON object");
        }
        return new JsonFile(path, root);
    }

    /** Reads any JSON value. */
    public static JsonNode parse(Path path) {
        try {
            return JSON.readTree(Files.readAllBytes(path));
        } catch (JsonProcessingException e) {
            String where = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
            throw new BelayException(path + where + ": not valid JSON: " + OutputFile.reason(e), e);
        } catch (IOException e) {
            throw new BelayException("cannot read " + path + ": " + OutputFile.reason(e), e);
        }
    }

    /** The value under a key, or null if it is absent or JSON null. */
    public JsonNode get(String key) {
        JsonNode value = root.get(key);
        return value == null || value.isNull() ? null : value;
    }

    /** Whether the key is there, be it with JSON null. */
    public boolean has(String key) {
        return root.has(key);
    }

    /** An integer from 0 on, or {@code fallback} if absent. */
    public int whole(String key, int fallback) {
        JsonNode value = get(key);
        if (value == null) {
            return fallback;
        }
        if (!value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 0) {
            throw wrong(key, "an integer from 0 on", value);
        }
        return value.intValue();
    }

    /** A positive integer; {@code fallback} if absent, an error if there is none. */
    public int positive(String key, Integer fallback) {
        JsonNode value = get(key);
        if (value == null && fallback != null) {
            return fallback;
        }
        if (value == null || !value.isIntegralNumber() || !value.canConvertToInt() || value.intValue() < 1) {
            throw wrong(key, "a positive integer", value);
        }
        return value.intValue();
    }

    /** A number, or {@code fallback} if absent. */
    public double number(String key, double fallback) {
        JsonNode value = get(key);
        if (value != null && (!value.isNumber() || !Double.isFinite(value.doubleValue()))) {
            throw wrong(key, "a number", value);
        }
        return value == null ? fallback : value.doubleValue();
    }

    /** A positive number that float32 can hold, or {@code fallback} if absent. */
    public double positiveNumber(String key, double fallback) {
        JsonNode value = get(key);
        if (value == null) {
            return fallback;
        }
        if (!value.isNumber() || !(value.doubleValue() > 0) || !Float.isFinite(value.floatValue())) {
            throw wrong(key, "a positive number of float32", value);
        }
        return value.doubleValue();
    }

    /** A text, or {@code fallback} if absent. */
    public String text(String key, String fallback) {
        JsonNode value = get(key);
        if (value != null && !value.isTextual()) {
            throw wrong(key, "a text", value);
        }
        return value == null ? fallback : value.textValue();
    }

    /** A truth value, or {@code fallback} if absent. */
    public boolean flag(String key, boolean fallback) {
        JsonNode value = get(key);
        if (value != null && !value.isBoolean()) {
            throw wrong(key, "true or false", value);
        }
        return value == null ? fallback : value.booleanValue();
    }

    /** The object under a key, with this file's other values for the keys that it lacks and for {@code outer}, whatever it has there. */
    JsonFile within(String key, String outer) {
        JsonNode inner = object(key);
        if (inner == null) {
            throw new BelayException(path + ": there is no '" + key + "'; copy the file again");
        }
        ObjectNode all = root.deepCopy();
        all.remove(key);
        ObjectNode own = inner.deepCopy();
        all.setAll((ObjectNode) own.without(outer));
        return new JsonFile(path, all);
    }

    /** An object, or null if absent. */
    public JsonNode object(String key) {
        JsonNode value = get(key);
        if (value != null && !value.isObject()) {
            throw wrong(key, "an object", value);
        }
        return value;
    }

    /** The error that a key does not hold what it must. */
    BelayException wrong(String key, String expected, JsonNode value) {
        return new BelayException(path + ": '" + key + "' must be " + expected + ", is " + value);
    }

    /** The file itself, for error messages. */
    public Path path() {
        return path;
    }
}
