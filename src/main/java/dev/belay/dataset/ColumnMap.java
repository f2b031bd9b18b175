package dev.belay.dataset;

import dev.belay.BelayException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Which columns hold what, as a user says it: {@code prompt=COLUMN,response=COLUMN}. */
public final class ColumnMap {
    private static final List<String> KEYS = List.of("id", "system", "prompt", "thinking", "response", "harmful");

    private final Map<String, String> columns = new LinkedHashMap<>();

    private ColumnMap() {}

    /**
     * Reads pairs with commas between them; the keys are id, system, prompt, thinking, response and harmful.
     *
     * @throws BelayException if one is no such pair, or prompt is not among them
     */
    public static ColumnMap parse(String text) {
        ColumnMap map = new ColumnMap();
        for (String pair : text.split(",", -1)) {
            int equals = pair.indexOf('=');
            String key = equals < 0 ? pair : pair.substring(0, equals).strip();
            if (equals < 0 || !KEYS.contains(key) || pair.substring(equals + 1).isBlank()) {
                throw new BelayException(
                        "'" + pair + "' names no column: use KEY=COLUMN with one of " + String.join(", ", KEYS));
            }
            if (map.columns.putIfAbsent(key, pair.substring(equals + 1).strip()) != null) {
                throw new BelayException("two columns are given for '" + key + "'");
            }
        }
        if (!map.columns.containsKey("prompt")) {
            throw new BelayException("no column is given for the prompt: add prompt=COLUMN");
        }
        return map;
    }

    Item read(Fields fields) {
        Item item = new Item(fields.text(columns.get("prompt")));
        if (columns.containsKey("id")) {
            item.id(fields.text(columns.get("id")));
        }
        if (columns.containsKey("system")) {
            item.system(fields.text(columns.get("system")));
        }
        if (columns.containsKey("thinking")) {
            item.thinking(fields.text(columns.get("thinking")));
        }
        if (columns.containsKey("response")) {
            item.response(fields.text(columns.get("response")));
        }
        return columns.containsKey("harmful") ? item.harmful(fields.truth(columns.get("harmful"))) : item;
    }
}
