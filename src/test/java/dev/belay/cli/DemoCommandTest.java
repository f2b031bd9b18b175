package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.TestDevices;
import dev.belay.io.OutputFile;
import dev.belay.run.OutputLock;
import java.nio.file.Files;
import java.nio.file.Path;
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
        JsonNode arms = json.get("ablation");
        assertTrue(arms.get("after").get("attacks_refused").asDouble() >= 0.95);
        assertEquals(1.0, arms.get("after").get("benign_answered").asDouble());
        assertTrue(json.get("traces").get("plateau").asDouble() > 0.9);
        assertTrue(json.get("traces").get("final").asDouble() < 0.2);
        assertEquals(run.resolve("report.html").toString(), json.get("report").asText());
        files(run, json);
        DemoStory.check(run);
    }

    @Test
    void twoDemosCannotWriteOneFolder() {
        Path run = folder.resolve("run");
        OutputFile.check(run.resolve("report.html"));
        try (var _ = OutputLock.of(run.resolve("report.html"))) {
            Cli.run("demo --out ?", run).failed(1, run + "/report.html is being written by another run");
        }
        assertEquals(List.of(), Cli.names(run));
    }

    private static void files(Path run, JsonNode json) {
        assertEquals(48, Cli.lines(run.resolve("traces.jsonl")).size());
        assertEquals(
                json.get("selection").get("kept").asInt(),
                Cli.lines(run.resolve("selected.jsonl")).size());
        String manifest = Cli.text(run.resolve("manifest.json"));
        for (String name : Cli.names(run)) {
            assertTrue(name.equals("manifest.json") || manifest.contains(name), name + " is in the manifest");
        }
        String report = Cli.text(run.resolve("report.html"));
        assertTrue(report.contains("</html>") && report.contains("<svg"), "a whole page with plots");
        assertTrue(Files.isRegularFile(run.resolve("probe.safetensors")));
    }
}
