package dev.belay.device.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A shared library of CUDA, loaded into this class loader, where the bindings look their symbols up.
 *
 * @param file absolute path of what was loaded; null if nothing was
 * @param reason why there is no library, and what to do; null if it was loaded
 */
record CudaLibrary(Path file, String reason) {
    /** Names the driver library: a path, or a name that the dynamic linker finds. */
    static final String DRIVER_PROPERTY = "belay.cuda.library";

    /** Names the cuBLASLt library in the same way. */
    static final String PRODUCTS_PROPERTY = "belay.cublas.library";

    private static final class Driver {
        static final CudaLibrary LOADED = find(
                "CUDA driver",
                "cuInit",
                DRIVER_PROPERTY,
                List.of("libcuda.so.1"),
                "install the driver of an NVIDIA GPU");
    }

    private static final class Products {
        static final CudaLibrary LOADED = find(
                "cuBLASLt library",
                "cublasLtCreate",
                PRODUCTS_PROPERTY,
                productNames(System.getenv("CUDA_HOME")),
                "install cuBLAS 13 or set CUDA_HOME");
    }

    /** The driver, libcuda; loaded once. */
    static CudaLibrary driver() {
        return Driver.LOADED;
    }

    /** cuBLASLt, the matrix products; loaded once. */
    static CudaLibrary products() {
        return Products.LOADED;
    }

    /** Whether the library is there. */
    boolean loaded() {
        return file != null;
    }

    /** Where cuBLASLt may be: the toolkit that {@code home} names (it may be null), then what the dynamic linker knows. */
    static List<String> productNames(String home) {
        List<String> names = new ArrayList<>();
        for (String version : List.of("13", "12")) {
            String name = "libcublasLt.so." + version;
            if (home != null && !home.isEmpty()) {
                names.add(Path.of(home, "lib64", name).toString());
                names.add(Path.of(home, "targets", "x86_64-linux", "lib", name).toString());
            }
            names.add(name);
        }
        return names;
    }

    /** Loads what {@code property} names, else the first of {@code names} that is there and has {@code symbol}. */
    static CudaLibrary find(String what, String symbol, String property, List<String> names, String advice) {
        String chosen = System.getProperty(property);
        boolean named = chosen != null && !chosen.isEmpty();
        List<String> candidates = named ? List.of(chosen) : names;
        List<String> problems = new ArrayList<>();
        for (String candidate : candidates) {
            CudaLibrary library = load(candidate, symbol);
            if (library.loaded()) {
                return library;
            }
            problems.add(library.reason());
        }
        return none("no " + what + ": " + String.join("; ", problems) + "; "
                + (named ? "check -D" + property : advice + ", or name the library with -D" + property + "=FILE"));
    }

    private static CudaLibrary load(String name, String symbol) {
        Path path;
        if (name.contains("/")) {
            path = Path.of(name).toAbsolutePath();
            if (!Files.isRegularFile(path)) {
                return none(path + " does not exist");
            }
        } else {
            Optional<Path> found = search(name, symbol);
            if (found.isEmpty()) {
                return none("the dynamic linker finds no " + name + " with " + symbol);
            }
            path = found.get();
        }
        try {
            System.load(path.toString());
        } catch (UnsatisfiedLinkError e) {
            return none(e.getMessage());
        }
        if (SymbolLookup.loaderLookup().find(symbol).isEmpty()) {
            return none(path + " has no " + symbol);
        }
        return new CudaLibrary(path, null);
    }

    /** The file that the dynamic linker takes for a library's name. */
    private static Optional<Path> search(String name, String symbol) {
        try {
            return SymbolLookup.libraryLookup(name, Arena.global()).find(symbol).flatMap(LoadedFile::of);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static CudaLibrary none(String reason) {
        return new CudaLibrary(null, reason);
    }
}
