package dev.belay.device.cuda;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.MemorySegment;

/**
 * Memory of a CUDA device, freed by {@link #close()}. Offsets and sizes are bytes; every copy checks its bounds. Copies are in the
 * order of the default stream: what is read is there on return, while what is written or filled may still be on its way, for other
 * streams until {@link CudaContext#synchronize()}.
 */
final class CudaMemory implements AutoCloseable {
    private final String name;
    private final long address;
    private final long bytes;
    private boolean closed;

    CudaMemory(String name, long address, long bytes) {
        this.name = name;
        this.address = address;
        this.bytes = bytes;
    }

    /** What the memory holds, for error messages. */
    String name() {
        return name;
    }

    /** Size in bytes. */
    long bytes() {
        return bytes;
    }

    /** The address that a kernel gets, a multiple of 256. */
    long address() {
        if (closed) {
            throw new DeviceException("memory '" + name + "' of " + bytes + " bytes is used after it was freed");
        }
        return address;
    }

    /** Copies native memory {@code source} to this one from {@code offset} on. */
    void write(long offset, MemorySegment source) {
        check("write", offset, source.byteSize());
        int code = CudaDriver.cuMemcpyHtoD_v2(address() + offset, source, source.byteSize());
        CudaErrors.check(code, "cuMemcpyHtoD", name, source.byteSize());
    }

    /** Copies from {@code offset} on into native memory {@code target}, after the work before it. */
    void read(long offset, MemorySegment target) {
        check("read", offset, target.byteSize());
        int code = CudaDriver.cuMemcpyDtoH_v2(target, address() + offset, target.byteSize());
        CudaErrors.check(code, "cuMemcpyDtoH", name, target.byteSize());
    }

    /** Sets every byte. */
    void fill(byte value) {
        CudaErrors.check(CudaDriver.cuMemsetD8_v2(address(), value, bytes), "cuMemsetD8", name, bytes);
    }

    private void check(String operation, long offset, long count) {
        if (offset < 0 || offset > bytes - count) {
            throw new DeviceException(operation + " of " + count + " bytes at " + offset + " is outside memory '" + name
                    + "' of " + bytes + " bytes");
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CudaErrors.check(CudaDriver.cuMemFree_v2(address), "cuMemFree", name, bytes);
        }
    }
}
