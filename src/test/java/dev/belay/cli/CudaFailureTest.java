package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    private static final Path SOFTCUDA = Path.of("native/softcuda/build/libsoftcuda.so");
    private static final Path SOFTCUBLAS = Path.of("native/softcuda/build/libsoftcublaslt.so");
    private static final Path PTX = Path.of("kernels/build/belay.ptx");
    private static final String KERNEL = "belay_swiglu_f32_bf16";

    @TempDir
    static Path folder;

    private static Path planted;

    @BeforeAll
    static void plant() throws Exception {
        assumeTrue(
                Files.exists(SOFTCUDA) && Files.exists(SOFTCUBLAS), "softcuda is not built: make -C native/softcuda");
        assumeTrue(Files.exists(PTX), "the kernels are not built: make -C kernels");
        String ptx = Files.readString(PTX, StandardCharsets.ISO_8859_1);
        int entry = ptx.indexOf(".entry " + KERNEL + "(");
        assertTrue(entry > 0, KERNEL + " is in " + PTX);
        int body = ptx.indexOf('{', entry) + 1;
        planted = folder.resolve("planted.ptx");
        Files.writeString(
                planted, ptx.substring(0, body) + "\n\ttrap;\n" + ptx.substring(body), StandardCharsets.ISO_8859_1);
    }

    private record Ended(int code, List<String> err) {}

    private static Ended belay(boolean blocking, Path kernels, Object... arguments) throws Exception {
        List<String> command = Cli.process(
                List.of(
                        "-Dbelay.cuda.library=" + SOFTCUDA.toAbsolutePath(),
                        "-Dbelay.cublas.library=" + SOFTCUBLAS.toAbsolutePath(),
                        "-Dbelay.cuda.kernels=" + kernels,
                        "-Dbelay.cuda.blocking=" + blocking),
                Stream.of(arguments).map(Object::toString).toList());
        Path err = folder.resolve("err");
        Process process = new ProcessBuilder(command)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(err.toFile())
                .start();
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "the process ends");
        List<String> lines = Files.readAllLines(err).stream()
                .filter(line -> line.startsWith("belay:") && !line.contains("loading"))
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
                "all",
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
        assertTrue(line.contains("the launch of " + KERNEL + " in "), line);
        assertTrue(line.contains("gridX=4"), line);
        assertTrue(line.contains("CUDA_ERROR_LAUNCH_FAILED (719)"), line);
        if (blocking) {
            assertFalse(line.contains("then"), line);
        }
        assertFalse(Files.exists(out));
    }

    /** What was written before the failure is whole: the first command's file, and nothing half of the second's. */
    @Test
    void filesWrittenBeforeStayWhole() throws Exception {
        Path ids = Cli.write(folder.resolve("more.json"), "[[5, 6, 7, 8], [9, 10]]");
        Path out = folder.resolve("whole.safetensors");
        Object[] capture = {
            "capture", Cli.LLAMA, "--ids", ids, "--positions", "all", "--device", "cuda", "--dtype", "bf16", "-o", out
        };
        assertEquals(0, belay(false, PTX.toAbsolutePath(), capture).code());
        byte[] before = Files.readAllBytes(out);
        assertEquals(1, belay(false, planted, capture).code());
        assertArrayEquals(before, Files.readAllBytes(out));
    }
}
