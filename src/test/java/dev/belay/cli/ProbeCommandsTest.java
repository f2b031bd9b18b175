package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.forward.Golden;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code belay probe}, {@code trace} and {@code select} on tiny-cliff in float32, against transformers and scikit-learn. */
class ProbeCommandsTest {
    @TempDir
    static Path folder;

    private static Path probe;
    private static JsonNode trained;
    private static JsonNode golden;

    @BeforeAll
    static void train() {
        probe = folder.resolve("probe.safetensors");
        golden = Cli.json(Golden.path("tiny-cliff/golden.json"));
        trained = Cli.run(
                        "probe train ? --refused ? --complied ? --dtype f32 -o ? --json",
                        Cli.TINY,
                        Cli.data("refused.jsonl"),
                        Cli.data("complied.jsonl"),
                        probe)
                .json();
    }

    @Test
    void theProbeIsThatOfScikitLearn() {
        double objective = golden.get("objective").asDouble();
        assertEquals(objective, trained.get("objective").asDouble(), 1e-6 * objective);
        assertTrue(trained.get("converged").asBoolean());
        assertEquals(64, trained.get("refused").asInt());
        assertEquals(64, trained.get("complied").asInt());
        assertEquals(6, trained.get("layer").asInt());
        assertEquals(1.0, trained.get("auroc").asDouble());
        try (SafetensorsFile file = SafetensorsFile.open(probe);
                SafetensorsFile expected = GoldenFiles.tinyCliff()) {
            assertEquals(Set.of("weight", "bias"), new TreeSet<>(file.names()));
            Golden.assertClose(expected.floats("probe.weight"), file.floats("weight"), 1e-3, "probe.weight");
            Golden.assertClose(expected.floats("probe.bias"), file.floats("bias"), 1e-3, "probe.bias");
            assertEquals("6", file.metadata().get("layer"));
            assertEquals("f32", file.metadata().get("dtype"));
            assertEquals(64, file.metadata().get("model").length());
        }
    }

    @Test
    void aProbeOfAnotherLayer() {
        Path other = folder.resolve("layer3.safetensors");
        String out = Cli.run(
                        "probe train ? --refused ? --complied ? --layer 3 --dtype f32 -o ?",
                        Cli.TINY,
                        few("refused.jsonl", 6),
                        few("complied.jsonl", 6),
                        other)
                .ok();
        assertTrue(out.contains("trained on 12 transcripts at H[3]: objective"), out);
        assertTrue(out.contains("5-fold cross-validation: accuracy"), out);
        Cli.run("trace ? --probe ? --data ? -o ?", Cli.TINY, other, few("attacks.jsonl", 2), folder.resolve("t3.jsonl"))
                .ok();
        Cli.run(
                        "heads ? --probe ? --data ? --method causal --limit 1 -o ?",
                        Cli.TINY,
                        other,
                        Cli.data("attacks.jsonl"),
                        folder.resolve("h3.json"))
                .ok();
        JsonNode scores = Cli.json(folder.resolve("h3.json")).get("scores");
        double base = Cli.json(folder.resolve("h3.json")).get("base").asDouble();
        assertEquals(base, scores.get(3).get(1).asDouble(), "a head at the probe's layer cannot matter");
    }

    @Test
    void probeTest() {
        JsonNode json = Cli.run("probe test ? --probe ? --data ? --dtype f32 --json", Cli.TINY, probe, both())
                .json();
        assertEquals(12, json.get("transcripts").asInt());
        assertEquals(6, json.get("refused").asInt());
        assertEquals(1.0, json.get("accuracy").asDouble());
        assertEquals(1.0, json.get("auroc").asDouble());
        String out = Cli.run("probe test ? --probe ? --data ?", Cli.TINY, probe, few("refused.jsonl", 2))
                .ok();
        assertTrue(
                out.startsWith("2 transcripts, 2 of them refuse: accuracy 1.0000, AUROC undefined (one class only)"),
                out);
        JsonNode one = Cli.run("probe test ? --probe ? --data ? --json", Cli.TINY, probe, few("refused.jsonl", 2))
                .json();
        assertTrue(one.get("auroc").isNull());
    }

    @ParameterizedTest
    @CsvSource({"max,plateau_max", "mean,plateau_mean"})
    void traces(String rule, String key) {
        Path file = folder.resolve("traces-" + rule + ".jsonl");
        JsonNode json = Cli.run(
                        "trace ? --probe ? --data ? --plateau ? --dtype f32 -o ? --json",
                        Cli.TINY,
                        GoldenFiles.probe(folder.resolve("golden.safetensors")),
                        Cli.data("attacks.jsonl"),
                        rule,
                        file)
                .json();
        List<JsonNode> lines = Cli.lines(file);
        JsonNode attacks = golden.get("attacks");
        assertEquals(attacks.size(), lines.size());
        assertEquals(attacks.size(), json.get("transcripts").asInt());
        for (int i = 0; i < lines.size(); i++) {
            JsonNode line = lines.get(i);
            JsonNode expected = attacks.get(i);
            String id = expected.get("id").asText();
            assertEquals(
                    List.of(
                            "id",
                            "tokens",
                            "thinking",
                            "token_ids",
                            "token_texts",
                            "scores",
                            "plateau",
                            "final",
                            "misalignment"),
                    Cli.keys(line));
            assertEquals(id, line.get("id").asText());
            assertEquals(expected.get("tokens"), line.get("tokens"));
            assertEquals(expected.get("tokens").asInt(), line.get("scores").size());
            assertArrayEquals(
                    new int[] {
                        expected.get("think_start").asInt(),
                        expected.get("think_end").asInt()
                    },
                    Cli.ints(line.get("thinking")));
            assertEquals(expected.get(key).asDouble(), line.get("plateau").asDouble(), Golden.TOLERANCE, id);
            assertEquals(expected.get("final").asDouble(), line.get("final").asDouble(), Golden.TOLERANCE, id);
            assertEquals(
                    line.get("plateau").asDouble() - line.get("final").asDouble(),
                    line.get("misalignment").asDouble(),
                    1e-12,
                    id);
        }
        assertEquals(
                golden.get("base_final_mean_48").asDouble(), json.get("final").asDouble(), Golden.TOLERANCE);
    }

    @Test
    void aTraceWithoutThinkingHasNoPlateau() {
        Path data = Cli.write(folder.resolve("plain.jsonl"), "{\"prompt\": \"hello\"}\n");
        Path file = folder.resolve("plain-traces.jsonl");
        List<String> command = Cli.args("trace ? --probe ? --data ? -o ?", Cli.TINY, probe, data, file);
        String out = Cli.run(command).ok();
        assertTrue(out.contains("none has thinking, so there is no plateau"), out);
        assertFalse(out.contains("NaN"), out);
        JsonNode line = Cli.lines(file).getFirst();
        assertTrue(line.get("plateau").isNull() && line.get("misalignment").isNull());
        assertTrue(Cli.run(command, "--json").json().get("misalignment").isNull());
        Cli.run("select ? --probe ? --data ? --top 1 -o ?", Cli.TINY, probe, data, folder.resolve("none.jsonl"))
                .failed(1, data + ": no transcript has thinking", "use --rank final");
    }

    @ParameterizedTest
    @CsvSource({"transcript", "alpaca", "messages"})
    void selectWritesEveryFormat(String format) {
        Path pool = few("pool.jsonl", 12);
        Path file = folder.resolve("selected-" + format + ".jsonl");
        JsonNode json = Cli.run(
                        "select ? --probe ? --data ? --top 20% --format ? --dtype f32 -o ? --json",
                        Cli.TINY, probe, pool, format, file)
                .json();
        assertEquals(12, json.get("pool").asInt());
        assertEquals(3, json.get("selected").size(), "20 % of 12, rounded up");
        List<JsonNode> lines = Cli.lines(file);
        assertEquals(3, lines.size());
        for (int i = 0; i < 3; i++) {
            String id = json.get("selected").get(i).get("id").asText();
            JsonNode source = Cli.lines(pool).stream()
                    .filter(t -> t.get("id").asText().equals(id))
                    .findFirst()
                    .orElseThrow();
            JsonNode line = lines.get(i);
            String prompt = source.get("prompt").asText();
            String answer = "<think>\n" + source.get("thinking").asText() + "\n</think>\n\n"
                    + source.get("response").asText();
            switch (format) {
                case "transcript" -> assertEquals(source, line);
                case "alpaca" -> {
                    assertEquals(List.of("instruction", "input", "output"), Cli.keys(line));
                    assertEquals(prompt, line.get("instruction").asText());
                    assertEquals(answer, line.get("output").asText());
                }
                default -> {
                    assertEquals(id, line.get("id").asText());
                    assertEquals(
                            prompt, line.get("messages").get(0).get("content").asText());
                    assertEquals(
                            "assistant", line.get("messages").get(1).get("role").asText());
                    assertEquals(
                            answer, line.get("messages").get(1).get("content").asText());
                }
            }
        }
    }

    @Test
    void selectRanks() {
        Path pool = few("pool.jsonl", 12);
        Path traces = folder.resolve("pool-traces.jsonl");
        Cli.run("trace ? --probe ? --data ? --dtype f32 -o ?", Cli.TINY, probe, pool, traces)
                .ok();
        Comparator<JsonNode> deepest =
                Comparator.comparingDouble(t -> -t.get("misalignment").asDouble());
        Comparator<JsonNode> lowest =
                Comparator.comparingDouble(t -> t.get("final").asDouble());
        assertEquals(best(traces, deepest), selected(pool, "misalignment", 0));
        assertEquals(best(traces, lowest), selected(pool, "final", 0));
        assertEquals(selected(pool, "random", 5), selected(pool, "random", 5));
        assertFalse(selected(pool, "random", 5).equals(selected(pool, "random", 6)));
        Cli.run("select ? --probe ? --data ? --top 13 -o ?", Cli.TINY, probe, pool, folder.resolve("s.jsonl"))
                .failed(1, "--top 13 is more than the 12 there are");
    }

    private static List<String> best(Path traces, Comparator<JsonNode> order) {
        return Cli.lines(traces).stream()
                .sorted(order)
                .limit(4)
                .map(t -> t.get("id").asText())
                .toList();
    }

    private static List<String> selected(Path pool, String rank, int seed) {
        JsonNode json = Cli.run(
                        "select ? --probe ? --data ? --top 4 --rank ? --seed ? --dtype f32 -o ? --json",
                        Cli.TINY,
                        probe,
                        pool,
                        rank,
                        seed,
                        folder.resolve("s.jsonl"))
                .json();
        List<String> ids = new ArrayList<>();
        json.get("selected").forEach(s -> ids.add(s.get("id").asText()));
        return ids;
    }

    private static Path few(String name, int count) {
        return Cli.few(folder, name, count);
    }

    private static Path both() {
        return Cli.write(
                folder.resolve("both.jsonl"), Cli.text(few("refused.jsonl", 6)) + Cli.text(few("complied.jsonl", 6)));
    }
}
