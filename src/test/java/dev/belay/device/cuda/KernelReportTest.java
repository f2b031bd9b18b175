package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the kernel report reads and works out; none of these needs CUDA. */
class KernelReportTest {
    private static final List<String> PTXAS = List.of(
            "ptxas info    : 0 bytes gmem",
            "ptxas info    : Compiling entry function 'one' for 'sm_80'",
            "ptxas info    : Function properties for one",
            "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
            "ptxas info    : Used 44 registers, used 1 barriers, 128 bytes smem, 384 bytes cmem[0]",
            "ptxas info    : Compile time = 24.738 ms",
            "ptxas info    : Compiling entry function 'one' for 'sm_120'",
            "ptxas info    : Function properties for one",
            "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads",
            "ptxas info    : Used 255 registers, used 0 barriers");

    private static final String COUNTS = """
            [
              {"kernel": "one", "launches": 1, "warpInstructions": 100, "laneInstructions": 1600, "laneUse": 0.5,
               "classes": {"integer": 60, "float32": 40}, "mmaFlops": 4096,
               "globalLoadBytes": 128, "globalStoreBytes": 64, "globalLoadSectors": 8, "globalStoreSectors": 2,
               "globalLoadDistinct": 5, "globalStoreDistinct": 2, "globalRequests": 3, "coalescing": 0.6,
               "sharedAccesses": 2, "sharedWavefronts": 6, "sharedIdeal": 4, "bankConflicts": 1.5, "branches": 10,
               "divergentBranches": 1}
            ]
            """;

    @Test
    void theOutputOfPtxasIsReadPerArchitecture() {
        PtxasLog log = PtxasLog.parse(PTXAS);
        assertEquals(new PtxasLog.Usage(44, 0, 128), log.usage("one", "sm_80"));
        assertEquals(new PtxasLog.Usage(255, 20, 0), log.usage("one", "sm_120"));
        assertThrows(IllegalArgumentException.class, () -> log.usage("one", "sm_90"));
    }

    @Test
    void countsAreReadAndTurnedIntoShares(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("counts.json");
        Files.writeString(file, COUNTS);
        KernelCounts counts = KernelCounts.read(file).get("one");
        assertEquals(Map.of("integer", 60L, "float32", 40L), counts.classes());
        assertEquals(192, counts.askedBytes());
        assertEquals(320, counts.movedBytes());
        assertEquals(224, counts.distinctBytes());
        assertEquals(0.6, counts.coalescing(), 1e-12);
        assertEquals(1.5, counts.bankConflicts(), 1e-12);
        assertEquals(0.1, counts.divergence(), 1e-12);
        assertEquals(40 * 64, counts.floatFlops());
    }

    /** By hand: warps 64 (48) a multiprocessor, 4 parts of 16384 registers, each block pays 1 KB of shared memory more. */
    @ParameterizedTest
    @CsvSource({
        // Blocks of 8 warps; a warp of 32 registers takes 1024, so a part holds 16 warps: all 64 fit.
        "sm_90, 256, 32, 0, 8",
        // 44 registers take 1536 (in units of 256): 10 warps a part, 40 in all, 5 blocks.
        "sm_90, 256, 44, 128, 5",
        // 33 KB in units of 128 bytes: 6 of 228 KB, 4 of 164 KB, 3 of 100 KB.
        "sm_100, 128, 64, 32768, 6",
        "sm_80, 128, 64, 32768, 4",
        "sm_120, 128, 64, 32768, 3",
        // One warp a block: the number of blocks bounds; a block takes registers for 4 warps.
        "sm_90, 32, 16, 0, 32",
        "sm_120, 32, 16, 0, 24",
        "sm_90, 32, 255, 0, 2",
        // Exactly what sm_120 has: 99 KB and the reserved one.
        "sm_120, 128, 200, 101376, 1",
        "sm_120, 128, 200, 101377, 0",
        "sm_120, 1024, 64, 0, 1",
    })
    void occupancyIsBoundByWhateverRunsOut(String architecture, int threads, int registers, int shared, int blocks) {
        for (SmLimits sm : SmLimits.ALL) {
            if (sm.architecture().equals(architecture)) {
                assertEquals(blocks, sm.residentBlocks(threads, registers, shared));
                double warps = blocks * (threads / 32);
                assertEquals(warps / sm.warps(), sm.occupancy(threads, registers, shared), 1e-12);
            }
        }
    }

    @Test
    void theSlowestPartIsWhatIsPredicted() {
        GpuModel gpu = new GpuModel("test", 1000, 100, 10, "");
        double launch = GpuModel.LAUNCH_MICROSECONDS;
        assertEquals(launch + 20, gpu.microseconds(20e6, 1e9, 0.1e9), 1e-9, "memory");
        assertEquals(launch + 30, gpu.microseconds(20e6, 3e9, 0.1e9), 1e-9, "matrix products");
        assertEquals(launch + 40, gpu.microseconds(20e6, 3e9, 0.4e9), 1e-9, "other arithmetic");
    }

    @Test
    void everyKernelHasAWorkloadThatFillsItsParameters() {
        List<KernelSignature> kernels = new ArrayList<>();
        for (KernelWorkload workload : KernelWorkload.all()) {
            if (!workload.keepsNorms()) {
                kernels.add(workload.kernel());
            }
            assertEquals(
                    workload.kernel().parameters().size(),
                    workload.arguments().size(),
                    workload.kernel().name());
            assertTrue(workload.shape().threads() <= workload.kernel().maxThreads());
        }
        assertEquals(KernelCatalog.all(), kernels);
    }

    @Test
    void theReportNamesEveryKernelAndWhatIsMissing(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("counts.json");
        Files.writeString(file, COUNTS);
        Map<String, KernelCounts> counts = new HashMap<>();
        List<String> ptxas = new ArrayList<>();
        for (KernelSignature kernel : KernelCatalog.all()) {
            counts.put(kernel.name(), KernelCounts.read(file).get("one"));
            for (SmLimits sm : SmLimits.ALL) {
                ptxas.add("Compiling entry function '" + kernel.name() + "' for '" + sm.architecture() + "'");
                ptxas.add("Used 32 registers");
            }
        }
        for (KernelWorkload workload : KernelWorkload.keepingNorms()) {
            counts.put(workload.label(), counts.get(workload.kernel().name()));
        }
        String report = KernelReport.write(counts, PtxasLog.parse(ptxas));
        for (KernelWorkload workload : KernelWorkload.all()) {
            String label = workload.label();
            assertEquals(6, report.split("\\| " + label + " \\|", -1).length, label + " in 5 tables");
        }
        assertTrue(report.contains("Predicted time, not measured"));
        counts.remove("belay_swiglu_f32_bf16");
        Exception e =
                assertThrows(IllegalArgumentException.class, () -> KernelReport.write(counts, PtxasLog.parse(ptxas)));
        assertEquals("the counts must hold one launch of belay_swiglu_f32_bf16, not 0", e.getMessage());
    }
}
