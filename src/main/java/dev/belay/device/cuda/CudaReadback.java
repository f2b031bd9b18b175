package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.PendingRead;
import dev.belay.io.Resources;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Copies numbers to the host without a wait for each: into a ring of pinned pieces, one after the other, each with an event behind its
 * last copy. The host fetches a piece's numbers from there when its turn comes again, so it waits only where the whole ring is under way,
 * or for numbers that are asked for. Pieces are allocated when they are first needed.
 */
final class CudaReadback implements AutoCloseable {
    static final int PIECES = 8;
    static final long PIECE_BYTES = 2 << 20;

    /** Part of a read in a piece. */
    private record Copy(long place, DType type, float[] target, int to, int count) {}

    private static final class Piece implements AutoCloseable {
        private final PinnedMemory memory = PinnedMemory.allocate(PIECE_BYTES);
        private final CudaEvent copied;
        private final List<Copy> copies = new ArrayList<>();
        /** The last read whose numbers are all here, or in pieces before. */
        private long lastRead;

        Piece() {
            try {
                copied = CudaEvent.create();
            } catch (RuntimeException | Error e) {
                memory.close();
                throw e;
            }
        }

        /** Brings the numbers to where they belong. */
        void deliver() {
            for (Copy copy : copies) {
                MemorySegment from = memory.segment()
                        .asSlice(copy.place(), (long) copy.count() * copy.type().bytes());
                if (copy.type() == DType.F32) {
                    MemorySegment.copy(from, JAVA_FLOAT, 0, copy.target(), copy.to(), copy.count());
                } else {
                    for (int i = 0; i < copy.count(); i++) {
                        copy.target()[copy.to() + i] = TensorValues.bfloat16ToFloat(from.getAtIndex(JAVA_SHORT, i));
                    }
                }
            }
            copies.clear();
        }

        @Override
        public void close() {
            Resources all = new Resources();
            all.own(memory);
            all.own(copied);
            all.close();
        }
    }

    private final CudaQueue queue;
    private final Piece[] pieces = new Piece[PIECES];
    /** Numbers, from 0 on, of the piece that is being filled and of the oldest whose numbers have not been fetched. */
    private long filling;

    private long oldest;
    /** How far the piece is filled. */
    private long used;
    /** Reads begun, and those whose numbers have arrived. */
    private long begun;

    private long arrived;

    private boolean closed;

    CudaReadback(CudaQueue queue) {
        this.queue = queue;
    }

    /**
     * Begins to copy {@code count} numbers from a device address to {@code target}, from element {@code to} on, as float32.
     *
     * @throws IllegalStateException in a sequence: a list of commands with a place of the ring never comes again
     */
    PendingRead read(long source, DType type, float[] target, int to, int count) {
        if (queue.holding()) {
            throw new IllegalStateException("numbers are read in a sequence of operations: begin the read behind it");
        }
        if (count == 0) {
            return PendingRead.DONE;
        }
        long number = ++begun;
        for (int done = 0; done < count; ) {
            Piece piece = withRoom();
            int part = (int) Math.min(count - done, (PIECE_BYTES - used) / type.bytes());
            long bytes = (long) part * type.bytes();
            queue.download(piece.memory.segment().asSlice(used, bytes), source + (long) done * type.bytes());
            piece.copies.add(new Copy(used, type, target, to + done, part));
            piece.lastRead = done + part == count ? number : number - 1;
            used += Math.ceilDiv(bytes, Float.BYTES) * Float.BYTES;
            done += part;
        }
        return () -> await(number);
    }

    /** The piece that is being filled, or, where it is full, the next one. */
    private Piece withRoom() {
        if (used == PIECE_BYTES) {
            queue.flush();
            piece(filling).copied.record(queue.stream());
            filling++;
            used = 0;
        }
        if (filling - oldest == PIECES) {
            fetchOldest();
        }
        return piece(filling);
    }

    private Piece piece(long number) {
        int place = (int) (number % PIECES);
        if (pieces[place] == null) {
            try {
                pieces[place] = new Piece();
            } catch (DeviceException e) {
                throw queue.reason(e);
            }
        }
        return pieces[place];
    }

    private void fetchOldest() {
        Piece piece = piece(oldest);
        queue.await(piece.copied);
        arrive(piece);
        oldest++;
    }

    private void arrive(Piece piece) {
        piece.deliver();
        arrived = piece.lastRead;
    }

    /** Fetches full pieces while the device still works on the next, and the last one when all is done. */
    private void await(long read) {
        if (closed && arrived < read) {
            throw new DeviceException("the device was closed before numbers that it copies were awaited");
        }
        while (arrived < read && oldest < filling) {
            fetchOldest();
        }
        if (arrived < read) {
            queue.await();
            arrive(piece(filling));
            used = 0;
        }
    }

    @Override
    public void close() {
        closed = true;
        Resources all = new Resources();
        for (Piece piece : pieces) {
            if (piece != null) {
                all.own(piece);
            }
        }
        all.close();
    }
}
