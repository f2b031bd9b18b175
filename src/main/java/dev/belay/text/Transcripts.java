package dev.belay.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.JsonText;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Files of transcripts: JSON Lines in UTF-8, one object per line with {@code prompt} and optionally {@code id},
 * {@code system}, {@code thinking}, {@code response}, {@code harmful} and {@code meta}. Other fields are kept but not read.
 */
public final class Transcripts {
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private final Path file;
    private final Map<String, Integer> lineOfId = new HashMap<>();
    private final List<Transcript> transcripts = new ArrayList<>();
    private int line;

    private Transcripts(Path file) {
        this.file = file;
    }

    /**
     * Warns if none of the transcripts of a file, of which the responses are judged, has one or says why: that field may have another
     * name.
     */
    public static void warnWithoutResponses(Path file, List<Transcript> transcripts) {
        if (transcripts.stream().allMatch(t -> t.response().isBlank() && !t.unfinished())) {
            Messages.current()
                    .warning(file + ": of " + transcripts.size()
                            + " transcripts none has anything in the field response; is this the right file?");
        }
    }

    /**
     * Reads all transcripts of a file. Blank lines are skipped; an absent {@code system}, {@code thinking} or {@code response} is
     * empty, an absent {@code id} is the line number.
     *
     * @throws BelayException naming file and line, if the file is missing or empty, or a line is no JSON object, has no prompt,
     *     a field of the wrong type, or the id of another line
     */
    public static List<Transcript> read(Path file) {
        if (Files.isDirectory(file)) {
            throw new BelayException(
                    "cannot read transcripts from " + file + ": it is a folder; name a JSON Lines file");
        }
        Transcripts reader = new Transcripts(file);
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String text = lines.readLine(); text != null; text = lines.readLine()) {
                reader.line++;
                reader.add(reader.line == 1 && text.startsWith("\uFEFF") ? text.substring(1) : text);
            }
        } catch (MalformedInputException e) {
            throw new BelayException("cannot read transcripts from " + file + ": it is not UTF-8 text; convert it", e);
        } catch (IOException e) {
            throw new BelayException("cannot read transcripts from " + file + ": " + OutputFile.reason(e), e);
        }
        if (reader.transcripts.isEmpty()) {
            throw new BelayException(
                    "no transcripts in " + file + "; give it one JSON object per line, each with a prompt");
        }
        return List.copyOf(reader.transcripts);
    }

    /** One line of JSON without a line feed: the source of the transcript with all of its fields, or else its own fields. */
    public static String toJsonLine(Transcript transcript) {
        JsonNode node = transcript.source();
        if (node == null) {
            ObjectNode fields = JSON.createObjectNode().put("id", transcript.id());
            if (!transcript.system().isEmpty()) {
                fields.put("system", transcript.system());
            }
            fields.put("prompt", transcript.prompt())
                    .put("thinking", transcript.thinking())
                    .put("response", transcript.response());
            if (transcript.harmful() != null) {
                fields.put("harmful", transcript.harmful());
            }
            if (transcript.meta() != null) {
                fields.set("meta", transcript.meta());
            }
            node = fields;
        }
        try {
            return JsonText.encodable(JSON.writeValueAsString(node));
        } catch (JsonProcessingException e) {
            throw new BelayException(
                    "cannot write transcript " + transcript.id() + " as JSON: " + e.getOriginalMessage(), e);
        }
    }

    private void add(String text) {
        if (text.isBlank()) {
            return;
        }
        JsonNode node;
        try {
            node = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            int column = e.getLocation() == null ? 1 : e.getLocation().getColumnNr();
            throw failure(
                    "is not valid JSON at column " + column + ": " + OutputFile.reason(e)
                            + "; each line is to be one JSON object",
                    e);
        } catch (NumberFormatException e) {
            // Jackson lets this one of java.math.BigDecimal through.
            throw failure("has a number whose exponent is too large to be kept; write it as a string", e);
        }
        if (!node.isObject()) {
            throw failure("is not a JSON object; write {\"prompt\": ...}", null);
        }
        JsonNode prompt = node.path("prompt");
        if (prompt.isMissingNode() || prompt.isNull()) {
            throw failure("has no prompt; every line needs one, a string", null);
        }
        JsonNode harmful = node.path("harmful");
        if (!harmful.isMissingNode() && !harmful.isNull() && !harmful.isBoolean()) {
            throw wrongType("harmful", "true or false", harmful);
        }
        String id = id(node.path("id"));
        transcripts.add(new Transcript(
                id,
                string(node, "system"),
                string(node, "prompt"),
                string(node, "thinking"),
                string(node, "response"),
                harmful.isBoolean() ? harmful.booleanValue() : null,
                node.get("meta"),
                node));
    }

    private String id(JsonNode node) {
        boolean missing = node.isMissingNode() || node.isNull();
        if (!missing && !node.isTextual() && !node.isIntegralNumber()) {
            throw wrongType("id", "a string", node);
        }
        String id = missing ? Integer.toString(line) : node.asText();
        Integer other = lineOfId.putIfAbsent(id, line);
        if (other != null) {
            throw failure("has the id \"" + id + "\" of line " + other + "; ids must differ", null);
        }
        return id;
    }

    private String string(JsonNode node, String field) {
        JsonNode value = node.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return "";
        }
        if (!value.isTextual()) {
            throw wrongType(field, "a string", value);
        }
        return value.textValue();
    }

    private BelayException wrongType(String field, String wanted, JsonNode value) {
        String type = value.getNodeType().toString().toLowerCase(Locale.ROOT);
        return failure("has the field " + field + ", which is not " + wanted + " but of type " + type, null);
    }

    private BelayException failure(String what, Exception cause) {
        return new BelayException(file + " line " + line + " " + what, cause);
    }
}
