package dev.belay.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The tokens in a tokenizer's own vocabulary that no text means by their names: the one for what it does not know, {@code <unk>} for
 * example, and with byte fallback those of single bytes, such as {@code <0x0A>}.
 */
final class ModelTokens {
    private static final Pattern BYTE = Pattern.compile("<0x[0-9A-F]{2}>");

    private final Map<Integer, String> bytes = new HashMap<>();
    private String unknown;
    private int unknownId = -1;

    /** Reads the tokens of a model, at whose object the parser stands. */
    ModelTokens(JsonParser json) throws IOException {
        boolean fallback = false;
        while (json.nextFieldName() != null) {
            String field = json.currentName();
            JsonToken value = json.nextToken();
            switch (field) {
                case "unk_token" -> unknown = json.getValueAsString();
                case "unk_id" -> unknownId = json.getValueAsInt(-1);
                case "byte_fallback" -> fallback = json.getValueAsBoolean();
                case "vocab" -> {
                    if (value == JsonToken.START_ARRAY) {
                        pieces(json);
                    } else {
                        words(json);
                    }
                }
                default -> json.skipChildren();
            }
        }
        if (!fallback) {
            bytes.clear();
        }
    }

    private void pieces(JsonParser json) throws IOException {
        for (int id = 0; json.nextToken() != JsonToken.END_ARRAY; id++) {
            JsonNode piece = json.readValueAsTree();
            consider(piece.path(0).asText(), id);
        }
    }

    private void words(JsonParser json) throws IOException {
        while (json.nextFieldName() != null) {
            consider(json.currentName(), json.nextIntValue(-1));
        }
    }

    /** The library writes what says which token is the unknown one before the vocabulary. */
    private void consider(String name, int id) {
        if (id == unknownId || name.equals(unknown)) {
            unknown = name;
            unknownId = id;
        } else if (name.startsWith("<0x") && BYTE.matcher(name).matches()) {
            bytes.put(id, name);
        }
    }

    /** Whether an id is that of the unknown token. */
    boolean isUnknown(int id) {
        return id >= 0 && id == unknownId;
    }

    /** Whether an id is that of a byte. */
    boolean isByte(int id) {
        return bytes.containsKey(id);
    }

    /** The name of a byte. */
    String aByte(int id) {
        return bytes.get(id);
    }

    /** The name of the unknown token, or null if there is none. */
    String unknown() {
        return unknown;
    }

    /** The names of bytes. */
    Collection<String> bytes() {
        return bytes.values();
    }
}
