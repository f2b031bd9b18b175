package dev.belay.device.cpu;

import dev.belay.device.DeviceMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory that is kept when it is freed and given out again: to have the system find and clear pages takes longer than a pass over a
 * few texts. What was freed last is kept, up to {@value #MOST_KEPT} bytes, but for larger blocks than a forward pass needs again.
 */
final class MemoryPool implements AutoCloseable {
    private static final long MOST_KEPT = 128L << 20;

    private static final long LARGEST_KEPT = 32L << 20;
    /** A kept block serves a request of at least this share of its size. */
    private static final double LEAST_USE = 0.75;

    private final List<Block> kept = new ArrayList<>();
    private long keptBytes;
    private boolean closed;

    /** Memory and what frees it. */
    record Block(Arena arena, MemorySegment memory) {
        private long bytes() {
            return memory.byteSize();
        }
    }

    /**
     * At least {@code bytes}, undefined content.
     *
     * @throws DeviceMemoryException if there is no room, even without what is kept
     */
    synchronized Block allocate(String name, long bytes) {
        Block best = null;
        for (Block block : kept) {
            if (bytes <= block.bytes() && (best == null || block.bytes() < best.bytes())) {
                best = block;
            }
        }
        if (best != null && bytes >= LEAST_USE * best.bytes()) {
            kept.remove(best);
            keptBytes -= best.bytes();
            return best;
        }
        try {
            return create(name, bytes);
        } catch (DeviceMemoryException e) {
            if (kept.isEmpty()) {
                throw e;
            }
            shrinkTo(0);
            return create(name, bytes);
        }
    }

    /** Memory that no pool keeps. */
    static Block create(String name, long bytes) {
        Arena arena = Arena.ofShared();
        try {
            return new Block(arena, CpuBuffer.allocate(arena, name, bytes));
        } catch (DeviceMemoryException e) {
            arena.close();
            throw e;
        }
    }

    /** Takes a block back. */
    synchronized void free(Block block) {
        if (block.bytes() > LARGEST_KEPT) {
            block.arena().close();
            return;
        }
        kept.add(block);
        keptBytes += block.bytes();
        shrinkTo(closed ? 0 : MOST_KEPT);
    }

    private void shrinkTo(long most) {
        while (keptBytes > most) {
            Block oldest = kept.removeFirst();
            keptBytes -= oldest.bytes();
            oldest.arena().close();
        }
    }

    /** Frees what is kept, and from now on what is given back. */
    @Override
    public synchronized void close() {
        closed = true;
        shrinkTo(0);
    }
}
