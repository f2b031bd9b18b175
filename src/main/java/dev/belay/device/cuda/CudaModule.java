package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A loaded module of kernels. */
final class CudaModule implements AutoCloseable {
    private static final int LOG_BYTES = 8192;
    private static final int IMAGE_ALIGNMENT = 16;

    private final MemorySegment handle;
    private final String name;
    /** Holds the arguments of the module's kernels. */
    private final Arena arena = Arena.ofShared();

    private boolean closed;

    private CudaModule(MemorySegment handle, String name) {
        this.handle = handle;
        this.name = name;
    }

    /** Loads the kernels that {@link KernelImage#read} finds. */
    static CudaModule loadKernels() {
        return load(KernelImage.read());
    }

    /** Loads a file: a fatbin, a cubin or PTX text. */
    static CudaModule load(Path file) {
        return load(KernelImage.of(file));
    }

    /** Loads an image. What the driver's compiler has to say of a failure is in the exception. */
    static CudaModule load(KernelImage kernels) {
        try (Arena arena = Arena.ofConfined()) {
            // Behind it a zero, which PTX text must end with.
            MemorySegment image = arena.allocate(kernels.bytes().length + 1L, IMAGE_ALIGNMENT);
            MemorySegment.copy(kernels.bytes(), 0, image, JAVA_BYTE, 0, kernels.bytes().length);
            MemorySegment log = arena.allocate(LOG_BYTES);
            MemorySegment options = arena.allocateFrom(
                    JAVA_INT, CudaDriver.CU_JIT_ERROR_LOG_BUFFER(), CudaDriver.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES());
            MemorySegment values = arena.allocate(ADDRESS, 2);
            values.setAtIndex(ADDRESS, 0, log);
            values.setAtIndex(ADDRESS, 1, MemorySegment.ofAddress(LOG_BYTES));
            MemorySegment module = arena.allocate(ADDRESS);
            int code = CudaDriver.cuModuleLoadDataEx(module, image, 2, options, values);
            if (code != CudaDriver.CUDA_SUCCESS()) {
                String text = log.getString(0).strip();
                throw new DeviceException(CudaErrors.describe(code, "cuModuleLoadDataEx of " + kernels.name())
                        + (text.isEmpty() ? "" : "; " + text));
            }
            return new CudaModule(module.get(ADDRESS, 0), kernels.name());
        }
    }

    /** The kernel of this signature, with room for its arguments; valid until the module closes. */
    CudaKernel kernel(KernelSignature signature) {
        return new CudaKernel(function(signature.name()), signature, arena);
    }

    /** Names of all kernels in the module. */
    List<String> kernelNames() {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment number = local.allocate(JAVA_INT);
            CudaErrors.check(CudaDriver.cuModuleGetFunctionCount(number, handle), "cuModuleGetFunctionCount", name);
            int count = number.get(JAVA_INT, 0);
            MemorySegment functions = local.allocate(ADDRESS, Math.max(1, count));
            CudaErrors.check(
                    CudaDriver.cuModuleEnumerateFunctions(functions, count, handle),
                    "cuModuleEnumerateFunctions",
                    name);
            List<String> names = new ArrayList<>();
            MemorySegment text = local.allocate(ADDRESS);
            for (int i = 0; i < count; i++) {
                CudaErrors.check(
                        CudaDriver.cuFuncGetName(text, functions.getAtIndex(ADDRESS, i)), "cuFuncGetName", name);
                names.add(text.get(ADDRESS, 0)
                        .reinterpret(Long.MAX_VALUE, local, null)
                        .getString(0));
            }
            return names;
        }
    }

    private MemorySegment function(String kernel) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment function = local.allocate(ADDRESS);
            CudaErrors.check(
                    CudaDriver.cuModuleGetFunction(function, handle, local.allocateFrom(kernel)),
                    "cuModuleGetFunction",
                    kernel + " of " + name);
            return function.get(ADDRESS, 0);
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            arena.close();
            CudaErrors.check(CudaDriver.cuModuleUnload(handle), "cuModuleUnload", name);
        }
    }
}
