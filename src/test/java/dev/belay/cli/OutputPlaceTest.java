package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Places that cannot be written to are found before the work; a disk that fills up keeps what was done and names it. */
class OutputPlaceTest {
    @TempDir
    Path folder;

    private Path file(String name, String text) {
        return Cli.write(folder.resolve(name), text);
    }

    /** Each command with everything but its output; the model has no weights, so that only an early check can fail with the output. */
    private List<List<String>> commands() throws IOException {
        Path model = Cli.copy(Cli.TINY, folder.resolve("model"));
        Files.delete(model.resolve("model.safetensors"));
        Path data = Cli.one(folder);
        Path heads = file("h.json", "{\"ranking\": [{\"layer\": 0, \"head\": 0}]}");
        Path probe = Cli.probe(folder, 256, 6);
        return List.of(
                Cli.args("capture ? --data ?", model, data),
                Cli.args("generate ? --data ?", model, data),
                Cli.args("probe train ? --refused ? --complied ?", model, data, data),
                Cli.args("trace ? --data ? --probe ?", model, data, probe),
                Cli.args("heads ? --data ? --probe ? --method direct", model, data, probe),
                Cli.args("ablate ? --data ? --heads ? --top 1", model, data, heads),
                Cli.args("select ? --data ? --probe ? --top 1", model, data, probe));
    }

    @Test
    void aPlaceThatCannotBeWrittenIsFoundBeforeTheModelIsLoaded() throws IOException {
        for (List<String> command : commands()) {
            Cli.run(command, "-o", folder).failed(1, "cannot write " + folder + ": it is a folder; name a file");
            Path below = folder.resolve("one.jsonl/out");
            Cli.run(command, "-o", below).failed(1, "cannot write " + below, "a file is in the way");
            // Otherwise it would have been the weights that are missing.
            Cli.run(command, "-o", folder.resolve("out")).failed(1, "holds neither model.safetensors");
            assertFalse(Cli.names(folder).stream().anyMatch(name -> name.startsWith("out")), "nothing is left behind");
        }
    }

    @Test
    void aReadOnlyPlace() {
        // Not even root may create files in /proc.
        assumeTrue(Files.isDirectory(Path.of("/proc/self")));
        Path ids = file("ids.json", "[[1]]");
        Cli.run("capture ? --ids ? -o /proc/out.safetensors", Cli.LLAMA, ids)
                .failed(1, "cannot write /proc/out.safetensors");
        Cli.run("demo --out /proc/run").failed(1, "cannot write /proc/run/report.html");
    }

    @Test
    void foldersAboveAreMadeAndAnEarlierFileIsReplacedWhole() {
        Path ids = file("ids.json", "[[1]]");
        Path target = folder.resolve("a/b/g.jsonl");
        List<String> command = Cli.args("generate ? --ids ? -o ? --max-new-tokens", Cli.LLAMA, ids, target);
        Cli.run(command, 3).ok();
        String first = Cli.text(target);
        Cli.run(command, 2).ok();
        assertTrue(Cli.text(target).length() < first.length());
        assertEquals(List.of("g.jsonl"), Cli.names(target.getParent()));
    }

    /** Names as long as file systems take them (255 bytes on Linux), with what lies beside an output: its journal, an older one, its lock. */
    @ParameterizedTest
    @ValueSource(ints = {200, 230, 247, 255})
    void longNames(int bytes) {
        Path ids = file("ids.json", "[[1], [2]]");
        Path inside = folder.resolve("inside");
        Path target = inside.resolve("é".repeat(90) + "n".repeat(bytes - 180));
        List<String> command =
                Cli.args("generate ? --ids ? --max-new-tokens 2 --keep-progress -o ?", Cli.LLAMA, ids, target);
        Cli.run(command).ok();
        byte[] first = Cli.bytes(target);
        Cli.run(command, "--resume").ok();
        assertArrayEquals(first, Cli.bytes(target));
        assertEquals(2, Cli.names(inside).size(), "output and journal: " + Cli.names(inside));
        Cli.run(command).okWithNote("has finished batches of an earlier run and is now ");
        assertEquals(3, Cli.names(inside).size(), "and the older journal: " + Cli.names(inside));
        Cli.run(command).failed(1, "has finished batches of an earlier run, and so has ");
        Path heads = file("h.json", "{\"ranking\": [{\"layer\": 0, \"head\": 0}]}");
        Path baked = folder.resolve("b".repeat(bytes));
        Cli.run("bake ? --heads ? --top 1 -o ?", Cli.LLAMA, heads, baked).ok();
        assertTrue(Files.isRegularFile(baked.resolve("config.json")));
    }

    /** A file that is read is not replaced, under whatever name; nor are two outputs one file. */
    @Test
    void outputsAreFilesOfTheirOwn() throws IOException {
        Path data = Cli.few(folder, "attacks.jsonl", 2);
        String text = Cli.text(data);
        Path link = Files.createSymbolicLink(folder.resolve("link"), data);
        Path questions = file("q.jsonl", "{\"question\": \"Q\", \"choices\": [\"a\", \"b\"], \"answer\": 0}\n");
        Path same = folder.resolve("same");
        Cli.run("judge ? -o ? --report ?", data, same, folder.resolve("a/../same"))
                .failed(2, "--report and -o name the same file: ");
        Cli.run("generate ? --data ? -o ? --profile ?", Cli.TINY, data, same, same)
                .failed(2, "--profile and -o name the same file: " + same);
        Cli.run("judge ? -o ?", data, link).failed(2, "-o and R.jsonl name the same file: " + link);
        Cli.run("import ? -o ?", data, data).failed(2, "-o and FILE name the same file: " + data);
        Cli.run("merge ? ? -o ?", questions, data, data).failed(2, "-o and SHARD name the same file: " + data);
        Cli.run("trace ? --probe harm=? --data ? -o ?".replace("harm=?", "harm=" + data), Cli.TINY, questions, data)
                .failed(2, "-o and --probe name the same file: " + data);
        Cli.run("eval ? --task ? -o ?", Cli.TINY, questions, questions)
                .failed(2, "-o and --task name the same file: " + questions);
        assertEquals(text, Cli.text(data));
    }

    @Test
    void aNameThatIsTooLongIsFoundBeforeTheWork() throws IOException {
        String name = "n".repeat(256);
        for (List<String> command : commands()) {
            Cli.run(command, "-o", folder.resolve(name)).failed(1, "cannot write " + folder, "File name too long");
        }
    }

    /** A device stays a device: it is written to, not replaced by a file. */
    @ParameterizedTest
    @ValueSource(strings = {"capture", "generate"})
    void devices(String command) {
        assumeTrue(Files.exists(Path.of("/dev/full")) && Files.exists(Path.of("/dev/null")));
        Path ids = file("ids.json", "[[1]]");
        Cli.run(command + " ? --ids ? -o /dev/null", Cli.LLAMA, ids).ok();
        Cli.run(command + " ? --ids ? -o /dev/full", Cli.LLAMA, ids)
                .failed(1, "cannot write /dev/full: No space left on device");
        assertFalse(Files.isRegularFile(Path.of("/dev/full")));
        assertFalse(Files.isRegularFile(Path.of("/dev/null")));
        assertFalse(Files.exists(Path.of("/dev/full.partial")));
    }

    @Test
    void aLinkIsFollowed() throws IOException {
        Path ids = file("ids.json", "[[1]]");
        Path real = file("real.jsonl", "old\n");
        Path link = Files.createSymbolicLink(folder.resolve("link.jsonl"), real);
        Cli.run("generate ? --ids ? -o ? --max-new-tokens 1", Cli.LLAMA, ids, link)
                .ok();
        assertTrue(Files.isSymbolicLink(link));
        assertTrue(Cli.text(real).contains("new_token_ids"));
    }

    /**
     * A disk that fills up in the middle, played by the limit on the size of a file: what fits is kept, the error names it, and nothing
     * takes the place of the output.
     */
    @Test
    void aDiskThatFillsUpKeepsWhatWasWritten() throws IOException, InterruptedException {
        Path target = folder.resolve("g.jsonl");
        String output = onAFullDisk("generate ? --ids ? --max-new-tokens 2 --batch-tokens 1 -o ?", target);
        Path partial = folder.resolve("g.jsonl.partial");
        assertTrue(
                output.contains("belay: cannot write " + target
                        + ".progress: File too large; what was written so far is in " + partial),
                output);
        assertFalse(Files.exists(target));
        assertEquals(6 * 1024, Files.size(folder.resolve("g.jsonl.progress")));
        List<String> lines = Cli.text(partial).lines().toList();
        assertTrue(lines.size() > 20, "lines: " + lines.size());
        assertEquals("0", Cli.parse(lines.getFirst()).get("id").asText());
    }

    /** A safetensors file that is cut short cannot be read: it goes, and no message tells of it. */
    @Test
    void aDiskThatFillsUpKeepsNoHalfSafetensorsFile() throws IOException, InterruptedException {
        Path target = folder.resolve("states.safetensors");
        String output = onAFullDisk("capture ? --ids ? --layers all --positions all -o ?", target);
        assertTrue(output.lines().anyMatch(("belay: cannot write " + target + ": File too large")::equals), output);
        assertFalse(Files.exists(folder.resolve("states.safetensors.partial")));
        assertFalse(Files.exists(target));
    }

    /** What a command says that gets 40 texts and cannot write files of more than 6 KB. */
    private String onAFullDisk(String line, Path target) throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/bin/bash")));
        List<String> rows = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            rows.add("[" + i + "]");
        }
        Path ids = file("ids.json", rows.toString());
        List<String> command = new ArrayList<>(List.of("/bin/bash", "-c", "ulimit -f 6 && exec \"$@\"", "belay"));
        command.addAll(Cli.process(
                List.of("-XX:-UsePerfData", "-Xshare:auto", "-XX:TieredStopAtLevel=1"),
                Cli.args(line, Cli.LLAMA, ids, target)));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(1, process.waitFor(), output);
        return output;
    }
}
