package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The primary context of one device, current to the thread that opened it. Closing it waits for the work, releases it, and makes current
 * again what was so before.
 */
final class CudaContext implements AutoCloseable {
    private static final int NAME_BYTES = 256;

    private final int device;
    private final String name;
    /** The context that was current before this one was opened. */
    private final MemorySegment before;

    private boolean closed;

    private CudaContext(int device, String name, MemorySegment before) {
        this.device = device;
        this.name = name;
        this.before = before;
    }

    /**
     * Opens device number {@code ordinal} and makes its context current.
     *
     * @throws DeviceException if there is no such device or Belay cannot use it, with the reason
     */
    static CudaContext open(int ordinal) {
        return open(CudaDeviceChoice.number(ordinal));
    }

    /**
     * Opens the device that {@code which} names, {@code cuda}, {@code cuda:n} or {@code cuda:GPU-uuid}, and makes its context current.
     *
     * @throws DeviceException likewise
     */
    static CudaContext open(String which) {
        return open(CudaDeviceChoice.parse(which));
    }

    private static CudaContext open(CudaDeviceChoice choice) {
        int ordinal = choice.pick(CudaSystem.get()).index();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(JAVA_INT);
            CudaErrors.check(CudaDriver.cuDeviceGet(number, ordinal), "cuDeviceGet");
            int device = number.get(JAVA_INT, 0);
            MemorySegment name = arena.allocate(NAME_BYTES);
            CudaErrors.check(CudaDriver.cuDeviceGetName(name, NAME_BYTES, device), "cuDeviceGetName");
            MemorySegment context = arena.allocate(ADDRESS);
            CudaErrors.check(CudaDriver.cuCtxGetCurrent(context), "cuCtxGetCurrent");
            MemorySegment before = context.get(ADDRESS, 0);
            CudaErrors.check(CudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
            CudaContext opened = new CudaContext(device, name.getString(0), before);
            try {
                CudaErrors.check(CudaDriver.cuCtxSetCurrent(context.get(ADDRESS, 0)), "cuCtxSetCurrent");
            } catch (DeviceException e) {
                opened.close();
                throw e;
            }
            return opened;
        }
    }

    /** The device's name, as its maker calls it. */
    String name() {
        return name;
    }

    /** Compute capability, 10 · major + minor. */
    int computeCapability() {
        return 10 * attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR())
                + attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR());
    }

    /** An attribute of the device by its CUdevice_attribute number. */
    int attribute(int attribute) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(JAVA_INT);
            CudaErrors.check(CudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
            return value.get(JAVA_INT, 0);
        }
    }

    /** Multiprocessors of the GPU. */
    int multiprocessors() {
        return attribute(CudaDriver.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT());
    }

    /** Allocates {@code bytes} with undefined content; {@code name} says what for. */
    CudaMemory allocate(String name, long bytes) {
        if (bytes <= 0) {
            throw new DeviceException("cannot allocate " + bytes + " bytes for '" + name + "': at least 1 is needed");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment address = arena.allocate(JAVA_LONG);
            CudaErrors.check(CudaDriver.cuMemAlloc_v2(address, bytes), "cuMemAlloc", name, bytes);
            return new CudaMemory(name, address.get(JAVA_LONG, 0), bytes);
        }
    }

    /** Loads a module of kernels: a fatbin, a cubin or PTX text. */
    CudaModule load(Path file) {
        return CudaModule.load(file);
    }

    /** Loads the kernels that Belay runs: those of the jar, or of the file that {@code -Dbelay.cuda.kernels} names. */
    CudaModule loadKernels() {
        return CudaModule.loadKernels();
    }

    /** Waits until all work of the context is done; throws if any of it failed. */
    void synchronize() {
        CudaErrors.check(CudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CudaDriver.cuCtxSetCurrent(before);
            CudaErrors.check(CudaDriver.cuDevicePrimaryCtxRelease_v2(device), "cuDevicePrimaryCtxRelease");
        }
    }
}
