package dev.belay.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/**
 * Wall-clock seconds of the phases of a run, in the order they first began. A phase that runs again adds to its time.
 *
 * <pre>{@code
 * try (var _ = timings.phase("sweep")) {
 *     ...
 * }
 * }</pre>
 */
public final class Timings {
    private final LongSupplier nanoTime;
    private final Map<String, Long> nanos = new LinkedHashMap<>();
    private Phase last;

    public Timings() {
        this(System::nanoTime);
    }

    Timings(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** A running phase; closing it stops its clock. */
    public final class Phase implements AutoCloseable {
        private final String name;
        private final long started = nanoTime.getAsLong();
        private boolean open = true;

        private Phase(String name) {
            this.name = name;
        }

        @Override
        public void close() {
            if (open) {
                open = false;
                add(name, nanoTime.getAsLong() - started);
            }
        }
    }

    /** Starts the clock of a phase. */
    public Phase phase(String name) {
        add(name, 0);
        return new Phase(name);
    }

    /** Ends the phase that this method started last and starts another. */
    public void next(String name) {
        end();
        last = phase(name);
    }

    /** Ends the phase that {@link #next} started last. */
    public void end() {
        if (last != null) {
            last.close();
        }
    }

    /** Seconds of each phase so far, without what is still running. */
    public synchronized Map<String, Double> seconds() {
        Map<String, Double> seconds = new LinkedHashMap<>();
        nanos.forEach((name, time) -> seconds.put(name, time / 1e9));
        return Collections.unmodifiableMap(seconds);
    }

    private synchronized void add(String name, long time) {
        nanos.merge(name, time, Long::sum);
    }
}
