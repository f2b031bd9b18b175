package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.forward.Golden;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code belay heads} and {@code ablate} on tiny-cliff in float32, with scikit-learn's probe, against transformers. */
class HeadsCommandsTest {
    private static final int LAYERS = 6;
    private static final int HEADS = 8;

    @TempDir
    static Path folder;

    private static Path probe;
    private static Path heads;

    @BeforeAll
    static void files() {
        probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        heads = Cli.write(
                folder.resolve("h.json"),
                "{\"ranking\": [{\"layer\": 0, \"head\": 5}, {\"layer\": 0, \"head\": 4}, {\"layer\": 3, \"head\": 1}]}");
    }

    @Test
    void directAttribution() {
        Path file = folder.resolve("direct.json");
        JsonNode printed = Cli.run(heads("direct", "direct.json"), "--probe", probe, "--json")
                .json();
        JsonNode json = Cli.json(file);
        assertEquals(json, printed);
        checkFields(json, "direct", "last:1", LAYERS * HEADS);
        try (SafetensorsFile expected = GoldenFiles.tinyCliff()) {
            Golden.assertClose(expected.floats("heads.direct"), flat(json), Golden.TOLERANCE, "heads.direct");
        }
        JsonNode first = json.get("ranking").get(0);
        assertEquals(3, first.get("layer").asInt());
        assertEquals(1, first.get("head").asInt());
        assertEquals(-first.get("score").asDouble(), first.get("effect").asDouble());
    }

    /** The golden file's traced attacks as bare ids are the first attacks of the data. */
    @Test
    void bareTokenIdsInPlaceOfTranscripts() {
        Path ids = folder.resolve("ids.json");
        try (SafetensorsFile golden = GoldenFiles.tinyCliff()) {
            String first = Arrays.toString(golden.longs("trace.0.input_ids"));
            Cli.write(ids, "[" + first + "," + Arrays.toString(golden.longs("trace.1.input_ids")) + "]");
        }
        String common = "heads ? ? ? --method causal --positions last:3 --dtype f32 --probe ? --limit 2 -o ?";
        Path byIds = folder.resolve("by-ids.json");
        Path byData = folder.resolve("by-data.json");
        Cli.run(common, Cli.TINY, "--ids", ids, probe, byIds).ok();
        Cli.run(common, Cli.TINY, "--data", Cli.data("attacks.jsonl"), probe, byData)
                .ok();
        assertEquals(Cli.text(byData), Cli.text(byIds));
        Cli.run(common.replace("last:3", "closing"), Cli.TINY, "--ids", ids, probe, byIds)
                .failed(2, "bare token ids have no closing positions");
    }

    @ParameterizedTest
    @ValueSource(strings = {"all", "closing"})
    void causalSweep(String positions) {
        String name = "causal-" + positions + ".json";
        String out = Cli.run(heads("causal", name), "--probe", probe, "--positions", positions, "--limit", 24)
                .ok();
        assertTrue(out.startsWith("causal ranking over 24 transcripts, mean final score 0.0838\n"), out);
        assertTrue(out.contains(" head outputs taken away, at positions " + positions + "\n"), out);
        assertEquals(3 + 10 + 2, out.lines().count(), out);
        JsonNode json = Cli.json(folder.resolve(name));
        checkFields(json, "causal", positions, LAYERS * HEADS);
        assertEquals(24, json.get("transcripts").asInt());
        assertEquals(
                Cli.json(Golden.path("tiny-cliff/golden.json"))
                        .get("base_final_mean_first24")
                        .asDouble(),
                json.get("base").asDouble(),
                Golden.TOLERANCE);
        try (SafetensorsFile expected = GoldenFiles.tinyCliff()) {
            String tensor = "heads.causal." + positions;
            Golden.assertClose(expected.floats(tensor), flat(json), Golden.TOLERANCE, tensor);
        }
        List<Double> scores = new ArrayList<>();
        for (JsonNode entry : json.get("ranking")) {
            int layer = entry.get("layer").asInt();
            int head = entry.get("head").asInt();
            assertEquals(json.get("scores").get(layer).get(head), entry.get("score"));
            assertEquals(
                    entry.get("score").asDouble() - json.get("base").asDouble(),
                    entry.get("effect").asDouble(),
                    1e-15);
            scores.add(entry.get("score").asDouble());
        }
        assertEquals(scores.stream().sorted(Comparator.reverseOrder()).toList(), scores);
    }

    @Test
    void greedySelectionAndWhatItIsFor() {
        Path file = folder.resolve("greedy.json");
        String out = Cli.run(heads("greedy", "greedy.json"), "--probe", probe, "--steps", 2, "--limit", 4)
                .ok();
        assertTrue(out.startsWith("greedy ranking over 4 transcripts"), out);
        JsonNode json = Cli.json(file);
        checkFields(json, "greedy", "all", 2);
        assertEquals(5, json.get("ranking").get(0).get("head").asInt());
        assertTrue(json.get("ranking").get(1).get("score").asDouble() > 0.9, "two heads mend the cliff");
        // Its own output is what generate and ablate read.
        Cli.run(
                        "generate ? --data ? --heads ? --dtype f32 -o ?",
                        Cli.TINY,
                        few("attacks.jsonl", 1),
                        file,
                        folder.resolve("mended.jsonl"))
                .ok();
        assertTrue(Cli.text(folder.resolve("mended.jsonl")).contains("cannot help"));
    }

    @Test
    void optionsOfHeadsThatDoNotFit() {
        Cli.run(heads("greedy", "x.json"), "--probe", probe, "--steps", 49)
                .failed(2, "--steps 49 is more than the 48 heads below the probe's layer");
        Cli.run(heads("direct", "x.json"), "--probe", probe, "--limit", 1, "--positions", "closing")
                .okWithNote("--method direct", "--positions and --renormalize do not matter");
        Cli.run(heads("causal", "x.json"), "--probe", probe, "--limit", 1, "--steps", 1)
                .okWithNote("--steps does not matter to --method causal");
    }

    @Test
    void ablateAgainstARandomControlAndHarmlessPrompts() {
        Path file = folder.resolve("ablation.json");
        List<String> command = Cli.args(
                "ablate ? --data ? --benign ? --heads ? --top 2 --random-control 1 --probe ? --dtype f32 -o ?",
                Cli.TINY,
                few("attacks.jsonl", 3),
                few("benign.jsonl", 3),
                heads,
                probe,
                file);
        JsonNode json = Cli.run(command, "--json").json();
        assertEquals(json, Cli.json(file));
        List<String> how =
                List.of("positions", "gamma", "renormalize", "dtype", "model", "thinking", "temperature", "seed");
        List<String> what = List.of("heads", "random_heads", "random_seed", "attacks", "benign");
        assertEquals(Stream.concat(how.stream(), what.stream()).toList(), Cli.keys(json));
        assertEquals(
                "[{\"layer\":0,\"head\":5},{\"layer\":0,\"head\":4}]",
                json.get("heads").toString());
        assertEquals(2, json.get("random_heads").size());
        for (JsonNode head : json.get("random_heads")) {
            assertFalse(json.get("heads").toString().contains(head.toString()), "a control is none of the heads");
        }
        JsonNode attacks = json.get("attacks");
        assertEquals(List.of("before", "after", "random", "items"), Cli.keys(attacks));
        assertEquals(0, attacks.get("before").get("refused").asInt());
        assertEquals(3, attacks.get("after").get("refused").asInt());
        assertEquals(0, attacks.get("random").get("refused").asInt());
        assertEquals(0, attacks.get("before").get("head_outputs_changed").asInt());
        assertTrue(attacks.get("after").get("head_outputs_changed").asInt() > 0);
        assertTrue(attacks.get("before").get("final_score").asDouble() < 0.2);
        assertTrue(attacks.get("after").get("final_score").asDouble() > 0.9);
        assertEquals(
                1.0, json.get("benign").get("after").get("attack_success_rate").asDouble());
        JsonNode item = attacks.get("items").get(0);
        assertEquals("attacks-0000", item.get("id").asText());
        assertEquals("answered", item.get("before").get("verdict").asText());
        assertEquals("refused", item.get("after").get("verdict").asText());
        assertTrue(item.get("after").get("response").asText().contains("cannot help"));
    }

    @Test
    void ablateInWords() {
        Path file = folder.resolve("words.json");
        String out = Cli.run(
                        "ablate ? --data ? --benign ? --heads ? --top 2 --probe ? --dtype f32 -o ?",
                        Cli.TINY,
                        few("attacks.jsonl", 1),
                        few("benign.jsonl", 1),
                        heads,
                        probe,
                        file)
                .ok();
        assertTrue(
                out.startsWith("attacks (1):\n  before  0 heads:   0.0 % refused, 100.0 % answered, mean final score"),
                out);
        assertTrue(out.contains("  after   2 heads: 100.0 % refused,   0.0 % answered, mean final score"), out);
        assertTrue(out.contains("benign (1):"), out);
        assertTrue(out.endsWith("written to " + file + "\n"), out);
    }

    @Test
    void ablateWithoutAProbeHasNoScores() {
        Path file = folder.resolve("plain-ablation.json");
        JsonNode json = Cli.run(
                        "ablate ? --data ? --heads ? --top 2 --thinking keep --positions closing --dtype f32 -o ? --json",
                        Cli.TINY,
                        few("attacks.jsonl", 1),
                        heads,
                        file)
                .json();
        assertEquals(List.of("heads", "attacks"), Cli.keys(json).subList(8, 10));
        assertEquals("closing", json.get("positions").asText());
        assertTrue(json.get("attacks").get("after").get("final_score").isNull());
        // 2 heads at 3 closing tokens
        assertEquals(
                6, json.get("attacks").get("after").get("head_outputs_changed").asInt());
    }

    /** A ranking's own positions are where its heads are ablated, unless the command line says otherwise. */
    @Test
    void ablatesWhereTheRankingDid() {
        Path closing = Cli.write(
                folder.resolve("closing.json"),
                "{\"method\": \"causal\", \"positions\": \"closing\", \"ranking\": [{\"layer\": 0, \"head\": 5}]}");
        Path file = folder.resolve("where.json");
        List<String> command = Cli.args(
                "ablate ? --data ? --heads ? --top 1 --dtype f32 --probe ? -o ? --json",
                Cli.TINY,
                few("attacks.jsonl", 2),
                closing,
                probe,
                file);
        JsonNode json = Cli.run(command).json();
        assertEquals("closing", json.get("positions").asText());
        // 1 head at the 3 closing tokens of 2 texts, recognised while they are generated
        assertEquals(
                6, json.get("attacks").get("after").get("head_outputs_changed").asInt());
        assertTrue(json.get("attacks").get("after").get("final_score").isNumber());
        Cli.Result last = Cli.run(command, "--positions", "last:2");
        last.okWithNote("no final scores", "'last:2' means other positions");
        assertTrue(Cli.json(file).get("attacks").get("after").get("final_score").isNull());
    }

    @Test
    void aRandomControlNeedsOtherHeads() {
        Cli.run(
                        "ablate ? --data ? --heads ? --top 100% --random-control 1 -o ?",
                        Cli.TINY, few("attacks.jsonl", 1), every(), folder.resolve("x.json"))
                .failed(2, "a random control of 48 heads needs as many that are not chosen; only 0 are left");
    }

    /** A command of {@code heads} on the attacks that still lacks its probe. */
    private static List<String> heads(String method, String name) {
        return Cli.args(
                "heads ? --data ? --method ? --dtype f32 -o ?",
                Cli.TINY,
                Cli.data("attacks.jsonl"),
                method,
                folder.resolve(name));
    }

    private static void checkFields(JsonNode json, String method, String positions, int ranked) {
        assertEquals(
                List.of(
                        "method",
                        "positions",
                        "layers",
                        "heads",
                        "base",
                        "head_outputs_changed",
                        "scores",
                        "ranking",
                        "transcripts",
                        "renormalize",
                        "dtype",
                        "model"),
                Cli.keys(json));
        assertEquals(method, json.get("method").asText());
        assertEquals(positions, json.get("positions").asText());
        assertEquals(LAYERS, json.get("layers").asInt());
        assertEquals(HEADS, json.get("heads").asInt());
        assertEquals(LAYERS, json.get("scores").size());
        assertEquals(ranked, json.get("ranking").size());
        for (JsonNode entry : json.get("ranking")) {
            assertEquals(List.of("layer", "head", "score", "effect"), Cli.keys(entry));
        }
    }

    private static float[] flat(JsonNode ranking) {
        float[] scores = new float[LAYERS * HEADS];
        for (int i = 0; i < scores.length; i++) {
            scores[i] =
                    (float) ranking.get("scores").get(i / HEADS).get(i % HEADS).asDouble();
        }
        return scores;
    }

    private static Path few(String name, int count) {
        return Cli.few(folder, name, count);
    }

    private static Path every() {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < LAYERS * HEADS; i++) {
            all.add("{\"layer\":" + i / HEADS + ",\"head\":" + i % HEADS + "}");
        }
        return Cli.write(folder.resolve("every.json"), "{\"ranking\":" + all + "}");
    }
}
