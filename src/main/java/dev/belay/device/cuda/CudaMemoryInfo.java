package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory of a GPU in bytes.
 *
 * @param problem why it cannot be told; null if it can
 */
public record CudaMemoryInfo(long free, long total, String problem) {
    /** That of the GPU whose context is current; throws nothing. */
    static CudaMemoryInfo ofCurrent() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment free = arena.allocate(JAVA_LONG);
            MemorySegment total = arena.allocate(JAVA_LONG);
            int code = CudaDriver.cuMemGetInfo_v2(free, total);
            return code == CudaDriver.CUDA_SUCCESS()
                    ? new CudaMemoryInfo(free.get(JAVA_LONG, 0), total.get(JAVA_LONG, 0), null)
                    : new CudaMemoryInfo(0, 0, "cuMemGetInfo failed: " + CudaErrors.name(code) + " (" + code + ")");
        }
    }

    /** Opens a GPU to ask how much of its memory is free; throws nothing. */
    public static CudaMemoryInfo of(CudaDeviceInfo device) {
        String problem;
        try (CudaContext context = CudaContext.open(device.index())) {
            CudaMemoryInfo memory = ofCurrent();
            if (memory.problem() == null) {
                return memory;
            }
            problem = memory.problem() + " on " + context.name();
        } catch (DeviceException e) {
            problem = e.getMessage();
        }
        return new CudaMemoryInfo(0, device.memoryBytes(), problem);
    }
}
