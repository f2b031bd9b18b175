package dev.belay.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunManifestTest {
    private static final Machine MACHINE = new Machine("0.1.0", "JDK 25", "Linux 6", "Test CPU", 2, 1024);
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-03-02T10:15:00Z"), ZoneOffset.UTC);

    @TempDir
    Path folder;

    @Test
    void writesWhatIsNeededToRepeatARun() throws IOException {
        Path scores = Files.writeString(folder.resolve("scores.csv"), "abc");
        Path target = folder.resolve("manifest.json");
        new RunManifest("belay sweep models/tiny", CLOCK, MACHINE)
                .arguments(List.of("sweep", "models/tiny"), Path.of("/work"))
                .model(Path.of("models", "tiny"), "f00d")
                .device("cpu")
                .seed("probe", 7)
                .option("--plateau", "max")
                .option("--top", 0.03)
                .option("--heads", List.of("0,5", "3,1"))
                .option("--limit", null)
                .option("--output", Path.of("out"))
                .artifact(scores)
                .write(target);
        JsonNode root = new ObjectMapper().readTree(target.toFile());
        assertEquals("2026-03-02T10:15:00Z", root.path("started").asText());
        assertEquals("2026-03-02T10:15:00Z", root.path("finished").asText());
        assertEquals("0.1.0", root.path("version").asText());
        assertEquals("models/tiny", root.at("/models/0/path").asText());
        assertEquals("f00d", root.at("/models/0/fingerprint").asText());
        assertEquals("sweep", root.at("/arguments/0").asText());
        assertEquals("/work", root.path("directory").asText());
        assertEquals("Test CPU", root.path("machine").path("cpu").asText());
        assertEquals(7, root.path("seeds").path("probe").asLong());
        assertEquals(0.03, root.path("options").path("--top").asDouble());
        assertEquals("3,1", root.path("options").path("--heads").path(1).asText());
        assertTrue(root.path("options").path("--limit").isNull());
        assertEquals("out", root.path("options").path("--output").asText());
        JsonNode artifact = root.path("artifacts").path(0);
        assertEquals("scores.csv", artifact.path("path").asText());
        assertEquals(3, artifact.path("bytes").asLong());
        assertEquals(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                artifact.path("sha256").asText());
    }

    @Test
    void factsKeepTheirOrderAndLeaveOutWhatIsUnset() {
        RunManifest manifest =
                new RunManifest("belay trace", CLOCK, MACHINE).seed("a", 1).option("--top", null);
        assertEquals(
                List.of("command", "belay", "started", "cpu", "java", "os", "seed: a", "--top"),
                List.copyOf(manifest.facts().keySet()));
        assertEquals("Test CPU, 2 processors", manifest.facts().get("cpu"));
        assertEquals("–", manifest.facts().get("--top"));
    }

    /** What a shell would take apart stands in quotes, and what would end the element in the page does not stand there. */
    @Test
    void aPageHoldsTheManifestAndTheCommandLine() throws IOException {
        List<String> line = List.of("trace", "my model", "--thinking-markers", "it's </script><b>&", "-o", "t.jsonl");
        RunManifest manifest = new RunManifest("trace", CLOCK, MACHINE).arguments(line, folder);
        String page = HtmlReport.render(
                RunReport.builder("title", "model").manifest(manifest.finish()).build());
        JsonNode root = new ObjectMapper().readTree(RunManifest.inPage(page));
        List<String> arguments = new ArrayList<>();
        root.path("arguments").forEach(argument -> arguments.add(argument.asText()));
        assertEquals(line, arguments);
        assertEquals(
                "belay trace 'my model' --thinking-markers 'it'\\''s </script><b>&' -o t.jsonl",
                manifest.commandLine());
        assertTrue(page.contains("<code>belay trace &#39;my model&#39;"), page);
        assertFalse(page.contains("<b>&"), page);
        assertNull(RunManifest.inPage("<html>"));
    }

    @Test
    void phasesThatFollowEachOther() {
        Iterator<Long> clock =
                List.of(0L, 1_000_000_000L, 1_000_000_000L, 3_000_000_000L).iterator();
        Timings timings = new Timings(clock::next);
        timings.next("load");
        timings.next("run");
        timings.end();
        timings.end();
        assertEquals(Map.of("load", 1.0, "run", 2.0), timings.seconds());
    }

    @Test
    void knowsThisMachine() {
        assertTrue(Machine.peakBytes() > 10_000_000, "the JVM has more than 10 MB");
        JsonNode machine = RunManifest.start("belay").toJson().path("machine");
        assertTrue(machine.path("processors").asInt() > 0);
        assertFalse(machine.path("cpu").asText().isBlank());
        assertTrue(machine.path("java").asText().contains("25"));
    }

    @Test
    void namesAMissingArtifact() {
        RunManifest manifest = RunManifest.start("belay");
        Path missing = folder.resolve("missing.csv");
        BelayException e = assertThrows(BelayException.class, () -> manifest.artifact(missing));
        assertTrue(e.getMessage().contains("missing.csv"), e.getMessage());
    }

    @Test
    void timingsAddUpInOrder() {
        Iterator<Long> clock = List.of(
                        0L, 1_000_000_000L, 2_000_000_000L, 4_500_000_000L, 5_000_000_000L, 5_250_000_000L)
                .iterator();
        Timings timings = new Timings(clock::next);
        Timings.Phase outer = timings.phase("load");
        try (var _ = timings.phase("sweep")) {
            assertEquals(Map.of("load", 0.0, "sweep", 0.0), timings.seconds());
        }
        outer.close();
        outer.close();
        try (var _ = timings.phase("sweep")) {
            assertEquals(1.0, timings.seconds().get("sweep"));
        }
        assertEquals(List.of("load", "sweep"), List.copyOf(timings.seconds().keySet()));
        assertEquals(4.5, timings.seconds().get("load"));
        assertEquals(1.25, timings.seconds().get("sweep"));
    }
}
