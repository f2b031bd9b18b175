package dev.belay.text;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The added tokens of a tokenizer.json: what its tokenizer finds in a text before anything else. */
final class AddedTokens {
    private static final ObjectMapper JSON = TokenizerCheck.mapper();
    /** Where tokenizer.json has them. */
    private static final String LIST = "added_tokens";

    /** Names that look like markup are control tokens even if the file does not call them special, {@code <think>} for example. */
    private static final Pattern MARKUP = Pattern.compile("(?s)\\s*[<\\[◁].*[>\\]▷]\\s*");

    private static final Pattern NOTHING = Pattern.compile("(?!)");

    private final Map<Integer, String> names = new HashMap<>();
    private final Map<Integer, String> control = new HashMap<>();
    private final Set<Integer> special = new HashSet<>();
    private final Pattern anyName;

    /** Reads the tokens of a file. */
    AddedTokens(TokenizerFile file) {
        for (JsonNode token : read(file)) {
            String name = token.path("content").asText();
            int id = token.path("id").asInt(-1);
            names.put(id, name);
            if (token.path("special").asBoolean()) {
                special.add(id);
            }
            if (!name.isBlank() && (special.contains(id) || MARKUP.matcher(name).matches())) {
                control.put(id, name);
            }
        }
        String alternatives = control.values().stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .map(Pattern::quote)
                .collect(Collectors.joining("|"));
        anyName = alternatives.isEmpty() ? NOTHING : Pattern.compile(alternatives);
    }

    private static JsonNode read(TokenizerFile file) {
        try (JsonParser json = open(file)) {
            JsonNode tokens = MissingNode.getInstance();
            while (json.nextFieldName() != null) {
                json.nextToken();
                if (json.currentName().equals(LIST)) {
                    tokens = json.readValueAsTree();
                } else {
                    json.skipChildren();
                }
            }
            return tokens;
        } catch (IOException e) {
            throw new BelayException("cannot read the added tokens of " + file.path() + ": " + OutputFile.reason(e), e);
        }
    }

    /** A parser inside of the file's object; its fields come next. */
    private static JsonParser open(TokenizerFile file) throws IOException {
        JsonParser json = JSON.createParser(file.open());
        json.nextToken();
        return json;
    }

    /** Whether an id is that of an added token. */
    boolean has(int id) {
        return names.containsKey(id);
    }

    /** The name of an added token. */
    String name(int id) {
        return names.get(id);
    }

    /** Whether an id is that of a token that the file calls special. */
    boolean isSpecial(int id) {
        return special.contains(id);
    }

    /** Whether an id is that of a control token: one that is special or looks like markup. */
    boolean isControl(int id) {
        return control.containsKey(id);
    }

    /** Whether there is a control token of this name. */
    boolean hasControl(String name) {
        return control.containsValue(name);
    }

    /** Finds the names of control tokens, of several at a place the longest. */
    Pattern names() {
        return anyName;
    }

    /** The file's tokenizer with {@code sentinel} for its only added token, as JSON. */
    static byte[] withOnly(TokenizerFile file, String sentinel) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ObjectNode token = JSON.createObjectNode().put("id", 0).put("content", sentinel);
        token.put("special", true).put("normalized", false);
        token.put("single_word", false).put("lstrip", false).put("rstrip", false);
        try (JsonParser json = open(file);
                JsonGenerator out = JSON.createGenerator(bytes)) {
            out.writeStartObject();
            while (json.nextFieldName() != null) {
                json.nextToken();
                if (json.currentName().equals(LIST)) {
                    json.skipChildren();
                } else {
                    out.writeFieldName(json.currentName());
                    out.copyCurrentStructure(json);
                }
            }
            out.writeFieldName(LIST);
            out.writeTree(JSON.createArrayNode().add(token));
            out.writeEndObject();
        } catch (IOException e) {
            throw new BelayException(
                    "cannot write " + file.path() + " for the tokenizer library: " + e.getMessage(), e);
        }
        return bytes.toByteArray();
    }
}
