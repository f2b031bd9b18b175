package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.PendingRead;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;

/** Numbers on a CUDA device, float32 or bfloat16; copies convert from and to float32. */
final class CudaBuffer extends DeviceBuffer {
    private static final int COPY_BYTES = 1 << 20;

    private final CudaPool.Block block;
    /** Bytes of the block before the first number. */
    private final long start;

    private final boolean owner;
    private final DType type;
    private final CudaQueue queue;
    private final CudaStaging staging;
    private final CudaReadback readback;

    CudaBuffer(
            String name,
            long elements,
            DType type,
            CudaPool pool,
            CudaQueue queue,
            CudaStaging staging,
            CudaReadback readback) {
        super(name, elements);
        this.type = type;
        this.queue = queue;
        this.staging = staging;
        this.readback = readback;
        block = pool.allocate(name, elements * type.bytes());
        start = 0;
        owner = true;
    }

    private CudaBuffer(CudaBuffer whole, long offset, long elements) {
        super(whole.name(), elements);
        type = whole.type;
        queue = whole.queue;
        staging = whole.staging;
        readback = whole.readback;
        block = whole.block;
        start = whole.start + offset * type.bytes();
        owner = false;
    }

    @Override
    protected DeviceBuffer view(long offset, long count) {
        return new CudaBuffer(this, offset, count);
    }

    static CudaBuffer of(DeviceBuffer buffer) {
        return (CudaBuffer) buffer;
    }

    /** Type of its numbers. */
    DType type() {
        return type;
    }

    @Override
    public int elementBytes() {
        return type.bytes();
    }

    /** Device address of the first number. */
    long address() {
        return block.address() + start;
    }

    @Override
    protected void copyIn(long offset, float[] source, int from, int count) {
        int step = COPY_BYTES / type.bytes();
        for (int done = 0; done < count; done += step) {
            int part = Math.min(step, count - done);
            long bytes = (long) part * type.bytes();
            long place = staging.reserve(bytes);
            MemorySegment host = staging.host(place, bytes);
            if (type == DType.F32) {
                MemorySegment.copy(source, from + done, host, JAVA_FLOAT, 0, part);
            } else {
                for (int i = 0; i < part; i++) {
                    host.setAtIndex(JAVA_SHORT, i, TensorValues.floatToBfloat16(source[from + done + i]));
                }
            }
            queue.upload(address() + (offset + done) * type.bytes(), host);
        }
    }

    @Override
    protected void copyOut(long offset, float[] target, int to, int count) {
        beginCopyOut(offset, target, to, count).await();
    }

    @Override
    protected PendingRead beginCopyOut(long offset, float[] target, int to, int count) {
        return readback.read(address() + offset * type.bytes(), type, target, to, count);
    }

    @Override
    public void close() {
        if (owner) {
            block.close();
        }
    }
}
