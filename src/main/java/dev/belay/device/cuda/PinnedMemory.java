package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Host memory that the device copies from and to by itself. Who changes it waits for the copies that read it. */
final class PinnedMemory implements AutoCloseable {
    private final MemorySegment segment;
    private boolean closed;

    private PinnedMemory(MemorySegment segment) {
        this.segment = segment;
    }

    /** Allocates {@code bytes}; a context must be current. */
    static PinnedMemory allocate(long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ADDRESS);
            int portable = CudaDriver.CU_MEMHOSTALLOC_PORTABLE();
            CudaErrors.check(CudaDriver.cuMemHostAlloc(pointer, bytes, portable), "cuMemHostAlloc", "staging", bytes);
            return new PinnedMemory(pointer.get(ADDRESS, 0).reinterpret(bytes));
        }
    }

    /** The memory. */
    MemorySegment segment() {
        if (closed) {
            throw new DeviceException("pinned memory of " + segment.byteSize() + " bytes is used after it was freed");
        }
        return segment;
    }

    /** Size in bytes. */
    long bytes() {
        return segment.byteSize();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CudaErrors.check(CudaDriver.cuMemFreeHost(segment), "cuMemFreeHost");
        }
    }
}
