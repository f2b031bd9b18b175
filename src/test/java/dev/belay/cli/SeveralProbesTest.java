package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.forward.Golden;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Probes of every kind, and {@code belay trace} with more than one, on tiny-cliff in float32. */
class SeveralProbesTest {
    @TempDir
    static Path folder;

    private static Path golden;
    private static Path means;
    private static Path directions;
    private static Path low;
    private static JsonNode trained;
    private static Path attacks;

    @BeforeAll
    static void train() {
        golden = GoldenFiles.probe(folder.resolve("golden.safetensors"));
        means = folder.resolve("means.safetensors");
        directions = folder.resolve("directions.safetensors");
        low = folder.resolve("low.v2.safetensors");
        attacks = Cli.few(folder, "attacks.jsonl", 8);
        train("--kind mean-difference", means);
        trained = train("--kind nullspace --directions 2", directions);
        train("--kind mean-difference --layer 2", low);
    }

    private static JsonNode train(String options, Path output) {
        return Cli.run(
                        "probe train ? --refused ? --complied ? --dtype f32 --json -o ? " + options,
                        Cli.TINY,
                        Cli.data("refused.jsonl"),
                        Cli.data("complied.jsonl"),
                        output)
                .json();
    }

    /** Objectives and norms that scikit-learn finds for the states of the golden file, as in ProbeKindsTest, and its AUROC. */
    @Test
    void theKindsAreThoseOfScikitLearn() {
        assertEquals("nullspace", trained.get("kind").asText());
        JsonNode each = trained.get("directions");
        assertEquals(2, each.size());
        assertEquals(0.3869078275830396, each.get(0).get("objective").asDouble(), 1e-5);
        assertEquals(88.58645966820102, each.get(1).get("objective").asDouble(), 1e-3);
        assertEquals(1.0, each.get(0).get("auroc").asDouble());
        assertTrue(each.get(1).get("auroc").asDouble() < 0.7, "one direction holds all of it: " + each);
        try (SafetensorsFile file = SafetensorsFile.open(directions);
                SafetensorsFile mean = SafetensorsFile.open(means)) {
            assertEquals(Set.of("weight", "bias", "weight.2", "bias.2"), new TreeSet<>(file.names()));
            assertEquals("nullspace", file.metadata().get("kind"));
            assertEquals("mean-difference", mean.metadata().get("kind"));
            assertEquals(0.779773085, norm(file.floats("weight")), 1e-4);
            assertEquals(0.413040162, norm(file.floats("weight.2")), 1e-2);
            assertEquals(0.779773373, norm(mean.floats("weight")), 1e-4);
            float[] expected = {0.039479205f, -0.053830344f, 0.058765097f, -0.017211049f};
            Golden.assertClose(expected, Arrays.copyOf(mean.floats("weight"), 4), 1e-4, "mean-difference");
        }
    }

    private static double norm(float[] values) {
        double sum = 0;
        for (float value : values) {
            sum += (double) value * value;
        }
        return Math.sqrt(sum);
    }

    @Test
    void probeTestMeasuresEveryDirection() {
        Path both = Cli.write(
                folder.resolve("both.jsonl"),
                Cli.text(Cli.few(folder, "refused.jsonl", 6)) + Cli.text(Cli.few(folder, "complied.jsonl", 6)));
        String out = Cli.run("probe test ? --probe ? --data ? --dtype f32", Cli.TINY, directions, both)
                .ok();
        assertEquals(3, out.lines().count(), out);
        assertTrue(out.startsWith("12 transcripts, 6 of them refuse: accuracy 1.0000, AUROC 1.0000"), out);
        assertTrue(
                out.contains("\n  direction 1: accuracy 1.0000") && out.contains("\n  direction 2: accuracy 0."), out);
        JsonNode json = Cli.run("probe test ? --probe ? --data ? --dtype f32 --json", Cli.TINY, directions, both)
                .json();
        assertEquals(2, json.get("directions").size());
        assertEquals(json.get("log_loss"), json.get("directions").get(0).get("log_loss"));
        JsonNode one = Cli.run("probe test ? --probe ? --data ? --dtype f32 --json", Cli.TINY, means, both)
                .json();
        assertEquals(1.0, one.get("accuracy").asDouble());
        assertTrue(one.path("directions").isMissingNode());
    }

    /** What takes one probe takes the direction that scores; another direction can be taken out of the file. */
    @Test
    void aProbeOfSeveralDirectionsServesAsOne() {
        Path heads = folder.resolve("h.json");
        Cli.run("heads ? --probe ? --data ? --method direct --limit 2 -o ?", Cli.TINY, directions, attacks, heads)
                .ok();
        Path second = folder.resolve("second.safetensors");
        Cli.run("probe import ? --weight weight.2 --bias bias.2 --layer last -o ?", directions, second)
                .ok();
        try (SafetensorsFile file = SafetensorsFile.open(directions);
                SafetensorsFile copy = SafetensorsFile.open(second)) {
            assertArrayEquals(file.floats("weight.2"), copy.floats("weight"));
            assertArrayEquals(file.floats("bias.2"), copy.floats("bias"));
        }
    }

    /** transformers' scores of the golden probe at every position, from the first token of the prompt on. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void everyTokenFromTheFirstIsScored(boolean withOthers) {
        Path file = folder.resolve("every-" + withOthers + ".jsonl");
        String others = withOthers ? " --probe " + low + " --probe mean=" + means : "";
        Cli.run("trace ? --probe ? --data ? --dtype f32 -o ?" + others, Cli.TINY, golden, attacks, file)
                .ok();
        List<JsonNode> lines = Cli.lines(file);
        assertEquals(8, lines.size());
        try (SafetensorsFile expected = GoldenFiles.tinyCliff()) {
            for (int i = 0; i < lines.size(); i++) {
                JsonNode line = lines.get(i);
                JsonNode scores = (withOthers ? line.get("probes").get("golden") : line).get("scores");
                assertEquals(line.get("tokens").asInt(), scores.size());
                int prompt = Cli.ints(line.get("thinking"))[0];
                assertTrue(prompt > 0, "there is no prompt before the thinking");
                float[] actual = new float[scores.size()];
                for (int t = 0; t < actual.length; t++) {
                    actual[t] = (float) scores.get(t).asDouble();
                }
                Golden.assertClose(expected.floats("trace." + i + ".score"), actual, Golden.TOLERANCE, "trace " + i);
            }
        }
    }

    @Test
    void eachProbeHasItsScoresUnderItsName() {
        Path file = folder.resolve("three.jsonl");
        JsonNode json = Cli.run(
                        "trace ? --probe ? --probe ? --probe ? --data ? -o ? --json",
                        Cli.TINY,
                        golden,
                        low,
                        "mean=" + means,
                        attacks,
                        file)
                .json();
        List<String> names = List.of("golden", "low.v2", "mean");
        assertEquals(names, Cli.keys(json.get("probes")));
        List<Path> probes = List.of(golden, low, means);
        for (int n = 0; n < names.size(); n++) {
            Path alone = folder.resolve("alone-" + n + ".jsonl");
            JsonNode own = Cli.run("trace ? --probe ? --data ? -o ? --json", Cli.TINY, probes.get(n), attacks, alone)
                    .json();
            JsonNode among = json.get("probes").get(names.get(n));
            assertEquals(List.of("plateau", "final", "misalignment"), Cli.keys(among));
            assertEquals(own.get("misalignment"), among.get("misalignment"));
            for (int i = 0; i < 8; i++) {
                JsonNode record = Cli.lines(file).get(i);
                JsonNode single = Cli.lines(alone).get(i);
                assertEquals(
                        List.of("id", "tokens", "thinking", "token_ids", "token_texts", "probes"), Cli.keys(record));
                assertEquals(names, Cli.keys(record.get("probes")));
                JsonNode mine = record.get("probes").get(names.get(n));
                assertEquals(List.of("scores", "plateau", "final", "misalignment"), Cli.keys(mine));
                for (String key : Cli.keys(single)) {
                    assertEquals(single.get(key), record.has(key) ? record.get(key) : mine.get(key), key);
                }
            }
        }
        String words = Cli.run("trace ? --probe ? --probe ? --data ? -o ?", Cli.TINY, golden, low, attacks, file)
                .ok();
        assertTrue(words.startsWith("golden: 8 transcripts: mean plateau "), words);
        assertTrue(words.contains("\nlow.v2: 8 transcripts: mean plateau "), words);
    }

    @Test
    void aNameForTheOnlyProbeChangesNothing() {
        Path plain = folder.resolve("plain.jsonl");
        Path named = folder.resolve("named.jsonl");
        Cli.run("trace ? --probe ? --data ? -o ?", Cli.TINY, golden, attacks, plain)
                .ok();
        Cli.run("trace ? --probe x=" + golden + " --data ? -o ?", Cli.TINY, attacks, named)
                .ok();
        assertEquals(Cli.text(plain), Cli.text(named));
    }

    @Test
    void aRunWithSeveralProbesIsCutAndExtended(@TempDir Path own) {
        List<String> args = Cli.args(
                "trace ? --probe ? --probe again=" + low + " --data ? --batch-tokens 64", Cli.TINY, golden, attacks);
        Path whole = own.resolve("whole");
        Cli.run(args, "-o", whole).ok();
        List<Path> shards = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            shards.add(own.resolve("shard" + i));
            Cli.run(args, "--shard", i + "/3", "-o", shards.getLast()).ok();
        }
        Path merged = own.resolve("merged");
        Cli.run("merge ? ? ? -o ?", shards.get(2), shards.get(0), shards.get(1), merged)
                .ok();
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(merged));

        Path resumed = own.resolve("resumed");
        List<String> few = Cli.args(
                "trace ? --probe ? --probe again=" + low + " --data ? --batch-tokens 64",
                Cli.TINY,
                golden,
                Cli.few(own, "attacks.jsonl", 3));
        Cli.run(few, "-o", resumed, "--keep-progress").ok();
        Cli.run(args, "-o", resumed, "--resume", "--probe", means)
                .failed(1, "cannot resume from", "options --probe was golden = sha256", "and is golden = sha256");
        Cli.run(args.stream().map(a -> a.replace("again=", "other=")).toList(), "-o", resumed, "--resume")
                .failed(1, "again = sha256", "other = sha256");
        Cli.run(args, "-o", resumed, "--resume").ok();
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(resumed));
    }

    @Test
    void badCommandLines() {
        Path out = folder.resolve("none");
        Cli.run("trace ? --probe ? --probe ? --data ? -o ?", Cli.TINY, golden, golden, attacks, out)
                .failed(2, "two probes are named 'golden'", "--probe NAME=FILE");
        Cli.run("trace ? --probe a=none.safetensors --data ? -o ?", Cli.TINY, attacks, out)
                .failed(1, "none.safetensors", "no such file");
        Cli.run("trace ? --probe ? --probe ? --data ? -o ?", Cli.TINY, golden, Cli.probe(folder, 64, 1), attacks, out)
                .failed(1, "probe-64-1.safetensors has width 64");
        Cli.run("select ? --probe ? --probe ? --data ? --top 1 -o ?", Cli.TINY, golden, low, attacks, out)
                .failed(2, "option '--probe' (P.safetensors) should be specified only once");
        Cli.run(
                        "probe train ? --refused ? --complied ? --kind nullspace --directions 30 -o ?",
                        Cli.TINY,
                        Cli.few(folder, "refused.jsonl", 3),
                        Cli.few(folder, "complied.jsonl", 3),
                        out)
                .failed(1, "cannot fit 30 directions to 6 states of width 256: only ", "use --directions ");
    }
}
