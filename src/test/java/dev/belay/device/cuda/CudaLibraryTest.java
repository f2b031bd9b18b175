package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Finding shared libraries; none of these needs CUDA. */
class CudaLibraryTest {
    private static final String PROPERTY = "belay.test.library";

    @AfterEach
    void clear() {
        System.clearProperty(PROPERTY);
    }

    @Test
    void aNameIsLookedUpByTheDynamicLinker() {
        CudaLibrary library = find(List.of("libbelay-none.so.1", "libm.so.6"), "cos");
        assertTrue(library.loaded(), library.reason());
        assertTrue(
                library.file().isAbsolute() && library.file().endsWith("libm.so.6"),
                library.file().toString());
    }

    @Test
    void whatIsNotThereIsAReason() {
        CudaLibrary library = find(List.of("libbelay-none.so.1"), "cos");
        assertFalse(library.loaded());
        assertEquals(
                "no library: the dynamic linker finds no libbelay-none.so.1 with cos; install it, or name the library with"
                        + " -Dbelay.test.library=FILE",
                library.reason());
    }

    @Test
    void theWrongLibraryIsAReason() {
        assertEquals(
                "no library: the dynamic linker finds no libm.so.6 with belay_none; install it, or name the library with"
                        + " -Dbelay.test.library=FILE",
                find(List.of("libm.so.6"), "belay_none").reason());
    }

    @Test
    void thePropertyNamesTheOnlyCandidate(@TempDir Path folder) {
        Path text = folder.resolve("libtext.so");
        System.setProperty(PROPERTY, text.toString());
        assertEquals(
                "no library: " + text + " does not exist; check -Dbelay.test.library",
                find(List.of("libm.so.6"), "cos").reason());
    }

    @Test
    void theToolkitComesBeforeTheSystem() {
        assertEquals(
                List.of(
                        "/opt/cuda/lib64/libcublasLt.so.13",
                        "/opt/cuda/targets/x86_64-linux/lib/libcublasLt.so.13",
                        "libcublasLt.so.13",
                        "/opt/cuda/lib64/libcublasLt.so.12",
                        "/opt/cuda/targets/x86_64-linux/lib/libcublasLt.so.12",
                        "libcublasLt.so.12"),
                CudaLibrary.productNames("/opt/cuda"));
        assertEquals(List.of("libcublasLt.so.13", "libcublasLt.so.12"), CudaLibrary.productNames(null));
    }

    private static CudaLibrary find(List<String> names, String symbol) {
        return CudaLibrary.find("library", symbol, PROPERTY, names, "install it");
    }
}
