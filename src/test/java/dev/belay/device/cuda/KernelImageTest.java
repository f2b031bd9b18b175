package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DeviceException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the kernels come from, and for which GPUs they are; none of these needs CUDA. */
class KernelImageTest {
    private String before;

    @BeforeEach
    void remember() {
        before = System.getProperty(KernelImage.PROPERTY);
    }

    @AfterEach
    void restore() {
        if (before == null) {
            System.clearProperty(KernelImage.PROPERTY);
        } else {
            System.setProperty(KernelImage.PROPERTY, before);
        }
    }

    /** What the build put into the jar runs on every GPU from compute capability 8.0 on. */
    @Test
    void theJarHasKernelsForEveryGpu() {
        System.clearProperty(KernelImage.PROPERTY);
        TestKernels.require(KernelImage.problem() == null, KernelImage.problem());
        List<String> targets = KernelImage.read().targets();
        for (String target : List.of("compute_80", "sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")) {
            assertTrue(targets.contains(target), target + " is not among " + targets);
        }
    }

    @Test
    void thePropertyNamesTheFile(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("k.ptx"), ".version 9.0\n.target sm_80\n");
        System.setProperty(KernelImage.PROPERTY, file.toString());
        assertNull(KernelImage.problem());
        KernelImage image = KernelImage.read();
        assertEquals(file.toString(), image.name());
        assertArrayEquals(Files.readAllBytes(file), image.bytes());
        assertEquals(List.of("compute_80"), image.targets());
    }

    @Test
    void aFileThatIsNotThereIsAReason(@TempDir Path folder) {
        Path file = folder.resolve("none.fatbin");
        System.setProperty(KernelImage.PROPERTY, file.toString());
        String reason = "there are no kernels: " + file + " does not exist; check -Dbelay.cuda.kernels";
        assertEquals(reason, KernelImage.problem());
        assertEquals(
                reason, assertThrows(DeviceException.class, KernelImage::read).getMessage());
    }

    @Test
    void aFatbinSaysItsTargets() {
        // The header and two entries: PTX of 5 bytes for compute_80, a binary of 3 for sm_120.
        ByteBuffer fatbin = ByteBuffer.allocate(16 + 64 + 5 + 64 + 3).order(ByteOrder.LITTLE_ENDIAN);
        fatbin.putInt(0xba55ed50).putShort((short) 1).putShort((short) 16).putLong(64 + 5 + 64 + 3);
        entry(fatbin, 16, 1, 80, 5);
        entry(fatbin, 16 + 64 + 5, 2, 120, 3);
        assertEquals(List.of("compute_80", "sm_120"), new KernelImage("made", fatbin.array()).targets());
    }

    @Test
    void whatIsNeitherHasNoTargets() {
        assertEquals(List.of(), new KernelImage("text", "hello".getBytes(StandardCharsets.UTF_8)).targets());
        ByteBuffer empty = ByteBuffer.allocate(16 + 64).order(ByteOrder.LITTLE_ENDIAN);
        empty.putInt(0xba55ed50).putShort((short) 1).putShort((short) 16);
        assertEquals(List.of(), new KernelImage("zeros", empty.array()).targets());
    }

    private static void entry(ByteBuffer fatbin, int at, int kind, int architecture, long bytes) {
        fatbin.putShort(at, (short) kind)
                .putInt(at + 4, 64)
                .putLong(at + 8, bytes)
                .putInt(at + 28, architecture);
    }
}
