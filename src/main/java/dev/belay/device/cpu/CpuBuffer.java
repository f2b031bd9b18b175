package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.weights.TensorValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory outside the Java heap, aligned to a cache line; float32, or bfloat16 where products read it. */
final class CpuBuffer extends DeviceBuffer {
    private final Arena arena;
    private final MemorySegment segment;
    private final long address;
    private final boolean bfloat16;
    private final boolean owner;

    CpuBuffer(String name, long elements, boolean bfloat16) {
        super(name, elements);
        this.bfloat16 = bfloat16;
        arena = Arena.ofShared();
        try {
            segment = allocate(arena, name, elements * elementBytes());
        } catch (DeviceMemoryException e) {
            arena.close();
            throw e;
        }
        address = segment.address();
        owner = true;
    }

    private CpuBuffer(CpuBuffer whole, long offset, long elements) {
        super(whole.name(), elements);
        bfloat16 = whole.bfloat16;
        arena = whole.arena;
        segment = whole.segment.asSlice(offset * elementBytes(), elements * elementBytes());
        address = segment.address();
        owner = false;
    }

    @Override
    protected DeviceBuffer view(long offset, long count) {
        return new CpuBuffer(this, offset, count);
    }

    /**
     * Zeroed memory.
     *
     * @throws DeviceMemoryException if there is none; the arena stays as it is
     */
    static MemorySegment allocate(Arena arena, String name, long bytes) {
        try {
            return arena.allocate(Math.max(bytes, 64), 64);
        } catch (OutOfMemoryError e) {
            throw new DeviceMemoryException(
                    "cannot allocate " + bytes + " bytes for '" + name + "': out of memory"
                            + DeviceMemoryException.ADVICE,
                    e);
        }
    }

    MemorySegment segment() {
        return segment;
    }

    long address() {
        return address;
    }

    /** True if the elements are bfloat16, false if they are float32. */
    boolean bfloat16() {
        return bfloat16;
    }

    @Override
    public int elementBytes() {
        return bfloat16 ? Short.BYTES : Float.BYTES;
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
        if (!bfloat16) {
            MemorySegment.copy(source, from, segment, JAVA_FLOAT, offset * Float.BYTES, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            segment.setAtIndex(JAVA_SHORT, offset + i, TensorValues.floatToBfloat16(source[from + i]));
        }
    }

    @Override
    protected void copyOut(long offset, float[] target, int to, int count) {
        if (!bfloat16) {
            MemorySegment.copy(segment, JAVA_FLOAT, offset * Float.BYTES, target, to, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            target[to + i] = TensorValues.bfloat16ToFloat(segment.getAtIndex(JAVA_SHORT, offset + i));
        }
    }

    @Override
    public void close() {
        if (owner && arena.scope().isAlive()) {
            arena.close();
        }
    }
}
