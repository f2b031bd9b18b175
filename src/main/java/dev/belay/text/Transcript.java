package dev.belay.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A prompt, what the model thought and what it answered.
 *
 * @param id names it in reports; unique within a file
 * @param system the system prompt that goes before it, or empty
 * @param prompt what the person asked
 * @param thinking the text between the thinking markers, or empty
 * @param response the text after them, or empty
 * @param harmful whether the prompt is harmful, or null if the file does not say
 * @param meta whatever else the file says under {@code meta}, or null
 * @param source the line it was read from with all of its fields, or null if it was not read from a file
 */
public record Transcript(
        String id,
        String system,
        String prompt,
        String thinking,
        String response,
        Boolean harmful,
        JsonNode meta,
        JsonNode source) {
    /** A transcript that does not come from a file and has no system prompt. */
    public Transcript(String id, String prompt, String thinking, String response, Boolean harmful, JsonNode meta) {
        this(id, "", prompt, thinking, response, harmful, meta, null);
    }

    /** The same with a system prompt, which goes into the source too. */
    public Transcript withSystem(String newSystem) {
        JsonNode changed = source == null ? null : ((ObjectNode) source.deepCopy()).put("system", newSystem);
        return new Transcript(id, newSystem, prompt, thinking, response, harmful, meta, changed);
    }

    /** Whether the file says that the text stops before an answer: in the thinking, or at the limit of tokens. */
    public boolean unfinished() {
        return isFalse("thinking_closed") || response.isBlank() && isFalse("ended");
    }

    private boolean isFalse(String field) {
        return source != null
                && source.path(field).isBoolean()
                && !source.path(field).booleanValue();
    }

    /** The same prompt with another answer; fields of the source that Belay does not know stay. */
    public Transcript answered(String newThinking, String newResponse) {
        JsonNode changed = null;
        if (source != null) {
            ObjectNode copy = source.deepCopy();
            changed = copy.put("thinking", newThinking).put("response", newResponse);
        }
        return new Transcript(id, system, prompt, newThinking, newResponse, harmful, meta, changed);
    }
}
