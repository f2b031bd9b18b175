package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.bindings.cuda.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Whether CUDA devices can be used, and if not, why.
 *
 * @param devices number of devices; 0 = none can be used
 * @param reason why none can be used and what to do; if some can, which driver
 */
public record CudaAvailability(int devices, String reason) {
    private static final class Checked {
        static final CudaAvailability VALUE = check();
    }

    /** Loads and starts the driver on the first call; throws nothing. */
    public static CudaAvailability get() {
        return Checked.VALUE;
    }

    /** Whether there is a device to use. */
    public boolean available() {
        return devices > 0;
    }

    private static CudaAvailability check() {
        CudaLibrary driver = CudaLibrary.driver();
        if (!driver.loaded()) {
            return new CudaAvailability(0, driver.reason());
        }
        int code = CudaDriver.cuInit(0);
        if (code != CudaDriver.CUDA_SUCCESS()) {
            return new CudaAvailability(0, CudaErrors.describe(code, "cuInit of " + driver.file()));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(JAVA_INT);
            code = CudaDriver.cuDeviceGetCount(number);
            int devices = number.get(JAVA_INT, 0);
            if (code != CudaDriver.CUDA_SUCCESS() || devices == 0) {
                int problem = devices == 0 ? CudaDriver.CUDA_ERROR_NO_DEVICE() : code;
                return new CudaAvailability(0, CudaErrors.describe(problem, "cuDeviceGetCount of " + driver.file()));
            }
            CudaDriver.cuDriverGetVersion(number);
            int version = number.get(JAVA_INT, 0);
            return new CudaAvailability(
                    devices, "CUDA " + version / 1000 + "." + version % 1000 / 10 + " driver " + driver.file());
        }
    }
}
