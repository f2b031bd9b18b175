package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.bench.ModelShape;
import dev.belay.bench.RandomModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same command gives the same bits, whether the JVM interprets the code or has compiled it, and on any number of threads. */
class ReproducibilityTest {
    private static final String THREADS = "belay.threads";
    private static final ModelShape WIDE = new ModelShape(
            "wide", "LlamaForCausalLM", "llama", 2, 16, 8, 64, 1024, 2816, 1000, 512, 1e-5, 1e4, false, false, 0, 1);

    /** Enough passes for the hot loops to be compiled. */
    private static final int REPEATS = 30;

    @TempDir
    private Path folder;

    @Test
    void interpretedAndCompiledRunsAgree() throws IOException, InterruptedException {
        Path ids = GoldenFiles.ids(Cli.LLAMA, folder.resolve("ids.json"));
        Path interpreted = folder.resolve("interpreted.safetensors");
        List<String> capture = Cli.args(
                "capture ? --ids ? --dtype f32 --layers all --positions all -o ?", Cli.LLAMA, ids, interpreted);
        Process process = new ProcessBuilder(Cli.process(List.of("-Xint"), capture))
                .inheritIO()
                .start();
        assertEquals(0, process.waitFor());
        byte[] expected = Files.readAllBytes(interpreted);
        Path compiled = folder.resolve("compiled.safetensors");
        for (int i = 0; i < REPEATS; i++) {
            Cli.run(capture.subList(0, capture.size() - 1), compiled).ok();
            assertArrayEquals(expected, Files.readAllBytes(compiled), "run " + i);
        }
    }

    /** The matrices are so wide that their panels, and so the products, differ with the number of threads. */
    @ParameterizedTest
    @ValueSource(strings = {"f32", "bf16"})
    void theNumberOfThreadsChangesNothing(String dtype) {
        Path model = folder.resolve("wide");
        RandomModel.write(WIDE, model, 1, _ -> {});
        Random random = new Random(2);
        List<int[]> rows = IntStream.of(1, 2, 15, 16, 17, 100, 129, 300)
                .mapToObj(length -> random.ints(length, 0, 1000).toArray())
                .toList();
        Path ids = Cli.write(
                folder.resolve("ids.json"),
                rows.stream().map(Arrays::toString).toList().toString());
        Path out = folder.resolve("out");
        List<String> capture = Cli.args(
                "capture ? --ids ? --device cpu --dtype ? --layers all --positions all -o ?", model, ids, dtype, out);
        List<String> generate = Cli.args(
                "generate ? --ids ? --device cpu --dtype ? --max-new-tokens 8 --ignore-eos -o ?",
                model,
                ids,
                dtype,
                out);
        for (List<String> command : List.of(capture, generate)) {
            byte[] expected = null;
            for (int threads : new int[] {1, 2, 3, 7}) {
                System.setProperty(THREADS, "" + threads);
                try {
                    Cli.run(command).ok();
                } finally {
                    System.clearProperty(THREADS);
                }
                expected = expected == null ? Cli.bytes(out) : expected;
                assertArrayEquals(expected, Cli.bytes(out), command.getFirst() + " with " + threads + " threads");
            }
        }
    }
}
