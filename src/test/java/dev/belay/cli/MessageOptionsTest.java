package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code --quiet} and {@code --log-format}, before and after the command's name. */
class MessageOptionsTest {
    private static final String CAPTURE = "capture ? --ids ? -o ?";
    private static final String GENERATE =
            "generate ? --ids ? -o ? --heads ? --top 1 --positions closing --max-new-tokens 2";

    @TempDir
    Path folder;

    private Path ids;
    private Path out;

    @BeforeEach
    void files() {
        ids = Cli.write(folder.resolve("ids.json"), "[[1, 2, 3], [4, 5]]");
        out = folder.resolve("out");
    }

    private static List<JsonNode> json(Cli.Result result) {
        return result.err().lines().map(Cli::parse).toList();
    }

    private static List<String> levels(Cli.Result result) {
        return json(result).stream().map(line -> line.get("level").asText()).toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--quiet heads", "heads --quiet"})
    void quietSilencesNotices(String command) {
        String rest = " ? --probe ? --ids ? --method causal --steps 2 -o ?";
        Path probe = Cli.probe(folder, 64, 1);
        Cli.run("heads" + rest, Cli.LLAMA, probe, ids, out).okWithNote("--steps does not matter");
        Cli.run(command + rest, Cli.LLAMA, probe, ids, out).ok();
    }

    @Test
    void quietLeavesWarningsAndErrors() {
        Path heads = Cli.write(folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 1, \"head\": 0}]}");
        Cli.run(GENERATE + " --quiet", Cli.LLAMA, ids, out, heads).okWithNote("no head output was changed");
        Cli.run("info ? --quiet", folder.resolve("none")).failed(1, "no such model folder");
        Cli.run("info --quiet").failed(2, "Missing required parameter: 'MODEL'");
    }

    @Test
    void jsonHasTheProgressOfEveryStage() {
        Cli.Result result = Cli.run(CAPTURE + " --log-format json --device cpu", Cli.LLAMA, ids, out);
        assertEquals(0, result.code(), result::toString);
        List<JsonNode> captured = json(result).stream()
                .filter(line -> line.get("message").asText().equals("capturing"))
                .toList();
        assertEquals("progress", captured.getFirst().get("level").asText());
        assertEquals(0, captured.getFirst().get("done").asInt());
        assertEquals(2, captured.getLast().get("done").asInt());
        assertEquals(2, captured.getLast().get("total").asInt());
        Cli.run(CAPTURE + " --log-format json --quiet --device cpu", Cli.LLAMA, ids, out)
                .ok();
    }

    @Test
    void jsonHasWarningsAndNotices() {
        Path heads = Cli.write(folder.resolve("h.json"), "{\"ranking\": [{\"layer\": 1, \"head\": 0}]}");
        Cli.Result result = Cli.run("--log-format=json " + GENERATE + " --device auto", Cli.LLAMA, ids, out, heads);
        assertEquals(0, result.code(), result::toString);
        assertEquals("warning", levels(result).getLast());
        assertEquals(
                "notice",
                levels(result).stream()
                        .filter(l -> !l.equals("progress"))
                        .findFirst()
                        .orElseThrow());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "info none --log-format json",
                "--log-format json info none",
                "info m --dtype f8 --log-format json",
                "info m --bogus --log-format=JSON",
                "bogus --log-format json",
                "probe --log-format json",
                "info m --profile p --log-format json",
            })
    void errorsOfEveryKindAreJson(String line) {
        Cli.Result result = Cli.run(line);
        assertTrue(result.code() == 1 || result.code() == 2, result::toString);
        assertEquals(List.of("error"), levels(result), result::toString);
        assertFalse(json(result).getFirst().get("message").asText().startsWith("belay: "), result::toString);
    }

    @Test
    void anUnknownFormIsAnError() {
        Cli.run("info m --log-format xml").failed(2, "--log-format", "text, json");
        Cli.run("info m --log-format").failed(2, "--log-format");
    }

    /** They change no result: a run goes on with others, and a merge follows its own. */
    @Test
    void runsGoOnWithOthers() {
        Cli.run(CAPTURE + " --keep-progress", Cli.LLAMA, ids, out).ok();
        byte[] whole = Cli.bytes(out);
        Cli.Result resumed = Cli.run(CAPTURE + " --resume --log-format json", Cli.LLAMA, ids, out);
        assertEquals(0, resumed.code(), resumed::toString);
        assertArrayEquals(whole, Cli.bytes(out));
        List<Object> parts = new ArrayList<>();
        for (String part : List.of("1/2", "2/2")) {
            Path file = folder.resolve("part" + parts.size());
            Cli.run("--quiet " + CAPTURE + " --batch-tokens 3 --log-format json --shard ?", Cli.LLAMA, ids, file, part)
                    .ok();
            parts.add(file);
        }
        Path merged = folder.resolve("merged");
        Cli.Result loud = Cli.run("merge ? ? -o ? --log-format json", parts.get(0), parts.get(1), merged);
        assertEquals(0, loud.code(), loud::toString);
        assertTrue(levels(loud).contains("progress"), loud::toString);
        Cli.run("merge ? ? -o ?", parts.get(0), parts.get(1), merged).ok();
        Cli.run("merge ? ? -o ? --quiet --log-format json", parts.get(0), parts.get(1), merged)
                .ok();
        Cli.run(CAPTURE + " --batch-tokens 3", Cli.LLAMA, ids, out).ok();
        assertArrayEquals(Cli.bytes(out), Cli.bytes(merged));
    }

    /** Also where stderr is a file. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void automaticDevicesAreExplained(boolean quiet) throws IOException, InterruptedException {
        List<String> args = Cli.args(CAPTURE + (quiet ? " --quiet" : ""), Cli.LLAMA, ids, out);
        Path none = folder.resolve("no-driver.so");
        Path err = folder.resolve("err");
        Process process = new ProcessBuilder(Cli.process(List.of("-Dbelay.cuda.library=" + none), args))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(err.toFile())
                .start();
        assertTrue(process.waitFor(2, TimeUnit.MINUTES));
        assertEquals(0, process.exitValue(), Cli.text(err));
        List<String> said = Cli.text(err)
                .lines()
                .filter(line -> line.startsWith("belay: on "))
                .toList();
        assertEquals(quiet ? 0 : 1, said.size(), Cli.text(err));
        if (!quiet) {
            assertTrue(said.getFirst().startsWith("belay: on cpu: no GPU can be used: "), said::toString);
            assertTrue(said.getFirst().contains(none.toString()), said::toString);
        }
    }
}
