package dev.belay.device.cuda;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A shared library of CUDA, loaded into this class loader, where the bindings look their symbols up.
 *
 * @param file absolute path of what was loaded; null if nothing was
 * @param reason why there is no library, and what to do; null if it was loaded
 */
record CudaLibrary(Path file, String reason) {
    /** Names the driver library: a path, or a name that the dynamic linker finds. */
    static final String DRIVER_PROPERTY = "belay.cuda.library";

    /** Names the cuBLASLt library in the same way; {@link #NONE} for none. */
    static final String PRODUCTS_PROPERTY = "belay.cublas.library";

    /** What a property says where no library is to be loaded. */
    static final String NONE = "none";

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
                productNames(System.getenv(), Path.of("/")),
                "install cuBLAS 13 (pip install nvidia-cublas) or set CUDA_HOME");
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

    /**
     * Where cuBLASLt may be: for version 13, then 12, the toolkit that CUDA_HOME names, what the dynamic linker knows, and the folders into
     * which pip and conda install it, as far as there are such files.
     *
     * @param environment the environment's variables
     * @param root the root of the file system
     */
    static List<String> productNames(Map<String, String> environment, Path root) {
        List<Path> folders = packageFolders(environment, root);
        List<String> names = new ArrayList<>();
        for (String version : List.of("13", "12")) {
            String name = "libcublasLt.so." + version;
            variable(environment, "CUDA_HOME").ifPresent(home -> {
                names.add(home.resolve("lib64").resolve(name).toString());
                names.add(home.resolve("targets/x86_64-linux/lib").resolve(name).toString());
            });
            names.add(name);
            folders.stream()
                    .map(folder -> folder.resolve(name))
                    .filter(Files::isRegularFile)
                    .forEach(file -> names.add(file.toString()));
        }
        return names;
    }

    /** The folders of libraries in conda's environment and in Python's packages: the environments in use, the user's, the system's. */
    private static List<Path> packageFolders(Map<String, String> environment, Path root) {
        List<Path> folders = new ArrayList<>();
        List<Path> libraries = new ArrayList<>();
        variable(environment, "VIRTUAL_ENV").ifPresent(home -> libraries.add(home.resolve("lib")));
        variable(environment, "CONDA_PREFIX").ifPresent(home -> {
            folders.add(home.resolve("lib"));
            libraries.add(home.resolve("lib"));
        });
        variable(environment, "HOME").ifPresent(home -> libraries.add(home.resolve(".local/lib")));
        libraries.add(root.resolve("usr/local/lib"));
        libraries.add(root.resolve("usr/lib"));
        for (Path python : libraries.stream().flatMap(CudaLibrary::pythons).toList()) {
            for (String packages : List.of("site-packages", "dist-packages")) {
                folders.add(python.resolve(packages).resolve("nvidia/cu13/lib"));
                folders.add(python.resolve(packages).resolve("nvidia/cublas/lib"));
            }
        }
        return folders;
    }

    /** The folders python3 and python3.* in a folder, which need not exist, by name. */
    private static Stream<Path> pythons(Path folder) {
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "{python3,python3.*}")) {
            List<Path> pythons = new ArrayList<>();
            found.forEach(pythons::add);
            return pythons.stream().sorted();
        } catch (IOException | DirectoryIteratorException e) {
            return Stream.empty();
        }
    }

    /** The folder that a variable names, if it is set. */
    private static Optional<Path> variable(Map<String, String> environment, String name) {
        return Optional.ofNullable(environment.get(name))
                .filter(value -> !value.isEmpty())
                .map(Path::of);
    }

    /** Loads what {@code property} names, else the first of {@code names} that is there and has {@code symbol}. */
    static CudaLibrary find(String what, String symbol, String property, List<String> names, String advice) {
        String chosen = System.getProperty(property);
        boolean named = chosen != null && !chosen.isEmpty();
        if (NONE.equals(chosen)) {
            return none("no " + what + ": -D" + property + "=" + NONE + " turns it off");
        }
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
