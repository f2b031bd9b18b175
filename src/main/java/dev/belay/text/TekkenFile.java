package dev.belay.text;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Mistral's own form of a tokenizer, tekken.json: special tokens, then byte strings by rank, of which the one with the lowest rank is
 * put together first, and the expression that cuts text into words.
 */
final class TekkenFile {
    static final String NAME = "tekken.json";
    /** Begins and ends a text in every version. */
    static final String BEGIN = "<s>";

    static final String END = "</s>";

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int BYTES = 256;
    /** Special tokens of the versions that do not list theirs. */
    private static final List<String> SPECIAL = List.of(
            "<unk>",
            BEGIN,
            END,
            "[INST]",
            "[/INST]",
            "[AVAILABLE_TOOLS]",
            "[/AVAILABLE_TOOLS]",
            "[TOOL_RESULTS]",
            "[/TOOL_RESULTS]",
            "[TOOL_CALLS]",
            "[IMG]",
            "<pad>",
            "[IMG_BREAK]",
            "[IMG_END]",
            "[PREFIX]",
            "[MIDDLE]",
            "[SUFFIX]",
            "[SYSTEM_PROMPT]",
            "[/SYSTEM_PROMPT]",
            "[TOOL_CONTENT]");

    /** Versions of which texts are put together alike, as mistral-common does. */
    private static final Set<String> WITH_SYSTEM_PROMPT = Set.of("v7", "v11", "v13");

    private static final String TEMPLATE = "{{ bos_token }}{% for message in messages %}"
            + "{% if message.role == 'system' %}[SYSTEM_PROMPT]{{ message.content }}[/SYSTEM_PROMPT]"
            + "{% elif message.role == 'user' %}[INST]{{ message.content }}[/INST]"
            + "{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token }}"
            + "{% else %}{{ raise_exception('a message is of system, user or assistant') }}{% endif %}{% endfor %}";

    private final Path file;
    private final List<String> tokens = new ArrayList<>();
    private JsonNode config = MissingNode.getInstance();
    private JsonNode special = MissingNode.getInstance();

    private TekkenFile(Path file) {
        this.file = file;
    }

    /**
     * Reads a file.
     *
     * @throws BelayException if it cannot be read or is malformed
     */
    static TekkenFile read(Path file) {
        TekkenFile tekken = new TekkenFile(file);
        try {
            tekken.read();
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
        return tekken;
    }

    private void read() throws IOException {
        if (Files.size(file) > TokenizerCheck.LARGEST_FILE) {
            throw bad("it has more than " + TokenizerCheck.LARGEST_FILE + " bytes");
        }
        try (JsonParser json = TokenizerCheck.mapper().createParser(file.toFile())) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw bad("it is no JSON object");
            }
            for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
                JsonToken first = json.nextToken();
                switch (name) {
                    case "config" -> config = json.readValueAsTree();
                    case "special_tokens" -> special = json.readValueAsTree();
                    case "vocab" -> {
                        if (first != JsonToken.START_ARRAY) {
                            throw bad("its vocab is no list");
                        }
                        while (json.nextToken() != JsonToken.END_ARRAY) {
                            tokens.add(token(json));
                        }
                    }
                    default -> json.skipChildren();
                }
            }
        }
    }

    /** A token's bytes as the characters that tokenizer.json has for them. */
    private String token(JsonParser json) throws IOException {
        int place = tokens.size();
        String rank = "";
        String text = "";
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw bad("the token at place " + place + " of its vocab is no JSON object");
        }
        for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
            json.nextToken();
            switch (name) {
                case "rank" -> rank = json.getText();
                case "token_bytes" -> text = json.getValueAsString("");
                default -> {}
            }
            json.skipChildren();
        }
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw new BelayException(
                    bad("the token_bytes '" + text + "' at place " + place + " of its vocab are no Base64")
                            .getMessage(),
                    e);
        }
        if (!rank.equals(Integer.toString(place)) || bytes.length == 0) {
            throw bad("the token at place " + place + " of its vocab has the rank " + rank + " and " + bytes.length
                    + " bytes");
        }
        if (place < BYTES && (bytes.length != 1 || bytes[0] != (byte) place)) {
            throw bad("its first tokens are not the bytes 0 to 255 (place " + place + ")");
        }
        char[] letters = new char[bytes.length];
        for (int i = 0; i < letters.length; i++) {
            letters[i] = letter(bytes[i] & 0xFF);
        }
        return new String(letters);
    }

    /** Visible characters of Latin-1 stand for themselves, the other bytes for the characters from U+0100 on, in turn. */
    private static char letter(int b) {
        int hidden = b <= ' ' ? b : b <= 160 ? b - 127 + 33 : 67;
        boolean visible = b > ' ' && b < 127 || b > 160 && b != 173;
        return (char) (visible ? b : BYTES + hidden);
    }

    /** Special tokens in the order of their ids: those that the file has, then names that stand for none. */
    private List<String> special() {
        Set<String> names = new LinkedHashSet<>(special.isArray() ? List.of() : SPECIAL);
        String[] listed = new String[special.isArray() ? special.size() : 0];
        for (JsonNode token : special.isArray() ? special : MissingNode.getInstance()) {
            int rank = token.path("rank").asInt(-1);
            String name = token.path("token_str").asText();
            if (rank < 0 || rank >= listed.length || listed[rank] != null || name.isEmpty()) {
                throw bad("the ranks of its special_tokens are not 0 to " + (listed.length - 1) + " (" + token + ")");
            }
            listed[rank] = name;
        }
        names.addAll(List.of(listed));
        int given = Math.max(listed.length, names.size());
        int count = size("default_num_special_tokens", given, TokenizerCheck.MOST_ADDED);
        for (int id = given; id < count; id++) {
            names.add("<SPECIAL_" + id + ">");
        }
        if (given > count || names.size() < count) {
            throw bad("it has " + given + " special_tokens with " + names.size() + " names, but its"
                    + " default_num_special_tokens is " + count);
        }
        return List.copyOf(names);
    }

    private int size(String key, int fallback, int most) {
        JsonNode value = config.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return fallback;
        }
        if (!value.isInt() || value.intValue() < 0 || value.intValue() > most) {
            throw bad("its " + key + " is " + value);
        }
        return value.intValue();
    }

    /** The same tokenizer as tokenizer.json, with the ids of mistral-common. */
    byte[] tokenizer() {
        if (!config.path("pattern").isTextual()) {
            throw bad("its config has no pattern");
        }
        List<String> names = special();
        int count = size("default_vocab_size", names.size() + tokens.size(), TokenizerCheck.MOST_TOKENS) - names.size();
        if (count < BYTES || count > tokens.size()) {
            throw bad("it has " + tokens.size() + " tokens and " + names.size() + " special tokens, but its"
                    + " default_vocab_size is " + config.path("default_vocab_size"));
        }
        TokenizerJson json =
                TokenizerJson.ofBytes(TokenizerJson.split(config.path("pattern").textValue()), true);
        for (int id = 0; id < count; id++) {
            if (!json.token(tokens.get(id), names.size() + id)) {
                throw bad("it has the token '" + tokens.get(id) + "' twice");
            }
        }
        for (int id = 0; id < names.size(); id++) {
            // Bytes that spell the name of a special token are that token.
            json.token(names.get(id), id);
            json.added(names.get(id), id, true);
        }
        Merge.all(file, tokens.subList(0, count)).forEach(merge -> json.merge(merge.left(), merge.right()));
        if (names.contains(BEGIN)) {
            json.begin(BEGIN, names.indexOf(BEGIN));
        }
        try {
            return JSON.writeValueAsBytes(json.json());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** How Mistral puts messages together, where that is known for the file's version. */
    Optional<String> template() {
        return WITH_SYSTEM_PROMPT.contains(config.path("version").asText()) ? Optional.of(TEMPLATE) : Optional.empty();
    }

    private BelayException bad(String what) {
        return TokenizerCheck.bad(file, what);
    }
}
