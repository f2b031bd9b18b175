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
    private final MemoryPool pool;
    private final MemoryPool.Block block;
    /** The buffer that this is a view of, or itself. */
    private final CpuBuffer owner;

    private final MemorySegment segment;
    private final long address;
    private final boolean bfloat16;
    private boolean closed;

    CpuBuffer(MemoryPool pool, String name, long elements, boolean bfloat16) {
        super(name, elements);
        this.pool = pool;
        this.bfloat16 = bfloat16;
        block = pool.allocate(name, elements * elementBytes());
        segment = block.memory();
        address = segment.address();
        owner = this;
    }

    private CpuBuffer(CpuBuffer whole, long offset, long elements) {
        super(whole.name(), elements);
        bfloat16 = whole.bfloat16;
        pool = whole.pool;
        block = whole.block;
        segment = whole.segment.asSlice(offset * elementBytes(), elements * elementBytes());
        address = segment.address();
        owner = whole.owner;
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
            return bytes < HugePages.LEAST_BYTES
                    ? arena.allocate(Math.max(bytes, 64), 64)
                    : HugePages.allocate(arena, bytes);
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

    /** Copies the first {@code count} elements of {@code source}, of the same type. */
    void fill(CpuBuffer source, long count) {
        MemorySegment.copy(source.segment, 0, segment, 0, count * elementBytes());
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
        if (cpu.owner.closed) {
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
        if (owner == this && !closed) {
            closed = true;
            pool.free(block);
        }
    }
}
