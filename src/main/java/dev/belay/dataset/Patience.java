package dev.belay.dataset;

import java.util.concurrent.TimeUnit;

/**
 * Waits no longer than a minute: Hardwood reads a file in threads of its own, and where a damaged file ends one of them, waits for it
 * for ever. While this is open, the thread that opened it is interrupted after that time.
 */
final class Patience implements AutoCloseable {
    /** The system property is for tests. */
    static final long SECONDS = Long.getLong("belay.parquet.seconds", 60);

    private static final Watch WATCH = new Watch();

    Patience() {
        WATCH.begin();
    }

    /**
     * Says that the time was over: the library takes the interruption for the end of the file.
     *
     * @throws IllegalStateException if it was
     */
    void check() {
        if (WATCH.late) {
            throw new IllegalStateException(
                    "no rows came for " + SECONDS + " seconds; it is damaged, so copy it again");
        }
    }

    @Override
    public void close() {
        WATCH.end();
    }

    /** One thread that looks once in a while, as a clock for each row would cost more than the row. */
    private static final class Watch {
        private static final long PAUSE_MILLIS = 100;

        private Thread waiting;
        private long since;
        private volatile boolean late;

        Watch() {
            Thread.ofPlatform().daemon().name("belay-parquet-watch").start(this::look);
        }

        synchronized void begin() {
            waiting = Thread.currentThread();
            since = System.nanoTime();
            late = false;
        }

        synchronized void end() {
            if (late) {
                // The interruption was for the library alone.
                Thread.interrupted();
            }
            waiting = null;
        }

        private void look() {
            try {
                while (true) {
                    Thread.sleep(PAUSE_MILLIS);
                    interruptIfLate();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        private synchronized void interruptIfLate() {
            if (waiting != null && System.nanoTime() - since > TimeUnit.SECONDS.toNanos(SECONDS)) {
                late = true;
                waiting.interrupt();
                waiting = null;
            }
        }
    }
}
