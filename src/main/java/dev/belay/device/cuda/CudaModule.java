package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A loaded module of kernels. */
final class CudaModule implements AutoCloseable {
    private static final int LOG_BYTES = 8192;

    private final MemorySegment handle;
    private final String name;
    /** Holds the arguments of the module's kernels. */
    private final Arena arena = Arena.ofShared();

    private boolean closed;

    private CudaModule(MemorySegment handle, String name) {
        this.handle = handle;
        this.name = name;
    }

    /** Loads a fatbin, a cubin or PTX text. What the driver's compiler has to say of a failure is in the exception. */
    static CudaModule load(Path file) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment image = read(file, arena);
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
                throw new DeviceException(CudaErrors.describe(code, "cuModuleLoadDataEx of " + file)
                        + (text.isEmpty() ? "" : "; " + text));
            }
            return new CudaModule(module.get(ADDRESS, 0), file.toString());
        }
    }

    /** The file, and a zero behind it, which PTX text must end with. */
    private static MemorySegment read(Path file, Arena arena) {
        try (FileChannel channel = FileChannel.open(file)) {
            MemorySegment image = arena.allocate(channel.size() + 1, 16);
            MemorySegment.copy(
                    channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena), 0, image, 0, channel.size());
            return image;
        } catch (IOException e) {
            throw new DeviceException("cannot read the kernels in " + file + ": " + e + "; run make -C kernels", e);
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
