package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.SoftCuda;
import dev.belay.forward.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Without cuBLASLt Belay's own kernels multiply: whole models on softcuda against transformers. */
class OwnProductsTest {
    @TempDir
    Path folder;

    @BeforeAll
    static void needsSoftCuda() {
        SoftCuda.require();
    }

    @ParameterizedTest
    @CsvSource({"llama, f32", "llama, bf16", "phi3, bf16", "qwen2, f32", "qwen3-moe, bf16"})
    void aModelIsComputedWithoutCublas(String family, String dtype) throws Exception {
        List<String> command = Cli.process(
                SoftCuda.options(SoftCuda.PTX, "none"),
                Cli.args("verify ? --device cuda --dtype ?", Golden.path("families/" + family), dtype));
        Path out = folder.resolve("out");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "the process ends");
        String text = Files.readString(out);
        assertEquals(0, process.exitValue(), text);
        assertTrue(text.contains("own kernels (no cuBLASLt library"), text);
    }
}
