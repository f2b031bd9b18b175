package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.judge.GuardSummary;
import dev.belay.judge.JudgeSummary;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The page of {@code belay judge}.
 *
 * @param guarded whether a guard model judged
 * @param items the verdict on each transcript, as in the output
 * @param answer the totals in words
 * @param parts the responses by verdict
 */
record JudgePage(
        Path data,
        boolean guarded,
        List<Transcript> transcripts,
        ArrayNode items,
        List<String> story,
        Map<String, Integer> parts) {

    void fill(RunReport.Builder page) {
        story.forEach(finding -> page.story(Character.toUpperCase(finding.charAt(0)) + finding.substring(1) + "."));
        page.subtitle("Which of " + transcripts.size() + " responses in " + data.getFileName()
                        + (guarded ? " are unsafe?" : " refuse?"))
                .outcome(PageParts.shares("responses", parts, transcripts.size()));
        DataTable table = new DataTable("All responses", "The verdict on each, why, and its beginning.")
                .name("id")
                .text("verdict")
                .text(guarded ? "categories" : "phrase");
        if (!guarded) {
            table.text("thinking");
        }
        table.wide("prompt").wide("response");
        for (int i = 0; i < transcripts.size(); i++) {
            Transcript t = transcripts.get(i);
            JsonNode item = items.get(i);
            List<Object> row =
                    new ArrayList<>(List.of(t.id(), item.get("verdict").asText(), reason(item)));
            if (!guarded) {
                row.add(item.get("thinking_verdict").asText());
            }
            row.addAll(List.of(t.prompt(), t.response()));
            table.row(row.toArray());
        }
        page.table(table);
    }

    private String reason(JsonNode item) {
        return guarded
                ? item.path("categories").valueStream().map(JsonNode::asText).collect(Collectors.joining(", "))
                : item.path("phrase").asText("");
    }

    /** The responses by verdict. */
    static Map<String, Integer> shares(JudgeSummary s) {
        Map<String, Integer> shares = new LinkedHashMap<>();
        shares.put("refused", s.refused());
        shares.put("answered", s.answered());
        shares.put("empty", s.empty());
        shares.put("incomplete", s.incomplete());
        return shares;
    }

    /** The responses by the guard's verdict. */
    static Map<String, Integer> shares(GuardSummary s) {
        Map<String, Integer> shares = new LinkedHashMap<>();
        shares.put("unsafe", s.unsafe());
        shares.put("safe", s.safe());
        shares.put("unparsable", s.unparsable());
        shares.put("empty", s.empty());
        shares.put("incomplete", s.incomplete());
        return shares;
    }
}
