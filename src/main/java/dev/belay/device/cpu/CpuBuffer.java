package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Float32 memory outside the Java heap, aligned to a cache line. */
final class CpuBuffer extends DeviceBuffer {
    private final Arena arena;
    private final MemorySegment segment;
    private final long address;

    CpuBuffer(String name, long elements) {
        super(name, elements);
        arena = Arena.ofShared();
        segment = allocate(arena, name, elements * Float.BYTES);
        address = segment.address();
    }

    static MemorySegment allocate(Arena arena, String name, long bytes) {
        try {
            return arena.allocate(Math.max(bytes, 64), 64);
        } catch (OutOfMemoryError e) {
            arena.close();
            throw new DeviceMemoryException(
                    "cannot allocate " + bytes + " bytes for '" + name + "': out of memory; lower --batch-tokens", e);
        }
    }

    MemorySegment segment() {
        return segment;
    }

    long address() {
        return address;
    }

    static CpuBuffer of(DeviceBuffer buffer) {
        CpuBuffer cpu = (CpuBuffer) buffer;
        if (!cpu.arena.scope().isAlive()) {
            throw new DeviceException("buffer '" + cpu.name() + "' is closed");
        }
        return cpu;
    }

    @Override
    protected void copyIn(long offset, float[] source, int from, int count) {
        MemorySegment.copy(source, from, segment, JAVA_FLOAT, offset * Float.BYTES, count);
    }

    @Override
    protected void copyOut(long offset, float[] target, int to, int count) {
        MemorySegment.copy(segment, JAVA_FLOAT, offset * Float.BYTES, target, to, count);
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
