package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DType;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.DevicePeaks;
import dev.belay.weights.TensorType;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How kernels are timed; on softcuda, whose time says nothing, one launch alone. */
class KernelTimesTest {
    private static KernelWorkload workload(KernelSignature kernel) {
        return KernelWorkload.all().stream()
                .filter(workload -> workload.kernel() == kernel)
                .findFirst()
                .orElseThrow();
    }

    @Test
    void aKernelIsLaunchedAndTimed() {
        try (TestKernels kernels = TestKernels.open();
                CudaQueue queue = new CudaQueue()) {
            KernelWorkload groups = workload(KernelCatalog.EXPERT_GROUPS);
            KernelTimes.Time time = KernelTimes.measure(groups, kernels.context(), kernels.module(), queue, 0);
            assertTrue(time.microseconds() > 0 && time.microseconds() < 60e6, time.toString());
            assertEquals(1, time.launches());
            assertEquals(1, time.copies());
        }
    }

    /** The rate is that of the file's bytes, which are twice those on the device, and nothing is left in the folder for temporary files. */
    @Test
    void anUploadIsTimed(@TempDir Path folder) throws Exception {
        try (TestKernels kernels = TestKernels.open();
                CudaQueue queue = new CudaQueue()) {
            long before = queue.waits();
            UploadRate rate = UploadRate.measure(kernels.context(), queue, folder, TensorType.F32, DType.BF16, 1 << 20);
            assertEquals(before + 4, queue.waits());
            assertTrue(rate.seconds() > 0 && rate.seconds() < 60, rate.toString());
            assertEquals((1 << 20) / rate.seconds(), rate.bytesPerSecond(), 1);
        }
        try (var files = Files.list(folder)) {
            assertEquals(0, files.count());
        }
    }

    /** Without a place for the file, and if the device fails, here for want of a petabyte, the times of the kernels are in the JSON. */
    @Test
    void theTimesOfKernelsAreWrittenIfAnUploadFails(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("times.json");
        ObjectMapper mapper = new ObjectMapper();
        ObjectNode json = mapper.createObjectNode().put("kernels", "measured");
        try (TestKernels kernels = TestKernels.open();
                CudaQueue queue = new CudaQueue()) {
            Path missing = folder.resolve("missing");
            KernelTimes.write(json, file, kernels.context(), queue, missing, 1 << 20);
            JsonNode written = mapper.readTree(file.toFile());
            assertEquals("measured", written.path("kernels").asText());
            assertTrue(written.path("uploads_failed").asText().contains(missing.toString()), written.toString());
            Files.delete(file);
            assertThrows(
                    DeviceMemoryException.class,
                    () -> KernelTimes.write(json, file, kernels.context(), queue, folder, 1L << 50));
        }
        assertEquals("measured", mapper.readTree(file.toFile()).path("kernels").asText());
    }

    /** 2 · 256 · 2048 · 1024 FLOPs in a millisecond; its inputs and output together are 6.8 MB. */
    @Test
    void theShareIsOfThePeakThatBounds() {
        KernelWorkload product = workload(KernelCatalog.MATMUL_BF16_F32);
        KernelTimes.Time time = new KernelTimes.Time(product, 1000, 1, 1, 1);
        assertEquals(1.073741824e12, time.flopsPerSecond(), 1);
        assertEquals(2 * 256 * 1024 + 2 * 2048 * 1024 + 4 * 256 * 2048, product.minimumBytes());
        assertEquals(6.815744e9, time.bytesPerSecond(), 1);
        assertEquals(0.5, time.share(new DevicePeaks(1e12, 2.147483648e12)), 1e-9);
        assertEquals(0.25, time.share(new DevicePeaks(4 * 6.815744e9, 1e14)), 1e-9);
    }

    /** As many copies as a cache does not hold, and no more than there is room for. */
    @Test
    void copiesOutgrowTheCaches() {
        KernelWorkload wide = workload(KernelCatalog.SWIGLU_F32);
        assertEquals(44040192, wide.minimumBytes());
        assertEquals(13, KernelTimes.copies(wide));
        assertEquals(64, KernelTimes.copies(workload(KernelCatalog.EXPERT_GROUPS)));
        // All of its experts have memory, 1.6 GB, of which a launch reads 16.
        assertEquals(3, KernelTimes.copies(workload(KernelCatalog.EXPERT_MATVEC_F32)));
    }
}
