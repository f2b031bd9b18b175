package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs that are extended or cut into shards give the bytes of a run that is not. */
class ResumeTest {
    private static final String TRACE = "trace ? --probe ? --data ? --batch-tokens 64";

    @TempDir
    private static Path folder;

    private static Path probe;
    private static Path attacks;

    @BeforeAll
    static void prepare() {
        probe = LongRuns.probe(folder);
        attacks = Cli.few(folder, "attacks.jsonl", 24);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "trace ? --probe ? --data ? --batch-tokens 64",
                "select ? --probe ? --data ? --top 5 --batch-tokens 64",
                "heads ? --probe ? --data ? --method causal --batch-tokens 128",
                "heads ? --probe ? --data ? --method direct --batch-tokens 128",
                "capture ? --data ? --layers 0,last --batch-tokens 64",
                "generate ? --data ? --max-new-tokens 8 --temperature 1 --batch-tokens 32"
            })
    void shardsMergeToTheSameBytes(String line, @TempDir Path own) throws IOException {
        List<String> args =
                line.contains("--probe") ? Cli.args(line, Cli.TINY, probe, attacks) : Cli.args(line, Cli.TINY, attacks);
        Path whole = own.resolve("whole");
        Cli.run(args, "-o", whole).ok();
        List<Path> shards = new ArrayList<>();
        for (int i = 1; i <= 3; i++) {
            shards.add(own.resolve("shard" + i));
            Cli.run(args, "--shard", i + "/3", "-o", shards.getLast()).ok();
        }
        // A merge changes no shard, which may be someone else's, or not done yet.
        byte[] second = (Cli.text(shards.get(1)) + "{\"stage").getBytes(StandardCharsets.UTF_8);
        Files.write(shards.get(1), second);
        Path merged = own.resolve("merged");
        String said = Cli.run("merge ? ? ? -o ?", shards.get(2), shards.get(0), shards.get(1), merged)
                .ok();
        assertFalse(said.contains("FLOP"), said);
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(merged));
        assertArrayEquals(second, Cli.bytes(shards.get(1)));
        assertEquals(List.of("merged", "shard1", "shard2", "shard3", "whole"), Cli.names(own));
        Cli.run("merge ? ? -o ?", shards.get(2), shards.get(0), merged).failed(1, "missing: shard 2/3");
        Cli.run("merge ? ? ? -o ?", shards.get(2), shards.get(0), shards.get(2), merged)
                .failed(1, "shard 3/3 is there twice");
        Path foreign = own.resolve("foreign");
        List<String> other = args.stream()
                .map(a -> a.equals("64") || a.equals("128") || a.equals("32") ? "96" : a)
                .toList();
        Cli.run(other, "--shard", "2/3", "-o", foreign).ok();
        Cli.run("merge ? ? ? -o ?", shards.get(0), foreign, shards.get(2), merged)
                .failed(1, foreign + " is a shard of another run", "--batch-tokens was ", " and is 96");
        Path texts = Cli.few(own, "benign.jsonl", 6);
        other = args.stream()
                .map(a -> a.equals(attacks.toString()) ? texts.toString() : a)
                .toList();
        Cli.run(other, "--shard", "2/3", "-o", foreign).ok();
        Cli.run("merge ? ? ? -o ?", shards.get(0), foreign, shards.get(2), merged)
                .failed(1, foreign + " is a shard of another run", "--data was " + attacks + " and is " + texts);
    }

    @Test
    void aFinishedRunIsExtendedByMoreTextsAndMoreHeads(@TempDir Path own) {
        Path traces = own.resolve("t.jsonl");
        Path few = Cli.few(own, "attacks.jsonl", 10);
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, few), "-o", traces, "--keep-progress")
                .ok();
        List<?> first = Cli.lines(traces);
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, attacks), "-o", traces, "--resume")
                .ok();
        assertEquals(24, Cli.lines(traces).size());
        assertEquals(first, Cli.lines(traces).subList(0, 10));

        String line = "heads ? --probe ? --data ? --method greedy --steps ? --batch-tokens 96";
        Path ranking = own.resolve("h.json");
        Cli.run(Cli.args(line, Cli.TINY, probe, few, 1), "-o", ranking, "--keep-progress")
                .ok();
        Cli.run(Cli.args(line, Cli.TINY, probe, few, 2), "-o", ranking, "--resume")
                .ok();
        Path whole = own.resolve("whole.json");
        Cli.run(Cli.args(line, Cli.TINY, probe, few, 2), "-o", whole).ok();
        assertEquals(Cli.text(whole), Cli.text(ranking));
    }

    /** With more texts the first head chosen may be another, and later sweeps then begin anew. */
    @Test
    void aGreedyRankingIsExtendedThoughItsFirstHeadChanges(@TempDir Path own) throws IOException {
        String line = "heads ? --probe ? --data ? --method greedy --steps 2 --batch-tokens 96";
        Path ranking = own.resolve("h.json");
        Path data = Cli.few(own, "refused.jsonl", 1);
        Cli.run(Cli.args(line, Cli.TINY, probe, data), "-o", ranking, "--keep-progress")
                .ok();
        JsonNode first = Cli.parse(Cli.text(ranking)).at("/ranking/0");
        Files.write(data, Files.readAllLines(attacks).subList(0, 5), StandardOpenOption.APPEND);
        Cli.run(Cli.args(line, Cli.TINY, probe, data), "-o", ranking, "--resume")
                .ok();
        Path whole = own.resolve("whole.json");
        Cli.run(Cli.args(line, Cli.TINY, probe, data), "-o", whole).ok();
        JsonNode expected = Cli.parse(Cli.text(whole)).get("ranking");
        JsonNode extended = Cli.parse(Cli.text(ranking)).get("ranking");
        assertNotEquals(
                first.get("layer") + "," + first.get("head"), expected.at("/0/layer") + "," + expected.at("/0/head"));
        for (int i = 0; i < 2; i++) {
            assertEquals(expected.get(i).get("layer"), extended.get(i).get("layer"));
            assertEquals(expected.get(i).get("head"), extended.get(i).get("head"));
            assertEquals(
                    expected.at("/" + i + "/score").asDouble(),
                    extended.at("/" + i + "/score").asDouble(),
                    1e-12);
        }
    }

    @Test
    void aFinishedAblationIsExtendedByOtherHeads(@TempDir Path own) throws IOException {
        Path few = Cli.few(own, "attacks.jsonl", 5);
        Path harmless = Cli.few(own, "benign.jsonl", 3);
        Path ranking = own.resolve("h.json");
        Cli.run("heads ? --probe ? --data ? --method direct -o ?", Cli.TINY, probe, few, ranking)
                .ok();
        String line = "ablate ? --probe ? --data ? --benign ? --heads ? --max-new-tokens 6 --batch-tokens 96 --top 2";
        List<String> two = Cli.args(line, Cli.TINY, probe, few, harmless, ranking);
        Path out = own.resolve("a.json");
        Cli.run(two, "-o", out, "--keep-progress").ok();
        List<String> before = journal(out);

        List<String> more = two.stream().map(a -> a.equals("2") ? "5" : a).toList();
        List<String> extended = extend(before, more, out, own.resolve("five.json"));
        assertEquals(
                Set.of(
                        "attacks, after",
                        "attacks, after, final scores",
                        "benign, after",
                        "benign, after, final scores"),
                stages(extended.subList(before.size(), extended.size())));

        // Any other heads, or the same otherwise ablated; what was done for the first is found again.
        List<String> random = new ArrayList<>(more);
        random.addAll(List.of("--random-control", "1", "--gamma", "0.5"));
        List<String> third = extend(extended, random, out, own.resolve("half.json"));
        assertTrue(stages(third.subList(extended.size(), third.size())).contains("attacks, random"));
        extend(third, two, out, own.resolve("two.json"));
        assertEquals(third, journal(out));
    }

    @Test
    void aFinishedSelectionIsChosenAnewFromTheSameScores(@TempDir Path own) throws IOException {
        Path pool = Cli.few(own, "pool.jsonl", 12);
        Path out = own.resolve("s.jsonl");
        String line = "select ? --probe ? --data ? --batch-tokens 96 --top 2";
        List<String> two = Cli.args(line, Cli.TINY, probe, pool);
        Cli.run(two, "-o", out, "--keep-progress").ok();
        List<String> before = journal(out);
        assertEquals(Set.of("traces"), stages(before.subList(1, before.size())));
        List<String> more = two.stream().map(a -> a.equals("2") ? "40%" : a).toList();
        assertEquals(before, extend(before, more, out, own.resolve("more.jsonl")));
        assertEquals(5, Cli.lines(out).size());
        List<String> random = new ArrayList<>(more);
        random.addAll(List.of("--rank", "random", "--seed", "3", "--format", "alpaca"));
        assertEquals(before, extend(before, random, out, own.resolve("random.jsonl")));
        Cli.run(two, "--plateau", "mean", "-o", out, "--resume").failed(1, "--plateau was MAX and is MEAN");
    }

    /** Shards hold no selection, but are to agree about the one that is made of them. */
    @Test
    void shardsWithAnotherShareAreRefused(@TempDir Path own) {
        Path pool = Cli.few(own, "pool.jsonl", 12);
        List<String> two = Cli.args("select ? --probe ? --data ? --batch-tokens 64 --top 2", Cli.TINY, probe, pool);
        List<String> three = two.stream().map(a -> a.equals("2") ? "3" : a).toList();
        Path one = own.resolve("1");
        Path other = own.resolve("2");
        Cli.run(two, "--shard", "1/2", "-o", one).ok();
        Cli.run(three, "--shard", "2/2", "-o", other).ok();
        Cli.run("merge ? ? -o ?", one, other, own.resolve("s.jsonl")).failed(1, "choices --top was 2 and is 3");
        Cli.run(two, "--shard", "2/2", "--resume", "-o", other).failed(1, "choices --top was 3 and is 2");
    }

    /** Resumes a kept run with other arguments: the bytes of a fresh one; what was done stays as it was. Returns the journal. */
    private static List<String> extend(List<String> journal, List<String> args, Path out, Path fresh)
            throws IOException {
        Cli.run(args, "-o", out, "--resume", "--keep-progress").ok();
        Cli.run(args, "-o", fresh).ok();
        assertArrayEquals(Cli.bytes(fresh), Cli.bytes(out));
        assertEquals(journal, journal(out).subList(0, journal.size()));
        return journal(out);
    }

    private static List<String> journal(Path out) throws IOException {
        return Files.readAllLines(out.resolveSibling(out.getFileName() + ".progress"));
    }

    /** The stages that lines of a journal are of, without the hashes of masks. */
    private static Set<String> stages(List<String> lines) {
        return lines.stream()
                .map(l -> Cli.parse(l).get("stage").asText().replaceFirst(" [0-9a-f]{16}", ""))
                .collect(Collectors.toSet());
    }

    /** The batches of a run stay those that it began with, though the command line does not say how many tokens. */
    @Test
    void aRunGoesOnWithTheBatchesItHad(@TempDir Path own) throws IOException {
        String line = "trace ? --probe ? --data ?";
        Path whole = own.resolve("whole");
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, attacks), "-o", whole, "--keep-progress")
                .ok();
        Path out = own.resolve("out");
        List<String> journal = Files.readAllLines(own.resolve("whole.progress"));
        assertTrue(journal.size() > 6, journal.size() + " lines");
        Files.write(own.resolve("out.progress"), journal.subList(0, 4));
        Cli.run(Cli.args(line, Cli.TINY, probe, attacks), "-o", out, "--resume", "--keep-progress")
                .ok();
        assertEquals(journal, Files.readAllLines(own.resolve("out.progress")));
        assertArrayEquals(Cli.bytes(whole), Cli.bytes(out));
        Cli.run(Cli.args(line, Cli.TINY, probe, attacks), "-o", out, "--resume", "--batch-tokens", 96)
                .failed(1, "options --batch-tokens was 64 and is 96");
        Path usual = own.resolve("usual");
        Cli.run(Cli.args(line, Cli.TINY, probe, attacks), "-o", usual, "--keep-progress")
                .ok();
        String header = Files.readAllLines(own.resolve("usual.progress")).getFirst();
        assertEquals("2048", Cli.parse(header).at("/options/--batch-tokens").asText());
    }

    @Test
    void anotherProbeOrOptionIsRefusedByName(@TempDir Path own) {
        Path out = own.resolve("t.jsonl");
        Path few = Cli.few(own, "attacks.jsonl", 4);
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, few), "-o", out, "--keep-progress")
                .ok();
        Cli.run(Cli.args(TRACE, Cli.TINY, Cli.probe(own, 256, 4), few), "-o", out, "--resume")
                .failed(1, "cannot resume from", "options --probe was sha256");
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, few), "-o", out, "--resume", "--plateau", "mean")
                .failed(1, "options --plateau was MAX and is MEAN");
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, few), "-o", out, "--resume", "--dtype", "f32")
                .failed(1, "dtype was bf16 and is f32");
        Cli.run(Cli.args(TRACE, Cli.TINY, probe, Cli.few(own, "benign.jsonl", 4)), "-o", out, "--resume")
                .failed(1, "the data differs in texts 1 to");
    }
}
