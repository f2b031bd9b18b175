package dev.belay.device.cpu;

import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A weight matrix as the model file has it: row-major [rows, stride], float32 or bfloat16, outside the Java heap. A view is the same
 * memory with another first element.
 */
final class CpuMatrix extends DeviceMatrix {
    private final Arena arena;
    private final MemorySegment segment;
    private final long offset;
    private final int stride;
    private final boolean bfloat16;
    private final Products products;

    private CpuMatrix(
            String name,
            int rows,
            int columns,
            Arena arena,
            MemorySegment segment,
            long offset,
            int stride,
            boolean bfloat16,
            Products.Cache cache) {
        super(name, rows, columns);
        this.arena = arena;
        this.segment = segment;
        this.offset = offset;
        this.stride = stride;
        this.bfloat16 = bfloat16;
        this.products = cache.of(rows, columns, stride, bfloat16);
    }

    static CpuMatrix allocate(String name, int rows, int columns, boolean bfloat16, Products.Cache cache) {
        Arena arena = Arena.ofShared();
        long bytes = (long) rows * columns * (bfloat16 ? Short.BYTES : Float.BYTES);
        MemorySegment segment = CpuBuffer.allocate(arena, name, bytes);
        return new CpuMatrix(name, rows, columns, arena, segment, 0, columns, bfloat16, cache);
    }

    @Override
    protected CpuMatrix slice(int row, int rowCount, int column, int columnCount) {
        long first = offset + (long) row * stride + column;
        return new CpuMatrix(name(), rowCount, columnCount, null, segment, first, stride, bfloat16, products.cache());
    }

    static CpuMatrix of(DeviceMatrix matrix) {
        CpuMatrix cpu = (CpuMatrix) matrix;
        if (!cpu.segment.scope().isAlive()) {
            throw new DeviceException("matrix " + cpu + " is closed");
        }
        return cpu;
    }

    MemorySegment segment() {
        return segment;
    }

    /** Element of the segment where row {@code row} starts. */
    long rowOffset(int row) {
        return offset + (long) row * stride;
    }

    /** Address of the first element of row {@code row}. */
    long address(int row) {
        return segment.address() + rowOffset(row) * (bfloat16 ? Short.BYTES : Float.BYTES);
    }

    boolean bfloat16() {
        return bfloat16;
    }

    Products products() {
        return products;
    }

    @Override
    public void close() {
        if (arena != null && arena.scope().isAlive()) {
            arena.close();
        }
    }
}
