package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;

/** Packed weights side by side in few large pieces of memory, so that huge pages hold them; a piece goes when its last weights do. */
final class WeightMemory {
    private static final long PIECE = 32L << 20;
    private static final long ALIGNMENT = 64;

    private Piece current;

    /** Memory of some weights, and how many of them live. */
    private static final class Piece {
        private final MemoryPool.Block block;
        private final MemorySegment memory;
        private long used;
        private int lives;

        Piece(String name, long bytes) {
            block = MemoryPool.create(name, bytes);
            memory = block.memory();
        }
    }

    /** Memory for one block of weights. */
    final class Block implements AutoCloseable {
        private final Piece piece;
        private final MemorySegment memory;

        private Block(Piece piece, long bytes) {
            this.piece = piece;
            memory = piece.memory.asSlice(piece.used, bytes);
            piece.used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            piece.lives++;
        }

        MemorySegment memory() {
            return memory;
        }

        @Override
        public void close() {
            release(piece);
        }
    }

    /** Zeroed memory for weights of {@code name}. */
    synchronized Block allocate(String name, long bytes) {
        if (bytes > PIECE / 2) {
            return new Block(new Piece(name, bytes), bytes);
        }
        if (current == null || current.memory.byteSize() - current.used < bytes) {
            current = new Piece(name, PIECE);
        }
        return new Block(current, bytes);
    }

    private synchronized void release(Piece piece) {
        piece.lives--;
        if (piece.lives == 0) {
            piece.block.arena().close();
            if (piece == current) {
                current = null;
            }
        }
    }
}
