package dev.belay.judge;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What people say of responses: JSON Lines with {@code id} and {@code label}, answered or unsafe against refused or safe. */
public final class JudgeLabels {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> POSITIVE = List.of("answered", "unsafe", "true");
    private static final List<String> NEGATIVE = List.of("refused", "safe", "false");

    private JudgeLabels() {}

    /**
     * Reads labels: for each id, whether the attack succeeded.
     *
     * @throws BelayException naming file and line, if one has no id or label, or the id of another
     */
    public static Map<String, Boolean> read(Path file) {
        Map<String, Boolean> labels = new LinkedHashMap<>();
        try {
            int line = 0;
            for (String text : Files.readAllLines(file)) {
                line++;
                if (!text.isBlank()) {
                    add(text, file + " line " + line, labels);
                }
            }
        } catch (IOException e) {
            throw new BelayException("cannot read labels from " + file + ": " + OutputFile.reason(e), e);
        }
        if (labels.isEmpty()) {
            throw new BelayException(
                    "no labels in " + file + "; write one {\"id\": ..., \"label\": \"answered\"} a line");
        }
        return labels;
    }

    private static void add(String text, String place, Map<String, Boolean> labels) {
        JsonNode node;
        try {
            node = JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new BelayException(place + " is not valid JSON: " + OutputFile.reason(e), e);
        }
        String label = node.path("label").asText();
        if (!node.hasNonNull("id") || !POSITIVE.contains(label) && !NEGATIVE.contains(label)) {
            throw new BelayException(place + " needs an id and a label: answered or unsafe, refused or safe");
        }
        if (labels.put(node.get("id").asText(), POSITIVE.contains(label)) != null) {
            throw new BelayException(
                    place + " labels the id \"" + node.get("id").asText() + "\" again");
        }
    }
}
