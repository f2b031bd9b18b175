package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.SoftCuda;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A kernel that fails in the middle of a command: swiglu with a trap planted into its PTX, on softcuda. In processes of its own, as a
 * failed kernel spoils the device for its process.
 */
class CudaFailureTest {
    private static final String KERNEL = "belay_swiglu_f32_bf16";

    @TempDir
    static Path folder;

    /** Threads of swiglu that pass: those of about 12 decode steps of the llama family's layers. */
    private static final int THREADS_BEFORE = 12 * 3 * 256;

    private static Path planted;

    private static Path plantedLater;

    @BeforeAll
    static void plant() throws Exception {
        SoftCuda.require();
        planted = plant("planted.ptx", "", "\ttrap;\n");
        plantedLater = plant("planted-later.ptx", ".global .align 4 .u32 planted_threads;\n", """
                    .reg .u32 %planted_count;
                    .reg .pred %planted_end;
                    atom.global.add.u32 %planted_count, [planted_threads], 1;
                    setp.gt.u32 %planted_end, %planted_count, LAST;
                    @%planted_end trap;
                """.replace(
                        "LAST", String.valueOf(THREADS_BEFORE)));
    }

    /** Writes the PTX with a declaration before the kernel and instructions at its start. */
    private static Path plant(String name, String declaration, String instructions) throws Exception {
        String ptx = Files.readString(SoftCuda.PTX, StandardCharsets.ISO_8859_1);
        int entry = ptx.indexOf(".entry " + KERNEL + "(");
        assertTrue(entry > 0, KERNEL + " is in " + SoftCuda.PTX);
        int line = ptx.lastIndexOf('\n', entry) + 1;
        int body = ptx.indexOf('{', entry) + 1;
        String changed = ptx.substring(0, line) + declaration + ptx.substring(line, body) + "\n" + instructions
                + ptx.substring(body);
        return Files.writeString(folder.resolve(name), changed, StandardCharsets.ISO_8859_1);
    }

    private record Ended(int code, List<String> err) {}

    private static Ended belay(boolean blocking, Path kernels, Object... arguments) throws Exception {
        return belay(Map.of(), blocking, kernels, arguments);
    }

    private static Ended belay(Map<String, String> environment, boolean blocking, Path kernels, Object... arguments)
            throws Exception {
        List<String> options = new ArrayList<>(SoftCuda.options(kernels, SoftCuda.PRODUCTS));
        options.add("-Dbelay.cuda.blocking=" + blocking);
        List<String> command =
                Cli.process(options, Stream.of(arguments).map(Object::toString).toList());
        Path err = folder.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(err.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "the process ends");
        List<String> lines = Files.readAllLines(err).stream()
                .filter(line -> line.startsWith("belay:") && !line.matches(".*: \\d+ of \\d+, .*"))
                .toList();
        return new Ended(process.exitValue(), lines);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void isOneLineWithKernelGeometryAndCode(boolean blocking) throws Exception {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8]]");
        Path out = folder.resolve("states-" + blocking + ".safetensors");
        Ended ended = belay(
                blocking,
                planted,
                "capture",
                Cli.LLAMA,
                "--ids",
                ids,
                "--layers",
                "1",
                "--positions",
                "all",
                "--device",
                "cuda",
                "--dtype",
                "bf16",
                "-o",
                out);
        assertEquals(1, ended.code(), ended.toString());
        assertEquals(1, ended.err().size(), ended.toString());
        String line = ended.err().getFirst();
        assertTrue(line.contains("CUDA_ERROR_LAUNCH_FAILED (719)"), line);
        assertTrue(line.contains("the launch of " + KERNEL + " in "), line);
        assertTrue(line.contains("gridX=4"), line);
        if (blocking) {
            assertFalse(line.contains("then"), line);
        } else {
            // It is waited for when the pass, which ends with this layer, has been launched.
            assertTrue(line.contains("-Dbelay.cuda.blocking=true tells which launch it was"), line);
        }
        assertFalse(Files.exists(out));
    }

    /** A decode step is a graph from its third time on: a kernel that fails in one is told as one that fails alone. */
    @Test
    void aKernelThatFailsInAGraphIsTold() throws Exception {
        Path ids = Cli.write(folder.resolve("prompt.json"), "[[5, 6, 7, 8]]");
        Object[] generate = {
            "generate",
            Cli.LLAMA,
            "--ids",
            ids,
            "--max-new-tokens",
            40,
            "--device",
            "cuda",
            "--dtype",
            "bf16",
            "-o",
            folder.resolve("never.jsonl")
        };
        Ended ended = belay(false, plantedLater, generate);
        assertEquals(1, ended.code(), ended.toString());
        assertEquals(1, ended.err().size(), ended.toString());
        String line = ended.err().getFirst();
        assertTrue(line.contains("other launches, then the launch of belay_"), line);
        assertTrue(line.contains("CUDA_ERROR_LAUNCH_FAILED (719)"), line);
        assertTrue(line.contains("-Dbelay.cuda.blocking=true tells which launch it was"), line);
        ended = belay(true, plantedLater, generate);
        assertEquals(1, ended.code(), ended.toString());
        assertTrue(ended.err().getFirst().contains("after the launch of " + KERNEL), ended.toString());
    }

    /** Memory for a part of the batch that was asked for: the sweep goes on with smaller ones, to the same scores. */
    @Test
    void aSweepThatRunsOutOfMemoryGoesOn() throws Exception {
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        List<Map<String, Double>> scores = new ArrayList<>();
        for (String memory : List.of("2G", "12M")) {
            Path out = folder.resolve("heads-" + memory + ".json");
            Ended ended = belay(Map.of("SOFTCUDA_MEMORY", memory), false, SoftCuda.PTX, sweep(probe, out));
            assertEquals(0, ended.code(), ended.toString());
            Map<String, Double> byHead = new TreeMap<>();
            for (JsonNode head : Cli.json(out).get("ranking")) {
                String name = head.get("layer") + "," + head.get("head");
                byHead.put(name, head.get("score").doubleValue());
            }
            scores.add(byHead);
        }
        assertEquals(48, scores.getFirst().size());
        assertEquals(scores.getFirst().keySet(), scores.getLast().keySet());
        scores.getFirst()
                .forEach((head, score) -> assertEquals(score, scores.getLast().get(head), 2e-3, head));
    }

    /** With {@code --device auto} a GPU that another process holds is no reason to fail. */
    @Test
    void autoGoesOnWithTheCpuWhereTheGpuIsHeld() throws Exception {
        Path ids = Cli.write(folder.resolve("held.json"), "[[5, 6, 7, 8]]");
        Path out = folder.resolve("held.safetensors");
        Ended ended = belay(
                Map.of("SOFTCUDA_FAIL", "cuDevicePrimaryCtxRetain=46"),
                false,
                SoftCuda.PTX,
                "capture",
                Cli.LLAMA,
                "--ids",
                ids,
                "--device",
                "auto",
                "-o",
                out);
        assertEquals(0, ended.code(), ended.toString());
        assertTrue(
                ended.err()
                        .getFirst()
                        .startsWith("belay: on cpu: no GPU can be used: cuda:0: cuDevicePrimaryCtxRetain"),
                ended.toString());
        assertTrue(Files.exists(out));
    }

    /** A batch that was asked for and does not fit is not made smaller without a word. */
    @Test
    void aBatchThatDoesNotFitIsTold() throws Exception {
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Path out = folder.resolve("nothing.json");
        Object[] sweep = Stream.concat(Stream.of(sweep(probe, out)), Stream.of("--batch-tokens", 65536))
                .toArray();
        Ended ended = belay(Map.of("SOFTCUDA_MEMORY", "100M"), false, SoftCuda.PTX, sweep);
        assertEquals(1, ended.code(), ended.toString());
        assertEquals(1, ended.err().size(), ended.toString());
        String told = ended.err().getFirst();
        assertTrue(told.startsWith("belay: --batch-tokens 65536 needs "), told);
        assertFalse(Files.exists(out));
        // With the number that the message names it works, and nothing is halved.
        sweep[sweep.length - 1] = told.substring(told.lastIndexOf(' ') + 1);
        ended = belay(Map.of("SOFTCUDA_MEMORY", "100M"), false, SoftCuda.PTX, sweep);
        assertEquals(new Ended(0, List.of()), ended);
    }

    /** A text that is longer than a batch needs more than a full one. */
    @Test
    void aPassThatRunsOutOfMemoryInTheMiddleGoesOnWithSmallerBatches() throws Exception {
        StringBuilder text = new StringBuilder("[[5]");
        text.append(", [").append("7, 9, ".repeat(239)).append("11]]");
        Path ids = Cli.write(folder.resolve("long.json"), text.toString());
        Path out = folder.resolve("long.safetensors");
        Ended ended = belay(
                Map.of("SOFTCUDA_MEMORY", "15M"),
                false,
                SoftCuda.PTX,
                "capture",
                Cli.TINY,
                "--ids",
                ids,
                "--batch-tokens",
                256,
                "--device",
                "cuda",
                "--dtype",
                "bf16",
                "-o",
                out);
        assertEquals(0, ended.code(), ended.toString());
        String notice = "belay: out of memory with batches of 256 tokens: going on with batches of 128 (cuMemAlloc(";
        assertEquals(
                1, ended.err().stream().filter(line -> line.startsWith(notice)).count(), ended.toString());
        assertTrue(Files.exists(out));
    }

    /** Smaller batches do not make room for weights: the message does not ask for them. */
    @Test
    void whenTheWeightsDoNotFitTheMessageSaysSo() throws Exception {
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Path out = folder.resolve("none.json");
        Ended ended = belay(Map.of("SOFTCUDA_MEMORY", "6M"), false, SoftCuda.PTX, sweep(probe, out));
        assertEquals(1, ended.code(), ended.toString());
        assertEquals(1, ended.err().size(), ended.toString());
        assertTrue(ended.err().getFirst().contains("no room on the GPU for the weights: model."), ended.toString());
        assertTrue(ended.err().getFirst().contains("--device cpu"), ended.toString());
        assertFalse(ended.err().getFirst().contains("--batch-tokens"), ended.toString());
        assertFalse(ended.err().getFirst().contains("--dtype"), "it is bf16 already: " + ended);
    }

    private static Object[] sweep(Path probe, Path out) {
        return new Object[] {
            "heads",
            Cli.TINY,
            "--data",
            Cli.data("attacks.jsonl"),
            "--limit",
            4,
            "--method",
            "causal",
            "--positions",
            "closing",
            "--probe",
            probe,
            "--device",
            "cuda",
            "--dtype",
            "bf16",
            "-o",
            out
        };
    }

    /** What was written before the failure is whole: the first command's file, and nothing half of the second's. */
    @Test
    void filesWrittenBeforeStayWhole() throws Exception {
        Path ids = Cli.write(folder.resolve("more.json"), "[[5, 6, 7, 8], [9, 10]]");
        Path out = folder.resolve("whole.safetensors");
        Object[] capture = {
            "capture", Cli.LLAMA, "--ids", ids, "--positions", "all", "--device", "cuda", "--dtype", "bf16", "-o", out
        };
        assertEquals(0, belay(false, SoftCuda.PTX, capture).code());
        byte[] before = Files.readAllBytes(out);
        assertEquals(1, belay(false, planted, capture).code());
        assertArrayEquals(before, Files.readAllBytes(out));
    }
}
