package dev.belay.device;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The CUDA device in software and the PTX of the kernels, for tests that run Belay on them in a process of its own. */
public final class SoftCuda {
    /** The driver library. */
    public static final Path DRIVER =
            Path.of("native/softcuda/build/libsoftcuda.so").toAbsolutePath();

    /** The cuBLASLt library. */
    public static final Path PRODUCTS =
            Path.of("native/softcuda/build/libsoftcublaslt.so").toAbsolutePath();

    /** All kernels as nvcc emits them. */
    public static final Path PTX = Path.of("kernels/build/belay.ptx").toAbsolutePath();

    private SoftCuda() {}

    /** Leaves the test out where one of them is not built. */
    public static void require() {
        assumeTrue(Files.exists(DRIVER) && Files.exists(PRODUCTS), "softcuda is not built: make -C native/softcuda");
        assumeTrue(Files.exists(PTX), "the kernels are not built: make -C kernels");
    }

    /** Whether this process runs on it, not on a GPU. */
    public static boolean inUse() {
        return Path.of(System.getProperty("belay.cuda.library", "")).endsWith("libsoftcuda.so");
    }

    /** Leaves the test out where it runs on a GPU. */
    public static void requireInUse() {
        assumeTrue(inUse(), "this is about softcuda");
    }

    /** The JVM's options for a CUDA device in software with these kernels; {@code products} is a library or {@code none}. */
    public static List<String> options(Path kernels, Object products) {
        return List.of(
                "-Dbelay.cuda.library=" + DRIVER,
                "-Dbelay.cublas.library=" + products,
                "-Dbelay.cuda.kernels=" + kernels);
    }
}
