package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.DeviceException;
import dev.belay.io.Resources;
import java.lang.foreign.MemorySegment;

/**
 * The small arrays that operations take along: token ids, positions, factors. Each is written to pinned memory and copied to the same
 * place of a device buffer. There are two halves. Places of one are given out in order; when there are no more, those of the other are
 * next, as soon as the work is done that was given to the device while these were in use. That starts a new {@link #generation}.
 */
final class CudaStaging implements AutoCloseable {
    private static final int ALIGNMENT = 16;
    private static final long FIRST_BYTES = 4 << 20;

    private final CudaPool pool;
    private final CudaQueue queue;
    /** Behind the work that may use the places of each half. */
    private final CudaEvent[] done;

    private PinnedMemory host;
    private CudaPool.Block device;
    private int half;
    /** Where the half in use ends, and how far it is given out. */
    private long end;

    private long used;
    private long generation;

    CudaStaging(CudaPool pool, CudaQueue queue) {
        this.pool = pool;
        this.queue = queue;
        device = pool.allocate("staging", FIRST_BYTES);
        host = PinnedMemory.allocate(FIRST_BYTES);
        done = new CudaEvent[] {CudaEvent.create(), CudaEvent.create()};
        take(0);
    }

    private void take(int number) {
        half = number;
        used = number * (host.bytes() / 2);
        end = used + host.bytes() / 2;
    }

    /** Where there is no room for more, the old memory stays. */
    private void grow(long bytes) {
        queue.await();
        CudaPool.Block block = pool.allocate("staging", bytes);
        try {
            PinnedMemory pinned = PinnedMemory.allocate(bytes);
            device.close();
            host.close();
            host = pinned;
            device = block;
            take(0);
        } catch (DeviceException e) {
            block.close();
            throw e;
        }
    }

    /** Changes when addresses given out before are given out anew, or do not hold what was sent there. */
    long generation() {
        return generation;
    }

    /** Starts a new {@link #generation}, because what was sent before may not have arrived. */
    void forget() {
        generation++;
    }

    /**
     * Starts at the first place of a half again, so that the same arrays get the same addresses: of the first half where the device has
     * nothing to do, else of the other one.
     */
    void restart() {
        queue.flush();
        if (queue.idle()) {
            take(0);
        } else {
            done[half].record(queue.stream());
            take(half ^ 1);
            queue.await(done[half]);
        }
        generation++;
    }

    /** Makes sure that the next {@code bytes} given out, in several pieces, are of one generation. */
    void room(long bytes) {
        if (used + bytes > end) {
            restart();
            if (used + bytes > end) {
                grow(Math.max(2 * Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT, 2 * host.bytes()));
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
        Resources all = new Resources();
        all.own(host);
        all.own(device);
        all.own(done[0]);
        all.own(done[1]);
        all.close();
    }
}
