package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Context, memory and errors of the driver. */
class CudaDriverTest {
    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @Test
    void theDeviceSaysWhatItIs() {
        assertTrue(CudaAvailability.get().available());
        assertTrue(
                CudaAvailability.get().reason().startsWith("CUDA "),
                CudaAvailability.get().reason());
        assertFalse(kernels.context().name().isEmpty());
        assertTrue(kernels.context().computeCapability() >= 80, "kernels need 8.0");
    }

    @Test
    void memoryKeepsWhatIsWritten() {
        try (CudaMemory memory = kernels.context().allocate("numbers", 24);
                Arena arena = Arena.ofConfined()) {
            memory.fill((byte) -1);
            memory.write(8, arena.allocateFrom(JAVA_INT, 7, 9));
            MemorySegment all = arena.allocate(24);
            memory.read(0, all);
            assertArrayEquals(new int[] {-1, -1, 7, 9, -1, -1}, all.toArray(JAVA_INT));
            MemorySegment part = arena.allocate(4);
            memory.read(12, part);
            assertArrayEquals(new int[] {9}, part.toArray(JAVA_INT));
        }
    }

    @Test
    void copiesStayInBounds() {
        try (CudaMemory memory = kernels.context().allocate("numbers", 24);
                Arena arena = Arena.ofConfined()) {
            MemorySegment eight = arena.allocate(8);
            assertMessage(
                    "write of 8 bytes at 20 is outside memory 'numbers' of 24 bytes", () -> memory.write(20, eight));
            assertMessage(
                    "read of 8 bytes at -1 is outside memory 'numbers' of 24 bytes", () -> memory.read(-1, eight));
        }
    }

    @Test
    void freedMemoryIsNotUsed() {
        CudaMemory memory = kernels.context().allocate("numbers", 24);
        memory.close();
        memory.close();
        assertMessage("memory 'numbers' of 24 bytes is used after it was freed", memory::address);
    }

    @Test
    void tooMuchMemoryIsRefusedWithTheSizes() {
        DeviceException e = assertThrows(
                DeviceException.class,
                () -> kernels.context().allocate("everything", 1L << 46).close());
        assertTrue(
                e.getMessage()
                        .matches(
                                "cuMemAlloc\\(70368744177664 bytes, everything\\) failed:"
                                        + " CUDA_ERROR_OUT_OF_MEMORY \\(2\\), .+; free \\d+ MB of \\d+ MB; lower --batch-tokens"),
                e.getMessage());
        assertMessage(
                "cannot allocate 0 bytes for 'nothing': at least 1 is needed",
                () -> kernels.context().allocate("nothing", 0));
    }

    @Test
    void aDeviceThatIsNotThereIsRefusedWithTheNumber() {
        int devices = CudaAvailability.get().devices();
        assertMessage(
                "device cuda:" + devices + " is not available: there "
                        + (devices == 1 ? "is 1, cuda:0" : "are " + devices + ", numbered from 0")
                        + "; or use --device cpu",
                () -> CudaContext.open(devices));
    }

    @Test
    void aDeviceIsOpenedByNumberAndByUuid() {
        CudaDeviceInfo first = CudaSystem.get().devices().getFirst();
        assertTrue(first.uuid().matches("GPU(-[0-9a-f]+){5}") && first.uuid().length() == 40, first.uuid());
        for (String which : new String[] {"cuda:0", "cuda:" + first.uuid()}) {
            try (CudaContext context = CudaContext.open(which)) {
                assertEquals(first.name(), context.name());
                assertEquals(first.capability(), context.computeCapability());
            }
        }
    }

    @Test
    void theKernelsOfTheProcessAreThoseOfTheCatalog() {
        TestKernels.require(KernelImage.problem() == null, KernelImage.problem());
        try (CudaModule module = kernels.context().loadKernels()) {
            assertEquals(new TreeSet<>(kernels.module().kernelNames()), new TreeSet<>(module.kernelNames()));
        }
    }

    @Test
    void aFileThatIsNoModuleIsRefusedByName(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("kernels.ptx");
        Files.writeString(file, "these are no kernels\n");
        DeviceException e =
                assertThrows(DeviceException.class, () -> kernels.context().load(file));
        assertTrue(e.getMessage().startsWith("cuModuleLoadDataEx of " + file + " failed: CUDA_ERROR_"), e.getMessage());
        Path missing = folder.resolve("missing.fatbin");
        DeviceException none =
                assertThrows(DeviceException.class, () -> kernels.context().load(missing));
        assertTrue(none.getMessage().contains(missing + ": "), none.getMessage());
        assertTrue(none.getMessage().endsWith("run make -C kernels"), none.getMessage());
    }

    @Test
    void aKernelThatIsNotThereIsRefusedByName() {
        KernelSignature unknown = KernelSignature.of("belay_unknown", 32, 0);
        DeviceException e = assertThrows(DeviceException.class, () -> kernels.kernel(unknown));
        assertTrue(e.getMessage().startsWith("cuModuleGetFunction(belay_unknown of "), e.getMessage());
        assertTrue(e.getMessage().contains("CUDA_ERROR_NOT_FOUND (500)"), e.getMessage());
    }

    private static void assertMessage(String message, org.junit.jupiter.api.function.Executable executable) {
        DeviceException e = assertThrows(DeviceException.class, executable);
        assertEquals(message, e.getMessage());
    }
}
