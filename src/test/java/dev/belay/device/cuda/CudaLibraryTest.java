package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
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
    void thePropertyTurnsALibraryOff() {
        System.setProperty(PROPERTY, "none");
        assertEquals(
                "no library: -Dbelay.test.library=none turns it off",
                find(List.of("libm.so.6"), "cos").reason());
    }

    @Test
    void theToolkitComesBeforeTheSystem(@TempDir Path root) {
        assertEquals(
                List.of(
                        "/opt/cuda/lib64/libcublasLt.so.13",
                        "/opt/cuda/targets/x86_64-linux/lib/libcublasLt.so.13",
                        "libcublasLt.so.13",
                        "/opt/cuda/lib64/libcublasLt.so.12",
                        "/opt/cuda/targets/x86_64-linux/lib/libcublasLt.so.12",
                        "libcublasLt.so.12"),
                CudaLibrary.productNames(Map.of("CUDA_HOME", "/opt/cuda"), root));
        assertEquals(
                List.of("libcublasLt.so.13", "libcublasLt.so.12"),
                CudaLibrary.productNames(Map.of("CUDA_HOME", ""), root));
    }

    @Test
    void pythonsPackagesComeAfterTheSystem(@TempDir Path root) throws IOException {
        String conda = file(root, "conda/lib/libcublasLt.so.12");
        String virtual = file(root, "venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcublasLt.so.13");
        String user = file(root, "home/.local/lib/python3.11/site-packages/nvidia/cublas/lib/libcublasLt.so.12");
        String local = file(root, "usr/local/lib/python3.10/dist-packages/nvidia/cublas/lib/libcublasLt.so.13");
        String system = file(root, "usr/lib/python3/dist-packages/nvidia/cublas/lib/libcublasLt.so.13");
        file(root, "usr/lib/python2.7/site-packages/nvidia/cublas/lib/libcublasLt.so.13");
        Map<String, String> environment = Map.of(
                "VIRTUAL_ENV", root.resolve("venv").toString(),
                "CONDA_PREFIX", root.resolve("conda").toString(),
                "HOME", root.resolve("home").toString());
        assertEquals(
                List.of("libcublasLt.so.13", virtual, local, system, "libcublasLt.so.12", conda, user),
                CudaLibrary.productNames(environment, root));
    }

    private static String file(Path root, String name) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.createFile(file).toString();
    }

    private static CudaLibrary find(List<String> names, String symbol) {
        return CudaLibrary.find("library", symbol, PROPERTY, names, "install it");
    }
}
