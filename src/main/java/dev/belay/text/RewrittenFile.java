package dev.belay.text;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Set;

/** A tokenizer.json with changes; ids stay. */
final class RewrittenFile {
    private final TokenizerFile file;
    private final Set<String> hidden;
    private final String sentinel;
    /** What the model has before all but the first part of a word, which a merge leaves out. */
    private String inner = "";

    private RewrittenFile(TokenizerFile file, Set<String> hidden, String sentinel) {
        this.file = file;
        this.hidden = hidden;
        this.sentinel = sentinel;
    }

    /**
     * A tokenizer in which names are ordinary characters: without its added tokens, and with names of the model's own vocabulary replaced
     * by such as no text has.
     *
     * @param hidden names that are to be unreachable; those of one character stay
     * @param sentinel becomes the only added token
     */
    static byte[] literal(TokenizerFile file, Set<String> hidden, String sentinel) {
        return new RewrittenFile(file, hidden, sentinel).bytes();
    }

    /** A tokenizer of which tokens also stand for the white space that they take up around them. */
    static byte[] withWholeSpans(TokenizerFile file) {
        return new RewrittenFile(file, Set.of(), null).bytes();
    }

    private byte[] bytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (JsonParser json = AddedTokens.open(file);
                JsonGenerator out = AddedTokens.JSON.createGenerator(bytes)) {
            out.writeStartObject();
            while (json.nextFieldName() != null) {
                json.nextToken();
                part(json, out);
            }
            if (sentinel != null) {
                ObjectNode token =
                        JsonNodeFactory.instance.objectNode().put("id", 0).put("content", sentinel);
                token.put("special", true).put("normalized", false);
                token.put("single_word", false).put("lstrip", false).put("rstrip", false);
                out.writeFieldName(AddedTokens.LIST);
                out.writeTree(JsonNodeFactory.instance.arrayNode().add(token));
            }
            out.writeEndObject();
        } catch (IOException e) {
            throw new BelayException(
                    "cannot write " + file.path() + " for the tokenizer library: " + e.getMessage(), e);
        }
        return bytes.toByteArray();
    }

    private void part(JsonParser json, JsonGenerator out) throws IOException {
        String name = json.currentName();
        if (sentinel != null && name.equals(AddedTokens.LIST)) {
            json.skipChildren();
            return;
        }
        out.writeFieldName(name);
        if (name.equals("post_processor")) {
            JsonNode processor = json.readValueAsTree();
            trimNothing(processor);
            out.writeTree(processor);
        } else if (sentinel != null && name.equals(AddedTokens.MODEL)) {
            model(json, out);
        } else {
            out.copyCurrentStructure(json);
        }
    }

    private static void trimNothing(JsonNode processor) {
        if (TokenizerCheck.trims(processor)) {
            ((ObjectNode) processor).put(TokenizerCheck.TRIM, false);
        }
        processor.path("processors").forEach(RewrittenFile::trimNothing);
    }

    private void model(JsonParser json, JsonGenerator out) throws IOException {
        out.writeStartObject();
        while (json.nextFieldName() != null) {
            String field = json.currentName();
            out.writeFieldName(field);
            JsonToken value = json.nextToken();
            if (field.equals("vocab") && value == JsonToken.START_OBJECT) {
                words(json, out);
            } else if (field.equals("vocab") && value == JsonToken.START_ARRAY) {
                pieces(json, out);
            } else if (field.equals("merges") && value == JsonToken.START_ARRAY) {
                merges(json, out);
            } else if (field.equals("unk_token") && value == JsonToken.VALUE_STRING) {
                out.writeString(renamed(json.getText()));
            } else {
                if (field.equals("continuing_subword_prefix")) {
                    inner = json.getValueAsString("");
                }
                out.copyCurrentStructure(json);
            }
        }
        out.writeEndObject();
    }

    private void words(JsonParser json, JsonGenerator out) throws IOException {
        out.writeStartObject();
        while (json.nextFieldName() != null) {
            out.writeFieldName(renamed(json.currentName()));
            json.nextToken();
            out.copyCurrentStructure(json);
        }
        out.writeEndObject();
    }

    private void pieces(JsonParser json, JsonGenerator out) throws IOException {
        out.writeStartArray();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            JsonNode piece = json.readValueAsTree();
            out.writeStartArray();
            out.writeString(renamed(piece.path(0).asText()));
            out.writeTree(piece.path(1));
            out.writeEndArray();
        }
        out.writeEndArray();
    }

    /** Leaves out merges of a hidden name, and those that make one. */
    private void merges(JsonParser json, JsonGenerator out) throws IOException {
        out.writeStartArray();
        while (json.nextToken() != JsonToken.END_ARRAY) {
            JsonNode merge = json.readValueAsTree();
            String[] parts = merge.isTextual()
                    ? merge.asText().split(" ", 2)
                    : new String[] {merge.path(0).asText(), merge.path(1).asText()};
            if (!isHidden(parts[0])
                    && !isHidden(parts[1])
                    && !isHidden(parts[0] + parts[1].substring(inner.length()))) {
                out.writeTree(merge);
            }
        }
        out.writeEndArray();
    }

    private String renamed(String name) {
        return isHidden(name) ? sentinel + name : name;
    }

    private boolean isHidden(String name) {
        return hidden.contains(name) && name.codePointCount(0, name.length()) > 1;
    }
}
