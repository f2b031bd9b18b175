package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.DType;
import dev.belay.forward.Golden;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code belay capture}, against the hidden states of transformers. */
class CaptureCommandTest {
    private static final int WIDTH = 64;
    private static final int PROMPTS = 3;

    @TempDir
    static Path folder;

    private static Path ids;

    @BeforeAll
    static void writeIds() {
        ids = GoldenFiles.ids(Cli.LLAMA, folder.resolve("ids.json"));
    }

    @ParameterizedTest
    @CsvSource({"last,3", "all,0 1 2 3", "'0,3',0 3", "'2, 0,last',0 2 3"})
    void lastPositionsAreOneTensorALayer(String layers, String expected) {
        Path file = folder.resolve("last-" + layers.hashCode() + ".safetensors");
        JsonNode json = Cli.run("capture ? --ids ? --layers ? --dtype f32 -o ? --json", Cli.LLAMA, ids, layers, file)
                .json();
        int[] chosen =
                Arrays.stream(expected.split(" ")).mapToInt(Integer::parseInt).toArray();
        assertEquals(List.of("output", "texts", "vectors"), Cli.keys(json));
        assertEquals(PROMPTS * chosen.length, json.get("vectors").asInt());
        try (SafetensorsFile captured = SafetensorsFile.open(file);
                SafetensorsFile golden = golden()) {
            Set<String> names = new TreeSet<>(Set.of("token_ids", "positions", "offsets"));
            for (int i : chosen) {
                names.add("hidden." + i);
                assertArrayEquals(
                        new long[] {PROMPTS, WIDTH},
                        captured.tensor("hidden." + i).shape());
                float[] rows = captured.floats("hidden." + i);
                for (int p = 0; p < PROMPTS; p++) {
                    float[] states = golden.floats(p + ".hidden." + i);
                    Golden.assertClose(
                            Arrays.copyOfRange(states, states.length - WIDTH, states.length),
                            Arrays.copyOfRange(rows, p * WIDTH, (p + 1) * WIDTH),
                            Golden.TOLERANCE,
                            "last row of " + p + ".hidden." + i);
                }
            }
            assertEquals(names, new TreeSet<>(captured.names()));
            assertEquals("[\"0\",\"1\",\"2\"]", captured.metadata().get("rows"));
            assertEquals("last", captured.metadata().get("positions"));
            assertEquals("f32", captured.metadata().get("dtype"));
        }
    }

    @Test
    void allPositionsAreOneTensorATextAndLayer() {
        Path file = folder.resolve("all.safetensors");
        String out = Cli.run("capture ? --ids ? --layers all --positions all --dtype f32 -o ?", Cli.LLAMA, ids, file)
                .ok();
        assertTrue(out.contains("3 texts, positions all, layers H[0] H[1] H[2] H[3]"), out);
        assertTrue(out.contains("written to " + file), out);
        try (SafetensorsFile captured = SafetensorsFile.open(file);
                SafetensorsFile golden = golden()) {
            assertEquals(PROMPTS * 4 + 3, captured.names().size());
            for (int p = 0; p < PROMPTS; p++) {
                for (int i = 0; i <= 3; i++) {
                    String name = p + ".hidden." + i;
                    assertArrayEquals(
                            golden.tensor(name).shape(), captured.tensor(name).shape(), name);
                    Golden.assertClose(golden.floats(name), captured.floats(name), Golden.TOLERANCE, name);
                }
            }
        }
    }

    /** Thinking and closing positions are parts of all positions, at the places that the probe text says. */
    @ParameterizedTest
    @CsvSource({"closing", "thinking"})
    void partsOfTranscripts(String positions) {
        Path data = Cli.few(folder, "attacks.jsonl", 3);
        List<Transcript> transcripts = Transcripts.read(data);
        Path part = folder.resolve(positions + ".safetensors");
        Path whole = folder.resolve(positions + "-all.safetensors");
        List<String> command = Cli.args("capture ? --data ? --dtype f32 --layers 0,3 -o", Cli.TINY, data);
        Cli.run(command, part, "--positions", positions).ok();
        Cli.run(command, whole, "--positions", "all").ok();
        try (SafetensorsFile parts = SafetensorsFile.open(part);
                SafetensorsFile all = SafetensorsFile.open(whole);
                Session session = session()) {
            assertEquals(
                    "[\"attacks-0000\",\"attacks-0001\",\"attacks-0002\"]",
                    parts.metadata().get("rows"));
            for (int t = 0; t < transcripts.size(); t++) {
                ProbeText text = session.probeText(transcripts.get(t));
                boolean closing = positions.equals("closing");
                int from = closing ? text.thinkingEnd() : text.thinkingStart();
                int to = closing ? text.ids().length : text.thinkingEnd();
                for (int i : new int[] {0, 3}) {
                    String name = t + ".hidden." + i;
                    assertArrayEquals(
                            new long[] {text.ids().length, 256},
                            all.tensor(name).shape());
                    assertArrayEquals(
                            new long[] {to - from, 256}, parts.tensor(name).shape());
                    // Two runs of the same numbers; float32 sums may still differ in their order.
                    Golden.assertClose(
                            Arrays.copyOfRange(all.floats(name), from * 256, to * 256), parts.floats(name), 2e-5, name);
                }
            }
        }
    }

    @Test
    void aLayerThatTheModelDoesNotHave() {
        Path file = folder.resolve("none.safetensors");
        Cli.run("capture ? --ids ? --layers 0,4 -o ?", Cli.LLAMA, ids, file)
                .failed(2, "--layers: '4' is not last, all or a number from 0 to 3");
    }

    private static Session session() {
        ModelOptions options = new ModelOptions();
        options.folder = Cli.TINY;
        options.on.name = "cpu";
        options.on.dtype = DType.F32;
        options.batchTokens = 16;
        return Session.openForText(options);
    }

    private static SafetensorsFile golden() {
        return SafetensorsFile.open(Cli.LLAMA.resolve("golden.safetensors"));
    }
}
