package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.DeviceException;
import java.lang.foreign.MemorySegment;

/**
 * The small arrays that operations take along: token ids, positions, factors. Each is written to pinned memory and copied to the same
 * place of a device buffer. Places are given out in order; when there are no more, the work so far is waited for and the first one is
 * next, which starts a new {@link #generation}.
 */
final class CudaStaging implements AutoCloseable {
    private static final int ALIGNMENT = 16;
    private static final long FIRST_BYTES = 4 << 20;

    private final CudaPool pool;
    private final CudaQueue queue;
    private PinnedMemory host;
    private CudaPool.Block device;
    private long used;
    private long generation;

    CudaStaging(CudaPool pool, CudaQueue queue) {
        this.pool = pool;
        this.queue = queue;
        device = pool.allocate("staging", FIRST_BYTES);
        host = PinnedMemory.allocate(FIRST_BYTES);
    }

    /** Where there is no room for more, the old memory stays. */
    private void grow(long bytes) {
        CudaPool.Block block = pool.allocate("staging", bytes);
        try {
            PinnedMemory pinned = PinnedMemory.allocate(bytes);
            close();
            host = pinned;
            device = block;
        } catch (DeviceException e) {
            block.close();
            throw e;
        }
    }

    /** Changes when addresses given out before are given out anew. */
    long generation() {
        return generation;
    }

    /** Starts at the first place again, so that the same arrays get the same addresses. */
    void restart() {
        queue.await();
        used = 0;
        generation++;
    }

    /** Makes sure that the next {@code bytes} given out, in several pieces, are of one generation. */
    void room(long bytes) {
        if (used + bytes > host.bytes()) {
            restart();
            if (bytes > host.bytes()) {
                grow(Math.max(bytes, 2 * host.bytes()));
            }
        }
    }

    /** Gives out {@code bytes} in one piece; returns where. */
    long reserve(long bytes) {
        room(bytes);
        long place = used;
        used = Math.ceilDiv(used + bytes, ALIGNMENT) * ALIGNMENT;
        return place;
    }

    /** The pinned memory of a place. */
    MemorySegment host(long place, long bytes) {
        return host.segment().asSlice(place, bytes);
    }

    /** Sends a place's content to the device; returns its address there. */
    long send(long place, long bytes) {
        queue.upload(device.address() + place, host(place, bytes));
        return device.address() + place;
    }

    /** Sends the first {@code count} of {@code values}; returns their address on the device. */
    long ints(int[] values, int count) {
        long bytes = Math.max(1, count) * (long) Integer.BYTES;
        long place = reserve(bytes);
        MemorySegment.copy(values, 0, host.segment(), JAVA_INT, place, count);
        return send(place, bytes);
    }

    /** The same of float32 numbers. */
    long floats(float[] values, int count) {
        long bytes = Math.max(1, count) * (long) Float.BYTES;
        long place = reserve(bytes);
        MemorySegment.copy(values, 0, host.segment(), JAVA_FLOAT, place, count);
        return send(place, bytes);
    }

    /** Copies {@code bytes} from the device to pinned memory and waits; the content is good until the next call. */
    MemorySegment fetch(long source, long bytes) {
        long place = reserve(bytes);
        MemorySegment target = host(place, bytes);
        queue.download(target, source);
        queue.await();
        return target;
    }

    @Override
    public void close() {
        device.close();
        host.close();
    }
}
