package dev.belay.dataset;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.text.Transcript;

/** What a record says, before it has the id of a transcript. */
final class Item {
    private final String prompt;
    private final ObjectNode meta = JsonNodeFactory.instance.objectNode();
    private String id = "";
    private String system = "";
    private String thinking = "";
    private String response = "";
    private Boolean harmful;

    Item(String prompt) {
        this.prompt = prompt;
    }

    Item id(String value) {
        id = value;
        return this;
    }

    Item system(String value) {
        system = value;
        return this;
    }

    Item thinking(String value) {
        thinking = value;
        return this;
    }

    Item response(String value) {
        response = value;
        return this;
    }

    /** @param value null if it is not known */
    Item harmful(Boolean value) {
        harmful = value;
        return this;
    }

    /** Keeps these fields, where they are there and say something. */
    Item meta(Fields fields, String prefix, String... names) {
        for (String name : names) {
            JsonNode value = fields.node(prefix + name);
            if (!value.isMissingNode() && !value.isNull() && !value.asText("x").isEmpty()) {
                meta.set(name, value);
            }
        }
        return this;
    }

    String prompt() {
        return prompt;
    }

    String id() {
        return id;
    }

    Boolean harmful() {
        return harmful;
    }

    Transcript transcript(String uniqueId, Boolean isHarmful) {
        return new Transcript(
                uniqueId, system, prompt, thinking, response, isHarmful, meta.isEmpty() ? null : meta, null);
    }
}
