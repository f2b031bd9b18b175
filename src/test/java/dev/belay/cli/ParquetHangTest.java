package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Damaged Parquet files for whose rows Hardwood would wait for ever; in a process each, as they leave a thread busy. */
class ParquetHangTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"hang-asks-for-memory.parquet", "hang-damaged-levels.parquet"})
    void theImportEnds(String name) throws Exception {
        Path file = Path.of("src/test/resources/fuzz/parquet", name);
        List<String> arguments = List.of(
                "import", file.toString(), "-o", folder.resolve("t.jsonl").toString());
        Process process = new ProcessBuilder(Cli.process(List.of("-Xmx512m", "-Dbelay.parquet.seconds=2"), arguments))
                .redirectErrorStream(true)
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertTrue(process.waitFor(60, TimeUnit.SECONDS), out);
        assertEquals(1, process.exitValue(), out);
        assertTrue(out.contains("belay: " + file + " is not a Parquet file that can be read: no rows came"), out);
    }
}
