package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.device.SoftCuda;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * The global memory that one launch of each kernel moves, as softcuda counts it in a process of its own, against every input once
 * and every output once; what keeps norms reads its output again.
 */
class CudaKernelTrafficTest {
    /** What counts as once. */
    private static final double ONCE = 1.15;

    private static final double COALESCED = 0.9;

    @TempDir
    static Path folder;

    private static Map<String, KernelCounts> counts;

    @BeforeAll
    static void count() throws Exception {
        SoftCuda.require();
        counts = KernelReport.counts(count("plain"), count("norms"));
    }

    private static Path count(String part) throws Exception {
        Path file = folder.resolve(part + ".json");
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dbelay.cuda.library=" + SoftCuda.DRIVER,
                        "-cp",
                        System.getProperty("java.class.path"),
                        KernelReport.class.getName(),
                        part,
                        SoftCuda.PTX.toString())
                .inheritIO();
        builder.environment().putAll(Map.of("SOFTCUDA_CHECK", "0", "SOFTCUDA_COUNT", file.toString()));
        Process process = builder.start();
        assertTrue(process.waitFor(10, TimeUnit.MINUTES), "the process ends");
        assertEquals(0, process.exitValue());
        return file;
    }

    /** Kernels whose warps ask for the same numbers again, which the caches hold: docs/kernels.md names them. */
    private static boolean readsAgain(String kernel) {
        return Stream.of(
                        "rmsnorm",
                        "add_bias",
                        "probe",
                        "attribution",
                        "sample_",
                        "attention_hd",
                        "attention_any",
                        "matmul",
                        "router",
                        "expert_groups",
                        "expert_matmul")
                .anyMatch(part -> kernel.startsWith("belay_" + part));
    }

    @TestFactory
    Stream<DynamicTest> everyInputAndOutputMovesOnce() {
        return KernelWorkload.all().stream()
                .map(w -> DynamicTest.dynamicTest(w.label(), () -> {
                    KernelCounts c = counts.get(w.label());
                    assertEquals(1, c.launches());
                    // Fewer sectors than the minimum would mean that the minimum is wrong.
                    assertTrue(c.distinctBytes() > 0.99 * w.minimumBytes(), c + " of at least " + w.minimumBytes());
                    long moved = readsAgain(w.kernel().name()) ? c.distinctBytes() : c.movedBytes();
                    long least = w.minimumBytes() + (w.keepsNorms() ? w.outputBytes() : 0);
                    assertTrue(moved <= ONCE * least, c + " of at least " + least);
                    assertTrue(c.coalescing() > COALESCED, c.toString());
                }));
    }

    /** Where nvcc is the one that the document is about: another gives other instructions. */
    @Test
    void theDocumentIsWhatIsCounted() throws Exception {
        try (Stream<String> lines = Files.lines(SoftCuda.PTX, StandardCharsets.ISO_8859_1)) {
            assumeTrue(lines.limit(10).anyMatch(line -> line.contains("release 13.0,")), "nvcc is not of CUDA 13.0");
        }
        String registers = "(?s)\\n## Registers and occupancy\\n.*(?=\\n## Warp instructions\\n)";
        String document = Files.readString(Path.of("docs/kernels.md"));
        assertEquals(
                document.replaceFirst(registers, ""),
                KernelReport.write(counts, null),
                "docs/kernels.md is not what tools/kernel-report writes");
    }

    /**
     * Products whose tiles are full, and attention, whose tiles at the diagonal also hold keys that a query does not see. An expert's few
     * tokens do not fill a tile.
     */
    @TestFactory
    Stream<DynamicTest> flopsAreThoseCounted() {
        return KernelWorkload.all().stream()
                .filter(w -> w.kernel().name().matches("belay_(matmul|matvec|attention|expert_matmul_(bf16|f32)).*"))
                .map(w -> DynamicTest.dynamicTest(w.label(), () -> {
                    KernelCounts c = counts.get(w.label());
                    long counted = w.onTensorCores() ? c.mmaFlops() : c.floatFlops();
                    assertTrue(counted >= w.flops() && counted <= 1.2 * w.flops(), counted + " of " + w.flops());
                }));
    }
}
