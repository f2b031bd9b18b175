package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Turns the driver's result codes into exceptions. Nothing is put into words unless a call failed. */
final class CudaErrors {
    private CudaErrors() {}

    /** Throws unless {@code code} is success; {@code call} is the driver's function. */
    static void check(int code, String call) {
        if (code != CudaDriver.CUDA_SUCCESS()) {
            throw exception(code, describe(code, call));
        }
    }

    /** The same of a call on {@code subject}, for example the name of a buffer. */
    static void check(int code, String call, String subject) {
        if (code != CudaDriver.CUDA_SUCCESS()) {
            throw exception(code, describe(code, call + "(" + subject + ")"));
        }
    }

    /** The same of a call on {@code bytes} of {@code subject}. */
    static void check(int code, String call, String subject, long bytes) {
        if (code != CudaDriver.CUDA_SUCCESS()) {
            throw exception(code, describe(code, call + "(" + bytes + " bytes, " + subject + ")"));
        }
    }

    /** The exception for a code: memory that ran out is one that less work can avoid. */
    static DeviceException exception(int code, String message) {
        return code == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY()
                ? new DeviceMemoryException(message)
                : new DeviceException(message);
    }

    /** What to say where weights do not fit, which smaller batches do not mend. */
    static DeviceMemoryException noRoomForWeights(String name, long bytes, DType dtype, DeviceMemoryException cause) {
        return new DeviceMemoryException(
                "no room on the GPU for the weights: " + name + " takes " + bytes + " bytes more" + memory()
                        + (dtype == DType.F32 ? "; use --dtype bf16, " : "; use ")
                        + "a GPU with more memory, or --device cpu",
                cause);
    }

    /** "OPERATION failed: NAME (CODE), what it means; what to do". */
    static String describe(int code, String operation) {
        String problem = operation + " failed: " + name(code) + " (" + code + "), " + meaning(code);
        return code == CudaDriver.CUDA_ERROR_OUT_OF_MEMORY()
                ? problem + memory() + DeviceMemoryException.ADVICE
                : problem + "; " + advice(code);
    }

    /** The driver's name of a code, for example CUDA_ERROR_OUT_OF_MEMORY. */
    static String name(int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(ADDRESS);
            return CudaDriver.cuGetErrorName(code, text) == CudaDriver.CUDA_SUCCESS()
                    ? string(text, arena)
                    : "unknown error";
        }
    }

    private static String meaning(int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(ADDRESS);
            return CudaDriver.cuGetErrorString(code, text) == CudaDriver.CUDA_SUCCESS()
                    ? string(text, arena)
                    : "not known to this driver";
        }
    }

    private static String string(MemorySegment pointer, Arena arena) {
        return pointer.get(ADDRESS, 0).reinterpret(Long.MAX_VALUE, arena, null).getString(0);
    }

    private static String advice(int code) {
        if (code == CudaDriver.CUDA_ERROR_NO_DEVICE()) {
            return "see whether nvidia-smi lists a GPU and CUDA_VISIBLE_DEVICES does not hide it, or use --device cpu";
        }
        if (code == CudaDriver.CUDA_ERROR_DEVICE_UNAVAILABLE()) {
            return "nvidia-smi shows whether another process holds the GPU; wait for that, or use --device cpu";
        }
        if (code == CudaDriver.CUDA_ERROR_NO_BINARY_FOR_GPU()
                || code == CudaDriver.CUDA_ERROR_UNSUPPORTED_PTX_VERSION()
                || code == CudaDriver.CUDA_ERROR_INVALID_PTX()) {
            return "the kernels need a GPU of compute capability 8.0 or later and a driver for CUDA 13.0 or later";
        }
        if (code == CudaDriver.CUDA_ERROR_ILLEGAL_ADDRESS()
                || code == CudaDriver.CUDA_ERROR_MISALIGNED_ADDRESS()
                || code == CudaDriver.CUDA_ERROR_LAUNCH_FAILED()) {
            return "a kernel started by this or an earlier call failed and the device must be opened anew;"
                    + " BELAY_JAVA_OPTIONS=-Dbelay.cuda.blocking=true tells which launch it was";
        }
        return "run the command with --device cpu to go on without the GPU";
    }

    /** "; free 412 MB of 80000 MB", or nothing if the driver does not say. */
    private static String memory() {
        CudaMemoryInfo memory = CudaMemoryInfo.ofCurrent();
        return memory.problem() != null
                ? ""
                : "; free " + memory.free() / 1_000_000 + " MB of " + memory.total() / 1_000_000 + " MB";
    }
}
