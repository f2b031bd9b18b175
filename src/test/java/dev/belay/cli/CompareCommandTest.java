package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code belay compare}: tiny-cliff before and after its suppressing heads are baked away. */
class CompareCommandTest {
    private static final int ATTACKS = 12;
    private static final int HARMLESS = 6;
    private static final String COMPARE =
            "compare ? ? --probe ? --data ? --dtype f32 --max-new-tokens 40 --batch-tokens 512 -o ?";

    @TempDir
    static Path folder;

    private static Path probe;
    private static Path heads;
    private static Path baked;
    private static Path attacks;
    private static Path mixed;

    @BeforeAll
    static void files() throws IOException {
        probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        heads = Cli.write(
                folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 0, \"head\": 5}, {\"layer\": 0, \"head\": 4}]}");
        baked = folder.resolve("baked");
        Cli.run("bake ? --heads ? --top 2 -o ?", Cli.TINY, heads, baked).ok();
        attacks = Cli.few(folder, "attacks.jsonl", ATTACKS);
        List<String> lines = new ArrayList<>(Files.readAllLines(attacks));
        lines.addAll(3, Files.readAllLines(Cli.data("benign.jsonl")).subList(0, HARMLESS));
        mixed = Files.write(folder.resolve("mixed.jsonl"), lines);
    }

    /** The same numbers as trace of each model, and as ablate of the heads that were baked away. */
    @Test
    void aBakedModelAgainstItsOrigin() {
        Path file = folder.resolve("c.json");
        Path page = folder.resolve("c.html");
        List<String> args = Cli.args(COMPARE, Cli.TINY, baked, probe, mixed, file);
        JsonNode json = Cli.run(args, "--report", page, "--json").json();
        assertEquals(Cli.json(file), json);
        JsonNode measured = json.get("attacks");
        double[] cliffs = new double[2];
        List<JsonNode> before = traces(Cli.TINY);
        List<JsonNode> after = traces(baked);
        for (int i = 0; i < ATTACKS; i++) {
            JsonNode item = measured.get("items").get(i);
            assertEquals(before.get(i).get("id"), item.get("id"));
            for (String number : List.of("plateau", "final", "misalignment")) {
                assertEquals(before.get(i).get(number), item.get("before").get(number));
                assertEquals(after.get(i).get(number), item.get("after").get(number));
            }
            cliffs[0] += before.get(i).get("misalignment").asDouble() / ATTACKS;
            cliffs[1] += after.get(i).get("misalignment").asDouble() / ATTACKS;
        }
        JsonNode cliff = measured.get("cliff");
        assertEquals(ATTACKS, cliff.get("n").asInt());
        assertEquals(cliffs[0], cliff.at("/before/mean").asDouble(), 1e-9);
        assertEquals(cliffs[1], cliff.at("/after/mean").asDouble(), 1e-9);
        assertEquals(cliffs[1] - cliffs[0], cliff.at("/change/mean").asDouble(), 1e-9);
        assertTrue(cliff.at("/change/low").asDouble() < cliff.at("/change/mean").asDouble());
        assertTrue(cliff.at("/change/high").asDouble() < -0.5, cliff.toString());
        // All 12 fall: of the 2¹² choices of signs two are as extreme.
        assertEquals(ATTACKS, cliff.get("down").asInt());
        assertEquals(2 / 4096.0, cliff.get("p").asDouble());
        sameAsAblation(measured);
        assertEquals(HARMLESS, json.at("/benign/refused/n").asInt());
        assertEquals(1, json.at("/benign/refused/p").asDouble());
        assertEquals(HARMLESS, json.at("/benign/items").size());
        assertEquals("refusal phrases", json.get("judge").asText());
        String html = Cli.text(page);
        assertTrue(html.contains("class=\"mean earlier\"") && html.contains("<table class=\"changes\">"));
        assertTrue(html.contains("tiny-cliff → baked"));
        assertTrue(html.contains("refusal phrases"));
    }

    private static List<JsonNode> traces(Path model) {
        Path file = folder.resolve("traces-" + model.getFileName());
        Cli.run("trace ? --probe ? --data ? --dtype f32 --batch-tokens 512 -o ?", model, probe, attacks, file)
                .ok();
        return Cli.lines(file);
    }

    private static void sameAsAblation(JsonNode measured) {
        Path file = folder.resolve("a.json");
        Cli.run(
                        "ablate ? --data ? --heads ? --top 2 --dtype f32 --max-new-tokens 40 --batch-tokens 512 -o ?",
                        Cli.TINY,
                        attacks,
                        heads,
                        file)
                .ok();
        JsonNode ablation = Cli.json(file).get("attacks");
        for (int i = 0; i < ATTACKS; i++) {
            for (String arm : List.of("before", "after")) {
                JsonNode expected = ablation.get("items").get(i).get(arm);
                JsonNode actual = measured.get("items").get(i).get(arm);
                assertEquals(expected.get("response"), actual.get("response"));
                assertEquals(expected.get("verdict"), actual.get("verdict"));
            }
        }
        for (String arm : List.of("before", "after")) {
            assertEquals(
                    ablation.get(arm).get("attack_success_rate"),
                    measured.get("attack_success").get(arm).get("mean"));
            assertEquals(
                    ablation.get(arm).get("refusal_rate"),
                    measured.get("refused").get(arm).get("mean"));
        }
        assertEquals(2 / 4096.0, measured.get("attack_success").get("p").asDouble(), 1e-15);
    }

    @Test
    void aModelAgainstItself() {
        Path file = folder.resolve("same.json");
        String out = Cli.run(COMPARE, Cli.TINY, Cli.TINY, probe, attacks, file).ok();
        assertTrue(out.startsWith(ATTACKS + " attacks "), out);
        assertEquals(8, out.lines().count(), out);
        assertTrue(out.contains("\nattack success and refused: judged by refusal phrases\n"), out);
        out.lines().skip(1).limit(5).forEach(line -> assertTrue(line.endsWith(" 1.000"), line));
        JsonNode json = Cli.json(file);
        for (String measure : List.of("plateau", "final_score", "cliff", "attack_success", "refused")) {
            JsonNode change = json.get("attacks").get(measure);
            assertEquals(0, change.at("/change/mean").asDouble());
            assertEquals(change.get("before"), change.get("after"));
        }
        assertFalse(json.has("benign"));
    }

    /** A probe with another bias moves the scores of the model after, and no others. */
    @Test
    void aProbeOfItsOwnForTheModelAfter() {
        Path other = folder.resolve("other.safetensors");
        Cli.run(
                        "probe train ? --refused ? --complied ? --dtype f32 -o ?",
                        Cli.TINY,
                        Cli.data("refused.jsonl"),
                        Cli.data("complied.jsonl"),
                        other)
                .ok();
        Path file = folder.resolve("probes.json");
        List<String> args = Cli.args(COMPARE, Cli.TINY, Cli.TINY, probe, attacks, file);
        Cli.run(args, "--probe-b", other).ok();
        JsonNode change = Cli.json(file).at("/attacks/final_score");
        assertTrue(Math.abs(change.at("/change/mean").asDouble()) > 1e-6, change.toString());
        assertEquals(0, Cli.json(file).at("/attacks/refused/change/mean").asDouble());
    }

    @Test
    void anInterruptedRunGoesOnOnlyWithTheSameModelAfter() {
        Path file = folder.resolve("again.json");
        List<String> args = Cli.args(COMPARE, Cli.TINY, baked, probe, attacks, file);
        Cli.run(args, "--keep-progress").ok();
        byte[] once = Cli.bytes(file);
        Cli.run(Cli.args(COMPARE, Cli.TINY, Cli.TINY, probe, attacks, file), "--resume")
                .failed(1, "cannot resume", "after");
        Cli.run(args, "--resume").ok();
        assertArrayEquals(once, Cli.bytes(file));
    }

    @Test
    void badInput() {
        Path file = folder.resolve("bad.json");
        Cli.run("compare ? --probe ? --data ? -o ?", Cli.TINY, probe, attacks, file)
                .failed(2, "AFTER");
        Cli.run(COMPARE, Cli.TINY, folder.resolve("none"), probe, attacks, file).failed(1, "none");
        Cli.run(COMPARE, Cli.TINY, Cli.LLAMA, probe, attacks, file).failed(1, "probe.safetensors");
        Cli.run(COMPARE, Cli.TINY, baked, probe, Cli.data("benign.jsonl"), file)
                .failed(1, "benign.jsonl has no attacks", "--benign");
        Cli.run(Cli.args(COMPARE, Cli.TINY, baked, probe, attacks, file), "--profile", folder.resolve("t.json"))
                .failed(2, "--profile");
        assertFalse(Files.exists(file));
    }
}
