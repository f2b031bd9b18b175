package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.TestDevices;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code belay demo}: the whole method, once. */
class DemoCommandTest {
    @TempDir
    Path folder;

    @Test
    void theCliffIsFoundAndMended() {
        Path run = folder.resolve("run");
        // On softcuda float32 attention, without tensor cores, takes long.
        String dtype = TestDevices.name().equals("cpu") ? "f32" : "bf16";
        JsonNode json = Cli.run("demo --out ? --json --dtype ?", run, dtype).json();
        assertEquals(
                List.of(
                        "ablation.json",
                        "heads-causal.json",
                        "heads-direct.json",
                        "heads-greedy.json",
                        "manifest.json",
                        "probe.safetensors",
                        "report.html",
                        "selected.jsonl",
                        "traces.jsonl"),
                Cli.names(run));
        JsonNode ablation = json.get("ablation");
        assertEquals(0.0, ablation.get("before").get("attacks_refused").asDouble());
        assertTrue(ablation.get("after").get("attacks_refused").asDouble() >= 0.95);
        assertTrue(ablation.get("random").get("attacks_refused").asDouble() < 0.5);
        for (String arm : List.of("before", "after", "random")) {
            assertEquals(1.0, ablation.get(arm).get("benign_answered").asDouble(), arm);
        }
        assertTrue(json.get("traces").get("plateau").asDouble() > 0.9);
        assertTrue(json.get("traces").get("final").asDouble() < 0.2);
        assertEquals(run.resolve("report.html").toString(), json.get("report").asText());
        files(run, json);
    }

    /** The first heads of a ranking, as layer,head: those that the README prints, on every device. */
    private static List<String> heads(Path run, String method, int count) {
        List<String> names = new ArrayList<>();
        for (JsonNode head : Cli.json(run.resolve("heads-" + method + ".json")).get("ranking")) {
            names.add(head.get("layer").intValue() + "," + head.get("head").intValue());
        }
        return names.subList(0, count);
    }

    private static void files(Path run, JsonNode json) {
        assertEquals(48, Cli.lines(run.resolve("traces.jsonl")).size());
        assertEquals(
                json.get("selection").get("kept").asInt(),
                Cli.lines(run.resolve("selected.jsonl")).size());
        assertEquals(List.of("0,5", "0,4"), heads(run, "greedy", 2));
        assertEquals(List.of("0,5", "3,1", "0,4"), heads(run, "causal", 3));
        assertEquals(List.of("3,1", "3,2", "2,3"), heads(run, "direct", 3));
        JsonNode after = Cli.json(run.resolve("ablation.json")).get("attacks").get("after");
        assertTrue(after.get("refusal_rate").asDouble() >= 0.95);
        String manifest = Cli.text(run.resolve("manifest.json"));
        for (String name : Cli.names(run)) {
            assertTrue(name.equals("manifest.json") || manifest.contains(name), name + " is in the manifest");
        }
        String report = Cli.text(run.resolve("report.html"));
        assertTrue(report.contains("</html>") && report.contains("<svg"), "a whole page with plots");
        assertTrue(Files.isRegularFile(run.resolve("probe.safetensors")));
    }
}
