package dev.belay.device.cpu;

import dev.belay.device.DeviceMemoryException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A fixed team of threads that share the items of one task; the caller works too. Idle members spin for some microseconds, as the
 * next operation of a forward pass follows at once, and then park. Running a task allocates nothing.
 */
final class ThreadTeam implements AutoCloseable {
    /** Work that falls into independent items. */
    interface Task {
        /** Does item {@code item} as member {@code worker} (0 = the caller). */
        void run(int item, int worker);
    }

    private static final int SPINS = 2_000;

    private final Thread[] members;
    private final boolean[] parked;
    /** Number of the run in the upper half, unclaimed items in the lower: one word, so that a late member cannot mix runs. */
    private final AtomicLong claim = new AtomicLong();

    private final AtomicInteger unfinished = new AtomicInteger();
    private volatile Task task;
    private volatile Throwable failure;
    private volatile boolean closed;

    ThreadTeam(int size) {
        members = new Thread[size - 1];
        parked = new boolean[size];
        for (int i = 0; i < members.length; i++) {
            int worker = i + 1;
            members[i] = new Thread(() -> serve(worker), "belay-cpu-" + worker);
            members[i].setDaemon(true);
            members[i].start();
        }
    }

    int size() {
        return members.length + 1;
    }

    /** Runs all items and returns when the last is done; a failure in any member is thrown here. */
    void run(Task work, int count) {
        if (count == 1 || members.length == 0) {
            for (int i = 0; i < count; i++) {
                work.run(i, 0);
            }
            return;
        }
        task = work;
        unfinished.set(count);
        claim.set((((claim.get() >>> 32) + 1) << 32) | count);
        wake();
        workOff(0);
        while (unfinished.get() > 0) {
            Thread.onSpinWait();
        }
        Throwable broken = failure;
        if (broken != null) {
            failure = null;
            if (broken instanceof OutOfMemoryError memory) {
                throw memory;
            }
            if (broken instanceof DeviceMemoryException memory) {
                throw memory;
            }
            throw new IllegalStateException("a worker thread failed: " + broken, broken);
        }
    }

    private void wake() {
        for (int i = 0; i < members.length; i++) {
            synchronized (members[i]) {
                if (parked[i + 1]) {
                    LockSupport.unpark(members[i]);
                }
            }
        }
    }

    private void workOff(int worker) {
        while (true) {
            long seen = claim.get();
            int unclaimed = (int) seen;
            if (unclaimed == 0) {
                return;
            }
            Task current = task;
            if (!claim.compareAndSet(seen, seen - 1)) {
                continue;
            }
            try {
                current.run(unclaimed - 1, worker);
            } catch (RuntimeException | Error e) {
                failure = e;
            } finally {
                unfinished.decrementAndGet();
            }
        }
    }

    private void serve(int worker) {
        Thread self = Thread.currentThread();
        while (!closed) {
            workOff(worker);
            for (int i = 0; i < SPINS && !work(); i++) {
                Thread.onSpinWait();
            }
            if (!work()) {
                park(self, worker);
            }
        }
    }

    private void park(Thread self, int worker) {
        synchronized (self) {
            parked[worker] = true;
        }
        while (!work() && !closed) {
            LockSupport.park(this);
        }
        synchronized (self) {
            parked[worker] = false;
        }
    }

    private boolean work() {
        return (int) claim.get() != 0;
    }

    @Override
    public void close() {
        closed = true;
        for (Thread member : members) {
            LockSupport.unpark(member);
        }
    }
}
