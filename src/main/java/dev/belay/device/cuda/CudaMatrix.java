package dev.belay.device.cuda;

import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;

/** A weight matrix, row-major [rows, stride], on a CUDA device. A view is the same memory with another first element. */
final class CudaMatrix extends DeviceMatrix {
    private final CudaPool.Block block;
    private final boolean owner;
    private final DType type;
    private final long offset;
    private final int stride;

    private CudaMatrix(
            String name,
            int rows,
            int columns,
            CudaPool.Block block,
            boolean owner,
            DType type,
            long offset,
            int stride) {
        super(name, rows, columns);
        this.block = block;
        this.owner = owner;
        this.type = type;
        this.offset = offset;
        this.stride = stride;
    }

    static CudaMatrix allocate(String name, int rows, int columns, DType type, CudaPool pool) {
        CudaPool.Block block = pool.allocate(name, (long) rows * columns * type.bytes());
        return new CudaMatrix(name, rows, columns, block, true, type, 0, columns);
    }

    @Override
    protected CudaMatrix slice(int row, int rowCount, int column, int columnCount) {
        long first = offset + (long) row * stride + column;
        return new CudaMatrix(name(), rowCount, columnCount, block, false, type, first, stride);
    }

    static CudaMatrix of(DeviceMatrix matrix) {
        return (CudaMatrix) matrix;
    }

    /** Device address of the first number. */
    long address() {
        if (block.closed()) {
            throw new DeviceException("matrix " + this + " is closed");
        }
        return block.address() + offset * type.bytes();
    }

    /** Numbers from a row to the next. */
    int stride() {
        return stride;
    }

    /** Type of its numbers. */
    DType type() {
        return type;
    }

    @Override
    public void close() {
        if (owner) {
            block.close();
        }
    }
}
