package dev.belay.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The added tokens of a tokenizer.json, which its tokenizer finds in a text before anything else, and those of its model that no text
 * means by their names.
 */
final class AddedTokens {
    static final ObjectMapper JSON = TokenizerCheck.mapper();
    /** Where tokenizer.json has them. */
    static final String LIST = "added_tokens";
    /** Where it has the model. */
    static final String MODEL = "model";

    /** Names that look like markup are control tokens even if the file does not call them special, {@code <think>} for example. */
    private static final Pattern MARKUP = Pattern.compile("(?s)\\s*[<\\[◁].*[>\\]▷]\\s*");

    private static final Pattern NOTHING = Pattern.compile("(?!)");

    private final Map<Integer, String> names = new HashMap<>();
    private final Map<Integer, String> control = new HashMap<>();
    private final Set<Integer> special = new HashSet<>();
    private final ModelTokens model;
    private final Pattern anyName;

    /** Reads the tokens of a file. */
    AddedTokens(TokenizerFile file) {
        JsonNode list = MissingNode.getInstance();
        ModelTokens found = null;
        try (JsonParser json = open(file)) {
            while (json.nextFieldName() != null) {
                json.nextToken();
                switch (json.currentName()) {
                    case LIST -> list = json.readValueAsTree();
                    case MODEL -> found = new ModelTokens(json);
                    default -> json.skipChildren();
                }
            }
        } catch (IOException e) {
            throw new BelayException("cannot read the added tokens of " + file.path() + ": " + OutputFile.reason(e), e);
        }
        model = found;
        for (JsonNode token : list) {
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
        String alternatives = Stream.concat(hidden().stream(), model.bytes().stream())
                .sorted(Comparator.comparingInt(String::length).reversed())
                .map(Pattern::quote)
                .collect(Collectors.joining("|"));
        anyName = alternatives.isEmpty() ? NOTHING : Pattern.compile(alternatives);
    }

    /** A parser inside of the file's object; its fields come next. */
    static JsonParser open(TokenizerFile file) throws IOException {
        JsonParser json = JSON.createParser(file.open());
        json.nextToken();
        return json;
    }

    /** Whether a token that stands for {@code text} is an added one; the model itself also gives the unknown token. */
    boolean isAdded(int id, String text) {
        return names.containsKey(id) && (!model.isUnknown(id) || text.strip().equals(names.get(id)));
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

    /**
     * Whether a token is there by a name that no text means, and not because it is all that the model has for what stands there.
     *
     * @param length code points that the token stands for
     */
    boolean isNamed(int id, int length) {
        return model.isUnknown(id) ? isLong(model.unknown(), length) : isControl(id) || isNamedByte(id, length);
    }

    /** Whether a token is there by the name of a byte. */
    boolean isNamedByte(int id, int length) {
        return model.isByte(id) && isLong(model.aByte(id), length);
    }

    private static boolean isLong(String name, int length) {
        return length >= name.codePointCount(0, name.length());
    }

    /** Whether there is a control token of this name. */
    boolean hasControl(String name) {
        return control.containsValue(name);
    }

    /** Finds the names that no text means, those of control tokens among them; of several at a place the longest. */
    Pattern names() {
        return anyName;
    }

    /** Those of the names that the vocabulary can do without: the library itself asks for those of bytes. */
    Set<String> hidden() {
        Set<String> hidden = new HashSet<>(control.values());
        if (model.unknown() != null && MARKUP.matcher(model.unknown()).matches()) {
            hidden.add(model.unknown());
        }
        return hidden;
    }
}
