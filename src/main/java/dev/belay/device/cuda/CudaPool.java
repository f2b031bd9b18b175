package dev.belay.device.cuda;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.io.Resources;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.TreeMap;

/**
 * Device memory that is kept when it is freed and given out again. Everything on it runs on one stream, so that a block may be reused
 * as soon as it is given back: what used it before comes earlier in the stream.
 */
final class CudaPool implements AutoCloseable {
    private static final long SMALL = 512;
    /** A kept block serves a request of at least this share of its size. */
    private static final double LEAST_USE = 0.75;

    private final CudaContext context;
    private final TreeMap<Long, Deque<CudaMemory>> kept = new TreeMap<>();
    private Runnable beforeFreeing = () -> {};
    private boolean closed;

    CudaPool(CudaContext context) {
        this.context = context;
    }

    /**
     * Sets what starts, and waits for, work that uses the pool's memory and has not been given to the device yet, and frees what else can
     * be done without.
     */
    void beforeFreeing(Runnable action) {
        beforeFreeing = action;
    }

    /** One block of the pool; {@link #close} gives it back. */
    final class Block implements AutoCloseable {
        private final CudaMemory memory;
        private final String name;
        private boolean closed;

        private Block(CudaMemory memory, String name) {
            this.memory = memory;
            this.name = name;
        }

        /** Device address, a multiple of 256. */
        long address() {
            if (closed) {
                throw new DeviceException("buffer '" + name + "' is closed");
            }
            return memory.address();
        }

        /** Size in bytes, at least what was asked for. */
        long bytes() {
            return memory.bytes();
        }

        /** Whether it has been given back. */
        boolean closed() {
            return closed;
        }

        @Override
        public void close() {
            if (!closed) {
                closed = true;
                kept.computeIfAbsent(memory.bytes(), size -> new ArrayDeque<>()).push(memory);
            }
        }
    }

    /**
     * A block of at least {@code bytes}, undefined content.
     *
     * @throws DeviceMemoryException if the device has no room left, even without the blocks kept
     * @throws DeviceException if the pool is closed
     */
    Block allocate(String name, long bytes) {
        if (closed) {
            throw new DeviceException("no memory for '" + name + "': the device is closed");
        }
        long rounded = Math.max(SMALL, Math.ceilDiv(bytes, SMALL) * SMALL);
        CudaMemory memory = take(rounded);
        if (memory == null) {
            memory = create(name, rounded);
        }
        return new Block(memory, name);
    }

    private CudaMemory take(long bytes) {
        Map.Entry<Long, Deque<CudaMemory>> entry = kept.ceilingEntry(bytes);
        if (entry == null || bytes < LEAST_USE * entry.getKey()) {
            return null;
        }
        CudaMemory memory = entry.getValue().pop();
        if (entry.getValue().isEmpty()) {
            kept.remove(entry.getKey());
        }
        return memory;
    }

    private CudaMemory create(String name, long bytes) {
        try {
            return context.allocate(name, bytes);
        } catch (DeviceMemoryException e) {
            // What is kept may still be in use by work that has not run yet; freeing it waits for that.
            release();
            return context.allocate(name, bytes);
        }
    }

    /** Bytes that are kept to be given out again. */
    long keptBytes() {
        return kept.entrySet().stream()
                .mapToLong(sizes -> sizes.getKey() * sizes.getValue().size())
                .sum();
    }

    private void release() {
        beforeFreeing.run();
        CudaErrors.check(CudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
        freeKept();
    }

    /** Frees what is kept, each block even if another cannot be freed; from then on there are no new ones. */
    @Override
    public void close() {
        closed = true;
        freeKept();
    }

    private void freeKept() {
        Resources all = new Resources();
        kept.values().forEach(blocks -> blocks.forEach(all::own));
        kept.clear();
        all.close();
    }
}
