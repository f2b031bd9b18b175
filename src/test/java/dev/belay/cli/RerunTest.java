package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.gguf.GgufConversionTest;
import dev.belay.io.FileHash;
import dev.belay.report.RunManifest;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The page of each command, and {@code belay rerun} of it. */
class RerunTest {
    private static final String HEADS = " --heads heads.json --top 1";

    @TempDir
    static Path folder;

    private static Path model;

    @BeforeAll
    static void files() throws IOException {
        model = Cli.copy(Cli.TINY, folder.resolve("model"));
        GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Cli.few(folder, "attacks.jsonl", 4);
        Cli.few(folder, "benign.jsonl", 3);
        Cli.write(folder.resolve("heads.json"), "{\"ranking\": [{\"layer\": 0, \"head\": 5}]}");
        Cli.write(
                folder.resolve("questions.jsonl"),
                "{\"question\": \"1 + 1?\", \"choices\": [\"2\", \"3\"], \"answer\": 0}\n");
        Cli.few(folder, "refused.jsonl", 6);
        Cli.few(folder, "complied.jsonl", 6);
        Cli.copy(Cli.LLAMA, folder.resolve("llama"));
        Cli.write(folder.resolve("prompts.csv"), "goal,target\nhow to steal,no\n");
        GgufConversionTest.write("llama", folder.resolve("model.gguf"));
    }

    /** A command line with files in {@link #folder}. */
    private static List<String> args(String line, String name) {
        return inFolder(line + " -o " + name + ".out --report " + name + ".html");
    }

    private static List<String> inFolder(String line) {
        return Cli.args(line).stream()
                .map(word -> word.matches("model|llama|.*\\.(jsonl?|safetensors|csv|gguf|out|html)")
                        ? folder.resolve(word).toString()
                        : word)
                .toList();
    }

    private static JsonNode manifest(Path page) {
        return Cli.parse(RunManifest.inPage(Cli.text(page)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "trace model --probe probe.safetensors --data 4-attacks.jsonl",
                "heads model --probe probe.safetensors --data 4-attacks.jsonl --method direct",
                "ablate model --data 4-attacks.jsonl --benign 3-benign.jsonl --random-control 1" + HEADS,
                "select model --probe probe.safetensors --data 4-attacks.jsonl --top 2",
                "judge 3-benign.jsonl",
                "generate model --data 3-benign.jsonl --max-new-tokens 8 --temperature 1 --seed 7",
                "eval model --task questions.jsonl" + HEADS,
                "capture model --data 4-attacks.jsonl --positions closing",
                "probe train model --refused 6-refused.jsonl --complied 6-complied.jsonl --kind nullspace --directions 2",
                "probe test model --probe probe.safetensors --data 4-attacks.jsonl",
                "probe import probe.safetensors --layer 6",
                "bake model" + HEADS,
                "bake model --as lora --gamma 0.5" + HEADS,
                "verify llama",
                "import prompts.csv --columns prompt=goal --harmful true",
                "convert model.gguf --without-tokenizer"
            })
    void everyPageCanBeRunAgain(String line) {
        String command = line.replaceFirst(" (model|llama|\\S+\\.\\S+)( .*|$)", "");
        String name = command.replace(' ', '-') + (line.contains("lora") ? "-lora" : "");
        List<String> args = args(line, name);
        Path output = folder.resolve(name + ".out");
        Path page = folder.resolve(name + ".html");
        Cli.Result result = Cli.run(args);
        assertEquals(0, result.code(), result.toString());
        Map<String, String> written = hashes(output);
        String html = Cli.text(page);
        assertAllIsTold(html, command);
        boolean plots = !Set.of("capture", "probe import", "import", "convert").contains(command);
        assertEquals(plots ? 2 : 1, Math.min(2, html.split("<svg", -1).length - 1), "plots");
        JsonNode manifest = manifest(page);
        assertEquals(command, manifest.get("command").asText());
        assertEquals(
                List.copyOf(written.values()), manifest.get("artifacts").findValuesAsText("sha256"), "of the outputs");
        boolean session =
                !Set.of("judge", "probe import", "bake", "import", "convert").contains(command);
        assertEquals(
                session || command.equals("bake") ? 1 : 0,
                manifest.get("models").size());
        // The number that was chosen is what a repetition is to have.
        boolean told = manifest.get("arguments").toString().contains("\"--batch-tokens\",\"2048\"");
        assertEquals(session, told, manifest.get("arguments").toString());
        for (String word : args) {
            boolean read = Files.isRegularFile(Path.of(word)) && !word.endsWith(".out") && !word.endsWith(".html");
            assertEquals(read, manifest.get("inputs").findValuesAsText("path").contains(word), word);
        }
        JsonNode again = Cli.run("rerun ? --json", page).json();
        assertTrue(again.get("same").booleanValue(), again.toString());
        assertEquals(written.size(), again.get("outputs").size());
        assertEquals(List.copyOf(written.keySet()), again.get("outputs").findValuesAsText("name"));
        assertEquals(written, hashes(output));
        assertEquals(html, Cli.text(page), "a run leaves what it repeats as it is");
    }

    /** The SHA-256 of a file, or of those in a folder, in the order of their names, by their paths from {@link #folder} on. */
    private static Map<String, String> hashes(Path output) {
        Map<String, String> hashes = new LinkedHashMap<>();
        if (Files.isDirectory(output)) {
            Cli.names(output).stream()
                    .sorted()
                    .map(output::resolve)
                    .forEach(file -> hashes.put(folder.relativize(file).toString(), FileHash.of(file)));
        } else {
            hashes.put(output.getFileName().toString(), FileHash.of(output));
        }
        return hashes;
    }

    /** What was asked, one sentence at least, table, time and memory, files with hashes, and how to repeat it. */
    private static void assertAllIsTold(String html, String command) {
        for (String part : List.of(
                "<code>belay " + command + " ",
                "<table class=\"sortable\">",
                "<h2>Time and memory</h2>",
                " MiB</p>",
                "<h2>How to repeat it</h2>",
                "Or <code>belay rerun</code>",
                "<caption>Files</caption>",
                "SHA-256</th>")) {
            assertTrue(html.contains(part), part + " in " + html);
        }
        assertTrue(html.matches("(?s).*<div class=\"story\">\n<p>\\S.*?\\.</p>.*"), html);
        assertTrue(html.matches("(?s).*<p class=\"model\"><b>.*?</b> <span>\\S.*"), "what was asked");
    }

    /** Times are no two times the same: they have a page, and nothing of it is compared. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "bench model --device cpu --only prefill,decode,ops --seconds 1 -o speed.out",
                "plan model --data 4-attacks.jsonl --method causal"
            })
    void pagesOfTimesCanBeRunAgain(String line) {
        String command = line.substring(0, line.indexOf(' '));
        Path page = folder.resolve(command + ".html");
        Cli.run(inFolder(line + " --report " + command + ".html")).ok();
        assertAllIsTold(Cli.text(page), command);
        JsonNode manifest = manifest(page);
        assertEquals(0, manifest.get("artifacts").size());
        if (command.equals("bench")) {
            String hash = FileHash.of(folder.resolve("speed.out"));
            assertEquals(hash, manifest.at("/measured/0/sha256").asText());
            assertTrue(Cli.text(page).contains(hash));
        }
        JsonNode again = Cli.parse(Cli.run("rerun ? --json", page).out());
        assertTrue(again.get("same").booleanValue() && again.get("outputs").isEmpty(), again.toString());
    }

    /** What does not pass has a page too, which says so. */
    @Test
    void aFailedVerificationHasAPage() {
        Path page = folder.resolve("failed.html");
        Cli.Result result = Cli.run("verify ? --dtype bf16 --tolerance 0 --report ?", Cli.LLAMA, page);
        assertEquals(1, result.code());
        assertTrue(Cli.text(page).contains("<p>FAILED: "));
        assertEquals(1, Cli.run("rerun ?", page).code());
    }

    @Test
    void whatChangedIsNamed() {
        Path data = Cli.write(folder.resolve("d.jsonl"), Cli.text(folder.resolve("4-attacks.jsonl")));
        Cli.run(args("trace model --probe probe.safetensors --data d.jsonl", "changed"))
                .ok();
        Path page = folder.resolve("changed.html");
        String fewer = Cli.text(data).lines().skip(1).reduce("", (all, next) -> all + next + "\n");
        Cli.write(data, fewer);
        Cli.Result differs = Cli.run("rerun ?", page);
        assertEquals(1, differs.code(), differs.toString());
        assertEquals("belay: " + data + " is not what it was when the run read it\n", differs.err());
        assertTrue(
                differs.out().contains("changed.out: DIFFERS") && differs.out().contains(data + ""), differs.out());
        Path tokenizer = model.resolve("generation_config.json");
        String before = Cli.text(tokenizer);
        Cli.write(tokenizer, before + " ");
        JsonNode both = Cli.parse(Cli.run("rerun ? --json", page).out());
        Cli.write(tokenizer, before);
        assertEquals(List.of(tokenizer + "", data + ""), strings(both.get("changed")));
        Cli.delete(data);
        Cli.run("rerun ?", page).failed(1, data + ", which the run of " + page + " read, is not there");
    }

    private static List<String> strings(JsonNode array) {
        return array.valueStream().map(JsonNode::asText).toList();
    }

    @Test
    void aChangedModelIsNamed() {
        Path other = Cli.copy(Cli.TINY, folder.resolve("other"));
        Path page = folder.resolve("m.html");
        Cli.run(
                        "capture ? --data ? -o ? --report ?",
                        other,
                        folder.resolve("3-benign.jsonl"),
                        folder.resolve("m.out"),
                        page)
                .ok();
        byte[] weights = Cli.bytes(other.resolve("model.safetensors"));
        weights[weights.length - 1] ^= 1;
        Cli.bytes(other.resolve("model.safetensors"), weights);
        JsonNode json = Cli.parse(Cli.run("rerun ? --json", page).out());
        assertEquals(List.of("model " + other), strings(json.get("changed")));
        assertFalse(json.get("same").booleanValue());
    }

    @Test
    void outputsCanBeKept() {
        Path page = folder.resolve("kept.html");
        Cli.run("judge ? -o ? --report ? --json", folder.resolve("3-benign.jsonl"), folder.resolve("kept.out"), page)
                .ok();
        Path place = folder.resolve("place");
        Cli.run("rerun ? --out ?", page, place).ok();
        assertEquals(List.of("kept.html", "kept.out"), Cli.names(place));
        assertArrayEquals(Cli.bytes(folder.resolve("kept.out")), Cli.bytes(place.resolve("kept.out")));
    }

    /** A device has no end. */
    @Test
    void whatIsNoFileIsNotRead() {
        Path run = Cli.write(
                folder.resolve("device.json"),
                "{\"tool\": \"belay\", \"arguments\": [\"judge\", \"/dev/zero\"],"
                        + " \"inputs\": [{\"path\": \"/dev/zero\", \"sha256\": \"00\"}]}");
        Cli.run("rerun ?", run).failed(1, "/dev/zero, which the run of " + run + " read, is not there");
    }

    @Test
    void onlyPagesOfRunsAreTaken() {
        Path file = folder.resolve("strange.json");
        Cli.write(file, "{}");
        Cli.run("rerun ?", file).failed(1, "no manifest with a command line");
        Cli.write(file, "<html>");
        Cli.run("rerun ?", file).failed(1, "a page without a manifest");
        Cli.write(file, "# hello");
        Cli.run("rerun ?", file).failed(1, "neither a page nor a manifest");
        Cli.run("rerun ?", folder).failed(1, "manifest.json");
        Cli.bytes(file, new byte[] {-1, -2});
        Cli.run("rerun ?", file).failed(1, "neither a page nor a manifest");
        Cli.write(file, "{\"tool\": \"belay\", \"arguments\": [\"demo\"], \"artifacts\": [{\"path\": \"/\"}]}");
        Cli.run("rerun ?", file).failed(1, "names a file that cannot be: '/'");
        strange(file, "info", folder.toString());
        Cli.run("rerun ?", file).failed(1, "belay info is no command with a page");
        strange(file, "trace", "--wrong");
        Cli.run("rerun ?", file).failed(1, "this Belay does not know its command line");
    }

    /** An argument that begins with @ is a text or a file of that name, then and now. */
    @Test
    void argumentsBeginWithAnything() {
        Path list = Cli.write(folder.resolve("list"), "judge " + folder.resolve("3-benign.jsonl"));
        Path page = folder.resolve("at.html");
        Path at = Path.of("@at.out");
        try {
            Cli.run("@? -o @@at.out --report ?".replace("@?", "@" + list), page).ok();
            assertEquals("@at.out", manifest(page).at("/arguments/3").asText());
            JsonNode json = Cli.run("rerun ? --json", page).json();
            assertTrue(json.get("same").booleanValue() && json.get("outputs").size() == 1, json.toString());
        } finally {
            Cli.delete(at);
        }
    }

    private static void strange(Path file, String... arguments) {
        ObjectNode json = Output.object().put("tool", "belay");
        ArrayNode array = json.putArray("arguments");
        List.of(arguments).forEach(array::add);
        Cli.write(file, Output.line(json));
    }

    @Test
    void thePageHasAPlaceOfItsOwn() {
        Cli.run("judge ? --report ?", folder.resolve("3-benign.jsonl"), folder).failed(1, "it is a folder");
    }

    /** A part has no page; the merge writes it. */
    @Test
    void aMergedRunHasAPage() {
        Path page = folder.resolve("merged.html");
        Path[] parts = {folder.resolve("part1"), folder.resolve("part2")};
        for (int i = 0; i < 2; i++) {
            Cli.run(
                            "trace ? --probe ? --data ? --batch-tokens 128 --report ? --shard ? -o ?",
                            model,
                            folder.resolve("probe.safetensors"),
                            folder.resolve("4-attacks.jsonl"),
                            page,
                            (i + 1) + "/2",
                            parts[i])
                    .okWithNote("a part of a run has no page");
            assertFalse(Files.exists(page));
        }
        Cli.run("merge ? ? -o ?", parts[0], parts[1], folder.resolve("merged.out"))
                .ok();
        assertTrue(Cli.run("rerun ? --json", page).json().get("same").booleanValue());
    }
}
