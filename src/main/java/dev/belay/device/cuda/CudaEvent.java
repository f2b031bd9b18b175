package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.bindings.cuda.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A mark in a stream: it is passed when all work before it is done. */
final class CudaEvent implements AutoCloseable {
    private final MemorySegment handle;
    private boolean closed;

    private CudaEvent(MemorySegment handle) {
        this.handle = handle;
    }

    /** Creates an event that also notes the time. */
    static CudaEvent create() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ADDRESS);
            CudaErrors.check(CudaDriver.cuEventCreate(pointer, CudaDriver.CU_EVENT_DEFAULT()), "cuEventCreate");
            return new CudaEvent(pointer.get(ADDRESS, 0));
        }
    }

    /** Sets the mark behind the work given to {@code stream} so far. */
    void record(MemorySegment stream) {
        CudaErrors.check(CudaDriver.cuEventRecord(handle, stream), "cuEventRecord");
    }

    /** Waits until the mark is passed; returns at once if it was never set. */
    void await() {
        CudaErrors.check(synchronize(), "cuEventSynchronize");
    }

    /** The same, and returns the driver's result code. */
    int synchronize() {
        return CudaDriver.cuEventSynchronize(handle);
    }

    /** Milliseconds from {@code start} to this event; both must have been passed. */
    double millisecondsSince(CudaEvent start) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(JAVA_FLOAT);
            CudaErrors.check(CudaDriver.cuEventElapsedTime_v2(time, start.handle, handle), "cuEventElapsedTime");
            return time.get(JAVA_FLOAT, 0);
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CudaErrors.check(CudaDriver.cuEventDestroy_v2(handle), "cuEventDestroy");
        }
    }
}
