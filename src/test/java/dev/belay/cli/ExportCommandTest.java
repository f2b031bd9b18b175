package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.probe.LinearProbe;
import dev.belay.text.Transcripts;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.SafetensorsModel;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code belay export}, by the bytes that the formats' definitions ask for. */
class ExportCommandTest {
    private static final String TRACES = """
            {"id":"a","tokens":3,"thinking":[1,2],"token_ids":[5,6,7],"token_texts":["=1+1","é, \\"x\\"","\\n"],\
            "scores":[0.25,1.0E-5,0.5],"plateau":1.0E-5,"final":0.5,"misalignment":-0.49999}
            {"id":"-b","tokens":2,"thinking":[2,2],"token_ids":[8,9],"token_texts":["","ok"],\
            "scores":["NaN",0.75],"plateau":null,"final":0.75,"misalignment":null}
            """;

    @TempDir
    Path folder;

    private Path traces() {
        return Cli.write(folder.resolve("t.jsonl"), TRACES);
    }

    @Test
    void csvHasALineATokenAndNoFormulas() {
        Path file = folder.resolve("t.csv");
        JsonNode json = Cli.run("export trace ? -o ? --json", traces(), file).json();
        assertEquals(List.of("output", "format", "transcripts", "tokens", "longest"), Cli.keys(json));
        assertEquals(5, json.get("tokens").asInt());
        assertEquals("""
                transcript,position,part,token_id,token,score\r
                a,0,prompt,5,'=1+1,0.25\r
                a,1,thinking,6,"é, ""x\""",1.0E-5\r
                a,2,closing,7,"'
                ",0.5\r
                '-b,0,prompt,8,,\r
                '-b,1,prompt,9,ok,0.75\r
                """, Cli.text(file));
    }

    @Test
    void ofSeveralProbesOneIsChosen() {
        Path file = Cli.write(folder.resolve("several.jsonl"), """
                {"id":"a","tokens":2,"thinking":[0,1],"token_ids":[5,6],"token_texts":["x","y"],"probes":\
                {"refusal":{"scores":[0.25,0.5]},"harm":{"scores":[0.75,1.0],"plateau":0.75,"final":1.0}}}
                """);
        Path csv = folder.resolve("several.csv");
        Cli.run("export trace ? --probe harm -o ?", file, csv).ok();
        assertEquals(
                "transcript,position,part,token_id,token,score\r\na,0,thinking,5,x,0.75\r\na,1,closing,6,y,1.0\r\n",
                Cli.text(csv));
        Cli.run("export trace ? -o ?", file, csv).failed(1, "several.jsonl", "--probe refusal|harm");
        Cli.run("export trace ? --probe other -o ?", file, csv).failed(1, "--probe refusal|harm");
        Cli.run("export trace ? --probe harm -o ?", traces(), csv).failed(1, "a trace of one probe");
    }

    /** The header as numpy.lib.format defines it, and the numbers behind it. */
    private static ByteBuffer npy(Path file, String header) {
        byte[] bytes = Cli.bytes(file);
        assertArrayEquals(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0}, Arrays.copyOf(bytes, 10));
        String text = new String(bytes, 10, 118, StandardCharsets.US_ASCII);
        assertEquals(header, text.stripTrailing());
        assertTrue(text.endsWith(" \n"));
        return ByteBuffer.wrap(bytes, 128, bytes.length - 128).slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    /** What lies beside an array whose name leaves no room for more has a hash for the end of that name. */
    @Test
    void npyOfALongName() {
        Path inside = folder.resolve("inside");
        Path target = inside.resolve("é".repeat(125) + ".npy");
        Cli.run("export trace ? -o ?", traces(), target).ok();
        List<String> names = Cli.names(inside);
        assertEquals(3, names.size(), names::toString);
        for (String end : List.of("é.npy", ".token_ids.npy", ".rows.jsonl")) {
            assertEquals(1, names.stream().filter(name -> name.endsWith(end)).count(), names::toString);
        }
        assertTrue(names.stream().allMatch(name -> name.startsWith("é".repeat(100))), names::toString);
    }

    @Test
    void npyIsFilledUpWithNaN() {
        Cli.run("export trace ? -o ?", traces(), folder.resolve("t.npy")).ok();
        ByteBuffer scores = npy(folder.resolve("t.npy"), "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }");
        double[] values = new double[6];
        scores.asDoubleBuffer().get(values);
        assertArrayEquals(new double[] {0.25, 1e-5, 0.5, Double.NaN, 0.75, Double.NaN}, values);
        assertEquals(48, scores.remaining());
        ByteBuffer ids =
                npy(folder.resolve("t.token_ids.npy"), "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }");
        int[] numbers = new int[6];
        ids.asIntBuffer().get(numbers);
        assertArrayEquals(new int[] {5, 6, 7, 8, 9, -1}, numbers);
        assertEquals(24, ids.remaining());
        List<JsonNode> rows = Cli.lines(folder.resolve("t.rows.jsonl"));
        assertEquals(
                Cli.parse(
                        "{\"id\":\"a\",\"tokens\":3,\"thinking\":[1,2],\"token_texts\":[\"=1+1\",\"é, \\\"x\\\"\",\"\\n\"]}"),
                rows.getFirst());
        assertEquals("-b", rows.get(1).get("id").asText());
        assertEquals(2, rows.size());
    }

    private static List<String> texts(SafetensorsFile file) {
        byte[] text = file.segment("text").toArray(ValueLayout.JAVA_BYTE);
        long[] at = file.longs("text_offsets");
        List<String> texts = new ArrayList<>();
        for (int i = 0; i + 1 < at.length; i++) {
            texts.add(new String(text, (int) at[i], (int) (at[i + 1] - at[i]), StandardCharsets.UTF_8));
        }
        return texts;
    }

    @Test
    void safetensorsHasTranscriptsOneAfterTheOther() {
        Path file = folder.resolve("out");
        Cli.run("export trace ? --as safetensors -o ?", traces(), file).ok();
        try (SafetensorsFile out = SafetensorsFile.open(file)) {
            assertEquals(Map.of("rows", "[\"a\",\"-b\"]"), out.metadata());
            assertArrayEquals(new float[] {0.25f, 1e-5f, 0.5f, Float.NaN, 0.75f}, out.floats("scores"));
            assertEquals("F64", out.tensor("scores").type().name());
            assertArrayEquals(new long[] {0, 3, 5}, out.longs("offsets"));
            assertArrayEquals(new long[] {5, 6, 7, 8, 9}, out.longs("token_ids"));
            assertArrayEquals(new long[] {0, 1, 2, 0, 1}, out.longs("positions"));
            assertArrayEquals(new long[] {1, 2, 2, 2}, out.longs("thinking"));
            assertArrayEquals(new float[] {1e-5f, Float.NaN}, out.floats("plateau"));
            assertArrayEquals(new float[] {0.5f, 0.75f}, out.floats("final"));
            assertArrayEquals(new float[] {-0.49999f, Float.NaN}, out.floats("misalignment"));
            assertEquals(List.of("=1+1", "é, \"x\"", "\n", "", "ok"), texts(out));
        }
    }

    @Test
    void tracesOfAModelHaveItsTokens() {
        Path data = Cli.few(folder, "attacks.jsonl", 2);
        Path file = folder.resolve("real.jsonl");
        Cli.run("trace ? --probe ? --data ? -o ?", Cli.TINY, Cli.probe(folder, 256, 6), data, file)
                .ok();
        for (JsonNode line : Cli.lines(file)) {
            StringBuilder text = new StringBuilder();
            line.get("token_texts").forEach(piece -> text.append(piece.asText()));
            String id = line.get("id").asText();
            String thinking = Transcripts.read(data).stream()
                    .filter(t -> t.id().equals(id))
                    .findFirst()
                    .orElseThrow()
                    .thinking();
            assertTrue(text.toString().contains(thinking), text.toString());
            assertTrue(text.toString().endsWith("\n</think>\n\n"), text.toString());
            assertEquals(line.get("tokens").asInt(), line.get("token_ids").size());
        }
        Path csv = folder.resolve("real.csv");
        Cli.run("export trace ? -o ?", file, csv).ok();
        assertTrue(Cli.text(csv).contains("closing"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "[1] | line 1 is not a JSON object",
                "{\"id\":\"a\",\"thinking\":[0,0],\"scores\":[1]} | line 1 has no array 'token_ids'",
                "{\"id\":\"a\",\"thinking\":[0,0],\"scores\":[1,2],\"token_ids\":[1],\"token_texts\":[\"a\"]} | 2 scores, but 1 token ids",
                "{\"id\":\"a\",\"thinking\":[0,2],\"scores\":[1],\"token_ids\":[1],\"token_texts\":[\"a\"]} | thinking [0,2] is no range of its 1",
                "{\"id\":\"a\",\"thinking\":[0,1],\"scores\":[1],\"token_ids\":[\"1\"],\"token_texts\":[\"a\"]} | token 0 has the id",
            })
    void linesThatAreNoTraces(String line, String message) {
        Path file = Cli.write(folder.resolve("bad.jsonl"), line + "\n");
        for (String as : List.of("csv", "npy", "safetensors")) {
            Cli.run("export trace ? --as ? -o ?", file, as, folder.resolve("out"))
                    .failed(1, file.toString(), message);
        }
        assertEquals(List.of("bad.jsonl"), Cli.names(folder));
    }

    @Test
    void formatsThatThereAreNot() {
        Cli.run("export").failed(2, "say trace, capture or probe");
        Cli.run("export trace t.jsonl -o x")
                .failed(2, "the ending of x is no format: use one of csv, npy, safetensors");
        Cli.run("export trace t.jsonl --as xls -o x").failed(2, "unknown format 'xls'");
        Cli.run("export trace ? -o ?", Cli.write(folder.resolve("e.jsonl"), ""), folder.resolve("e.csv"))
                .failed(1, "no traces in");
    }

    @Test
    void capturedStatesAsAnArray() {
        Path data = Cli.few(folder, "attacks.jsonl", 3);
        Path states = folder.resolve("c.safetensors");
        Cli.run("capture ? --data ? --layers 0,3 --positions closing -o ?", Cli.TINY, data, states)
                .ok();
        List<String> command = Cli.args("export capture ? -o ?", states, folder.resolve("c.npy"));
        Cli.run(command).failed(2, "has the layers 0, 3: say which with --layer");
        Cli.run(command, "--layer", 2).failed(2, "has the layers 0, 3");
        Cli.run(command, "--layer", 3).ok();
        try (SafetensorsFile file = SafetensorsFile.open(states)) {
            long[] offsets = file.longs("offsets");
            int count = (int) offsets[3];
            ByteBuffer array = npy(
                    folder.resolve("c.npy"),
                    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + count + ", 256), }");
            for (int t = 0; t < 3; t++) {
                float[] expected = file.floats(t + ".hidden.3");
                assertEquals((offsets[t + 1] - offsets[t]) * 256, expected.length);
                float[] actual = new float[expected.length];
                array.asFloatBuffer().get(actual);
                array.position(array.position() + 4 * actual.length);
                assertArrayEquals(expected, actual);
            }
            assertFalse(array.hasRemaining());
            ByteBuffer starts =
                    npy(folder.resolve("c.offsets.npy"), "{'descr': '<i8', 'fortran_order': False, 'shape': (4,), }");
            long[] values = new long[4];
            starts.asLongBuffer().get(values);
            assertArrayEquals(offsets, values);
            List<String> texts = texts(file);
            assertEquals("\n</think>\n\n", String.join("", texts.subList(0, (int) offsets[1])));
            JsonNode row = Cli.lines(folder.resolve("c.rows.jsonl")).getFirst();
            assertEquals("attacks-0000", row.get("id").asText());
            assertEquals(file.longs("positions")[0], row.get("first_position").asLong());
            assertEquals(offsets[1], row.get("token_texts").size());
        }
        Cli.run("export capture ? -o ?", Cli.probe(folder, 8, 1), folder.resolve("x.npy"))
                .failed(1, "has no hidden states with their tokens");
    }

    @Test
    void stateOfTheLastPositionAndBareIds() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[1, 2, 3], [4, 5]]");
        Path states = folder.resolve("c.safetensors");
        Cli.run("capture ? --ids ? -o ?", Cli.LLAMA, ids, states).ok();
        try (SafetensorsFile file = SafetensorsFile.open(states)) {
            assertArrayEquals(new long[] {3, 5}, file.longs("token_ids"));
            assertArrayEquals(new long[] {2, 1}, file.longs("positions"));
            assertArrayEquals(new long[] {0, 1, 2}, file.longs("offsets"));
            assertFalse(file.has("text"));
        }
        Cli.run("export capture ? -o ?", states, folder.resolve("c.npy")).ok();
        npy(folder.resolve("c.npy"), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 64), }");
        assertEquals(
                "{\"id\":\"0\",\"vectors\":1,\"first_position\":2}\n{\"id\":\"1\",\"vectors\":1,\"first_position\":1}\n",
                Cli.text(folder.resolve("c.rows.jsonl")));
    }

    private static void string(ByteBuffer out, String text) {
        out.putLong(text.length()).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    /** The whole file as the GGUF definition and llama.cpp's loader of control vectors want it. */
    @Test
    void aProbeAsAControlVector() {
        Path probe = folder.resolve("p.safetensors");
        new LinearProbe(new float[] {3, 0, -4}, 1, 2, Map.of()).save(probe);
        Path file = folder.resolve("v.gguf");
        Cli.run("export probe ? --scale 0 -o ?", probe, file).failed(2, "--scale is 0");
        Cli.run("export probe ? --as gguf --scale 10 -o ?", probe, file)
                .okWithNote("H[2] is taken for the output of a layer");
        ByteBuffer expected = ByteBuffer.allocate(1 << 10).order(ByteOrder.LITTLE_ENDIAN);
        expected.put("GGUF".getBytes(StandardCharsets.US_ASCII))
                .putInt(3)
                .putLong(1)
                .putLong(3);
        string(expected, "general.architecture");
        expected.putInt(8);
        string(expected, "controlvector");
        string(expected, "controlvector.model_hint");
        expected.putInt(8);
        string(expected, "unknown");
        string(expected, "controlvector.layer_count");
        expected.putInt(4).putInt(1);
        string(expected, "direction.1");
        expected.putInt(1).putLong(3).putInt(0).putLong(0);
        expected.position((expected.position() + 31) / 32 * 32);
        expected.putFloat(6).putFloat(0).putFloat(-8);
        expected.position((expected.position() + 31) / 32 * 32);
        assertArrayEquals(Arrays.copyOf(expected.array(), expected.position()), Cli.bytes(file));
    }

    /** Behind the final norm the score rises along w times its weights; llama.cpp's layer N makes H[N + 1]. */
    @Test
    void aProbeBehindTheFinalNorm() {
        float[] weight = new float[64];
        for (int i = 0; i < 64; i++) {
            weight[i] = i - 20;
        }
        Path probe = folder.resolve("p.safetensors");
        new LinearProbe(weight, 0, LinearProbe.LAST, Map.of()).save(probe);
        Path file = folder.resolve("v.gguf");
        Cli.run("export probe ? -o ?", probe, file).failed(2, "--model MODEL is missing");
        Cli.run("export probe ? --model ? --layers all -o ?", probe, Cli.LLAMA, file)
                .ok();
        byte[] bytes = Cli.bytes(file);
        String names = new String(bytes, StandardCharsets.ISO_8859_1);
        assertTrue(names.contains("direction.1\1") && names.contains("direction.2\1"), names);
        assertFalse(names.contains("direction.0\1") || names.contains("direction.3\1"), names);
        float[] written = new float[64];
        ByteBuffer.wrap(bytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .position(bytes.length - 256)
                .asFloatBuffer()
                .get(written);
        try (SafetensorsModel model = SafetensorsModel.open(Cli.LLAMA)) {
            float[] norm = model.floats("model.norm.weight");
            double squares = 0;
            for (int i = 0; i < 64; i++) {
                squares += Math.pow((double) weight[i] * norm[i], 2);
            }
            for (int i = 0; i < 64; i++) {
                assertEquals(weight[i] * norm[i] / Math.sqrt(squares), written[i], 1e-6);
            }
        }
        Cli.run("export probe ? --model ? --layers 1,3 -o ?", probe, Cli.LLAMA, file)
                .failed(2, "H[0] and H[1]");
        Cli.run("export probe ? --model ? -o ?", Cli.probe(folder, 64, 3), Cli.LLAMA, file)
                .failed(1, "it has no direction");
        Cli.run("export probe ? --model ? -o ?", Cli.probe(folder, 256, 3), Cli.LLAMA, file)
                .failed(1, "has width 256, but the model has hidden size 64");
    }
}
