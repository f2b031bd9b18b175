package dev.belay.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.text.jinja.JinjaTemplate;
import dev.belay.text.jinja.TemplateFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** Turns messages into the text that a model was trained on, by the Jinja template in its folder. */
public final class ChatTemplate {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFIG = "tokenizer_config.json";
    private static final String JINJA_FILE = "chat_template.jinja";
    private static final String JSON_FILE = "chat_template.json";
    private static final String BEGIN = "bos_token";
    private static final String END = "eos_token";

    private final String place;
    private final String source;
    private final JinjaTemplate template;
    private final Map<String, String> tokens;

    /** @param tokens the special tokens that there are, by the names of their variables, such as bos_token */
    private ChatTemplate(String place, String template, Map<String, String> tokens) {
        this.place = place;
        source = template;
        this.tokens = tokens;
        try {
            this.template = JinjaTemplate.of(template);
        } catch (TemplateFailure e) {
            throw new BelayException(place + " cannot be read: " + e.getMessage(), e);
        }
    }

    /**
     * Reads the template of a model folder: chat_template.jinja, chat_template.json, or {@code chat_template} in
     * tokenizer_config.json (a string, or a list of which the one named default is taken), or else that which is known for tekken.json.
     * The special tokens come from tokenizer_config.json or else from special_tokens_map.json; one that is in neither is undefined.
     *
     * @throws BelayException if there is no template, or a file cannot be read
     */
    public static ChatTemplate load(Path modelDir) {
        return find(modelDir)
                .orElseThrow(() -> new BelayException("the model " + modelDir
                        + " has no chat template: add chat_template to " + CONFIG + " or a " + JINJA_FILE
                        + " to the model's folder"));
    }

    /** As {@link #load}, but a folder may have no template. */
    public static Optional<ChatTemplate> find(Path modelDir) {
        JsonNode config = json(modelDir.resolve(CONFIG));
        JsonNode special = json(modelDir.resolve("special_tokens_map.json"));
        Path tekken = modelDir.resolve(TekkenFile.NAME);
        Map<String, String> tokens = new HashMap<>();
        if (Files.exists(tekken) && config.isMissingNode()) {
            tokens.put(BEGIN, TekkenFile.BEGIN);
            tokens.put(END, TekkenFile.END);
        }
        putTokens(special, tokens);
        putTokens(config, tokens);
        Path jinja = modelDir.resolve(JINJA_FILE);
        if (Files.exists(jinja)) {
            return Optional.of(new ChatTemplate("the chat template " + jinja, text(jinja), tokens));
        }
        for (Path file : List.of(modelDir.resolve(JSON_FILE), modelDir.resolve(CONFIG))) {
            String template = fromNode(json(file).path("chat_template"), file);
            if (template != null) {
                return Optional.of(new ChatTemplate("the chat template in " + file, template, tokens));
            }
        }
        return Files.exists(tekken)
                ? TekkenFile.read(tekken).template().map(t -> new ChatTemplate("the template of " + tekken, t, tokens))
                : Optional.empty();
    }

    /**
     * A template from its text and the strings of the begin and end tokens (empty if there are none).
     *
     * @throws BelayException if the text is no template
     */
    public static ChatTemplate of(String template, String bos, String eos) {
        Map<String, String> tokens = new HashMap<>(Map.of(BEGIN, bos, END, eos));
        tokens.values().removeIf(String::isEmpty);
        return new ChatTemplate("the chat template", template, tokens);
    }

    /**
     * Renders the messages; with {@code addGenerationPrompt} the text ends where the model's answer begins. Contents are strings, or, for a
     * template that shows no strings, lists of one part of type text, as templates of models that also see images may want them.
     *
     * @throws BelayException if the template fails or refuses these messages
     */
    public String render(List<Message> messages, boolean addGenerationPrompt) {
        TemplateFailure failure = null;
        String text = null;
        try {
            text = render(messages, addGenerationPrompt, Message::content);
        } catch (TemplateFailure e) {
            failure = e;
        }
        if (text == null || !shows(text, messages)) {
            String ofParts = ofParts(messages, addGenerationPrompt);
            text = ofParts == null ? text : ofParts;
        }
        if (text == null) {
            throw new BelayException(place + " failed: " + failure.getMessage(), failure);
        }
        return text;
    }

    /** The messages with their contents in parts; null if the template does not show these. */
    private String ofParts(List<Message> messages, boolean addGenerationPrompt) {
        try {
            String text = render(
                    messages,
                    addGenerationPrompt,
                    message -> List.of(Map.of("type", "text", "text", message.content())));
            // A template for strings may print a list as Python does.
            return shows(text, messages) && !text.contains("'type':") ? text : null;
        } catch (TemplateFailure e) {
            return null;
        }
    }

    private static boolean shows(String text, List<Message> messages) {
        return messages.stream()
                .filter(message -> message.role().equals("user"))
                .allMatch(message -> text.contains(message.content().strip()));
    }

    private String render(List<Message> messages, boolean addGenerationPrompt, Function<Message, Object> content) {
        List<Map<String, Object>> list = new ArrayList<>();
        for (Message message : messages) {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("role", message.role());
            map.put("content", content.apply(message));
            list.add(map);
        }
        Map<String, Object> variables = new HashMap<>(tokens);
        variables.put("messages", list);
        // transformers always passes these two.
        variables.put("tools", null);
        variables.put("documents", null);
        variables.put("add_generation_prompt", addGenerationPrompt);
        return template.render(variables);
    }

    /** Whether the text in which the answer begins ends with this marker. */
    boolean opensAnswer(String marker) {
        try {
            return render(List.of(Message.user("Hello")), true).stripTrailing().endsWith(marker);
        } catch (BelayException e) {
            // A template that refuses such messages says so when it renders those that are asked for.
            return false;
        }
    }

    /** Whether this text is in the template. */
    boolean mentions(String text) {
        return source.contains(text);
    }

    private static String fromNode(JsonNode node, Path file) {
        if (node.isMissingNode() || node.isNull()) {
            return null;
        }
        if (node.isTextual()) {
            return node.textValue();
        }
        for (JsonNode entry : node) {
            if (entry.path("name").asText().equals("default")
                    && entry.path("template").isTextual()) {
                return entry.path("template").textValue();
            }
        }
        throw new BelayException("chat_template in " + file
                + " is neither a string nor a list with an entry named default; add one named default");
    }

    /** Takes the strings under names such as pad_token and image_token, and those of extra_special_tokens if they have names. */
    private static void putTokens(JsonNode file, Map<String, String> tokens) {
        file.path("extra_special_tokens")
                .properties()
                .forEach(named -> putToken(named.getKey(), named.getValue(), tokens));
        file.properties().forEach(named -> {
            if (named.getKey().endsWith("_token")) {
                putToken(named.getKey(), named.getValue(), tokens);
            }
        });
    }

    private static void putToken(String name, JsonNode node, Map<String, String> tokens) {
        JsonNode content = node.isObject() ? node.path("content") : node;
        if (content.isTextual()) {
            tokens.put(name, content.textValue());
        }
    }

    private static JsonNode json(Path file) {
        if (!Files.exists(file)) {
            return MissingNode.getInstance();
        }
        try {
            return JSON.readTree(text(file));
        } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
            throw new BelayException(
                    file + " is not valid JSON (line " + e.getLocation().getLineNr() + ": " + OutputFile.reason(e)
                            + "); copy the model's folder again",
                    e);
        }
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
