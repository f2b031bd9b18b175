package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same command gives the same bits, whether the JVM interprets the code or has compiled it. */
class ReproducibilityTest {
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
}
