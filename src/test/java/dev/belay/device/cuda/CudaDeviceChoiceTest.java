package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.device.DeviceException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which device a name means, and which is refused, on machines made up; none of these needs CUDA. */
class CudaDeviceChoiceTest {
    private static final Path DRIVER = Path.of("/lib/libcuda.so.1");
    private static final CudaDeviceInfo OLD = new CudaDeviceInfo(
            0, "Tesla T4", "GPU-11111111-0000-0000-0000-000000000000", 75, "0000:01:00.0", 16L << 30);
    private static final CudaDeviceInfo FIRST = new CudaDeviceInfo(
            1, "NVIDIA A100", "GPU-5c3a0000-0000-0000-0000-000000000001", 80, "0000:02:00.0", 80L << 30);
    private static final CudaDeviceInfo SECOND = new CudaDeviceInfo(
            2, "NVIDIA H100", "GPU-5c3b0000-0000-0000-0000-000000000002", 90, "0000:03:00.0", 80L << 30);
    private static final CudaDeviceInfo PART = new CudaDeviceInfo(
            3, "NVIDIA A100 MIG 1g.10gb", "MIG-77000000-0000-0000-0000-000000000003", 80, "0000:04:00.0", 10L << 30);
    private static final Function<CudaDeviceInfo, String> OPENS = device -> null;
    private static final CudaSystem SYSTEM = CudaSystem.of(DRIVER, 13000, List.of(OLD, FIRST, SECOND, PART));

    @ParameterizedTest
    @CsvSource({
        "cuda, 1",
        "cuda:1, 1",
        "cuda:2, 2",
        "cuda:GPU-5c3a0000-0000-0000-0000-000000000001, 1",
        "cuda:GPU-5c3b, 2",
        "cuda:GPU-5C3B0000-, 2",
        "cuda:MIG-77, 3",
        "cuda:GPU-77, 3",
        "cuda:MIG-5c3b, 2"
    })
    void aNameMeansADevice(String name, int index) {
        assertEquals(index, CudaDeviceChoice.parse(name).pick(SYSTEM).index());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "cpu",
                "cuda:",
                "cuda:-1",
                "cuda:12345",
                "cuda:x",
                "cuda:GPU-",
                "cuda:gpu-5",
                "cuda:GPU-x",
                "cuda:MIG-",
                "CUDA"
            })
    void otherNamesAreRefused(String name) {
        assertEquals(
                "unknown CUDA device '" + name + "': use cuda, cuda:n or cuda:GPU-uuid, as nvidia-smi -L prints it",
                assertThrows(DeviceException.class, () -> CudaDeviceChoice.parse(name))
                        .getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"cuda", "cuda:0", "cuda:17", "cuda:GPU-5c3a0000-0000-0000-0000-000000000001", "cuda:MIG-77ab"})
    void aChoiceIsPrintedAsItIsRead(String name) {
        assertEquals(name, CudaDeviceChoice.parse(name).toString());
    }

    @Test
    void whatIsNotThereIsRefusedWithWhatIs() {
        assertRefused("cuda:4", "device cuda:4 is not available: there are 4, numbered from 0", SYSTEM);
        assertRefused(
                "cuda:1",
                "device cuda:1 is not available: there is 1, cuda:0",
                CudaSystem.of(DRIVER, 13000, List.of(new CudaDeviceInfo(0, "A", "GPU-0", 80, "0", 1))));
        assertRefused(
                "cuda:GPU-78",
                "device cuda:GPU-78 is not available: there are only " + OLD.uuid() + ", " + FIRST.uuid() + ", "
                        + SECOND.uuid() + ", " + PART.uuid(),
                SYSTEM);
        assertRefused(
                "cuda:GPU-5c3",
                "device cuda:GPU-5c3 is not available: it can be each of " + FIRST.uuid() + ", " + SECOND.uuid(),
                SYSTEM);
    }

    @Test
    void anOldDeviceIsRefusedWithBothCapabilities() {
        String reason = "Tesla T4 has compute capability 7.5, but Belay needs 8.0 or later";
        assertRefused("cuda:0", "device cuda:0 is not available: " + reason, SYSTEM);
        assertRefused("cuda:GPU-1", "device cuda:GPU-1 is not available: " + reason, SYSTEM);
        CudaSystem old = CudaSystem.of(DRIVER, 13000, List.of(OLD, OLD));
        assertRefused("cuda", "device cuda is not available: " + reason, old);
        assertEquals(
                new CudaAvailability(0, reason + "; the other devices are not new enough either"),
                CudaAvailability.of(old, null));
    }

    @Test
    void anOldDriverIsRefusedWithBothVersions() {
        CudaSystem old = CudaSystem.of(DRIVER, 12080, List.of(SECOND));
        String reason = "the driver /lib/libcuda.so.1 is for CUDA 12.8, but Belay needs one for CUDA 13.0 or later;"
                + " install a newer NVIDIA driver";
        assertRefused("cuda:0", "device cuda:0 is not available: " + reason, old);
        assertEquals(
                new CudaAvailability.Automatic("cpu", "no GPU can be used: " + reason),
                CudaAvailability.automatic(old, null, OPENS));
    }

    @Test
    void withoutADriverTheReasonIsThatOfTheLibrary() {
        CudaSystem none = new CudaSystem(null, 0, List.of(), "no CUDA driver: none found");
        assertRefused("cuda", "device cuda is not available: no CUDA driver: none found", none);
        assertEquals(new CudaAvailability(0, "no CUDA driver: none found"), CudaAvailability.of(none, "no kernels"));
    }

    @Test
    void autoTakesTheFirstThatCanBeUsedIfThereAreKernels() {
        assertEquals(
                new CudaAvailability.Automatic(
                        "cuda:1",
                        "the first GPU that can be used, NVIDIA A100 with CUDA 13.0 driver /lib/libcuda.so.1"),
                CudaAvailability.automatic(SYSTEM, null, OPENS));
        CudaAvailability without = CudaAvailability.of(SYSTEM, "this jar has no kernels");
        assertFalse(without.available());
        assertEquals("this jar has no kernels", without.reason());
        assertEquals(
                new CudaAvailability.Automatic("cpu", "no GPU can be used: this jar has no kernels"),
                CudaAvailability.automatic(SYSTEM, "this jar has no kernels", OPENS));
    }

    @Test
    void autoPassesOverWhatCannotBeOpened() {
        assertEquals(
                new CudaAvailability.Automatic(
                        "cuda:2",
                        "the first GPU that can be used, NVIDIA H100 with CUDA 13.0 driver /lib/libcuda.so.1"),
                CudaAvailability.automatic(SYSTEM, null, device -> device == FIRST ? "it is held" : null));
        assertEquals(
                new CudaAvailability.Automatic(
                        "cpu",
                        "no GPU can be used: cuda:1: NVIDIA A100 is held; cuda:2: NVIDIA H100 is held; "
                                + "cuda:3: NVIDIA A100 MIG 1g.10gb is held"),
                CudaAvailability.automatic(SYSTEM, null, device -> device.name() + " is held"));
    }

    @Test
    void aUuidIsPrintedLikeNvidiaSmiDoes() {
        byte[] bytes = new byte[16];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (0xf0 + i);
        }
        assertEquals("GPU-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff", CudaSystem.uuidText(bytes, "NVIDIA A100-SXM4-40GB"));
        assertEquals(
                "MIG-f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff",
                CudaSystem.uuidText(bytes, "NVIDIA A100-SXM4-40GB MIG 3g.20gb"));
    }

    private static void assertRefused(String name, String message, CudaSystem system) {
        CudaDeviceChoice choice = CudaDeviceChoice.parse(name);
        assertEquals(
                message + "; or use --device cpu",
                assertThrows(DeviceException.class, () -> choice.pick(system)).getMessage());
    }
}
