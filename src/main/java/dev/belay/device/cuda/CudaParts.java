package dev.belay.device.cuda;

import dev.belay.bindings.cublas.Cublas;
import dev.belay.device.DeviceException;
import java.nio.file.Path;
import java.util.List;

/**
 * What the CUDA device uses beside the driver.
 *
 * @param products the cuBLASLt library; null if there is none
 * @param productsVersion its version, such as 13.1.0; null likewise
 * @param productsProblem why there is none, and what to do; null if there is one
 * @param kernels where Belay's kernels are; null if there are none
 * @param kernelTargets what these were compiled for, such as sm_90
 * @param kernelsProblem why there are none, and what to do; null if there are some
 */
public record CudaParts(
        Path products,
        String productsVersion,
        String productsProblem,
        String kernels,
        List<String> kernelTargets,
        String kernelsProblem) {

    /** Looks for them; throws nothing. */
    public static CudaParts look() {
        CudaLibrary library = CudaLibrary.products();
        String version = library.loaded() ? versionText(Cublas.cublasLtGetVersion()) : null;
        try {
            KernelImage image = KernelImage.read();
            return new CudaParts(library.file(), version, library.reason(), image.name(), image.targets(), null);
        } catch (DeviceException e) {
            return new CudaParts(library.file(), version, library.reason(), null, List.of(), e.getMessage());
        }
    }

    /** 10000 · major + 100 · minor + patch in words. */
    static String versionText(long version) {
        return version / 10000 + "." + version % 10000 / 100 + "." + version % 100;
    }
}
