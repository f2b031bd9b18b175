package dev.belay.cli;

import dev.belay.io.Messages;

/** How far a long job is: a bar where stderr is a terminal, elsewhere a message now and then, in JSON also at the beginning and end. */
final class Progress implements AutoCloseable {
    private static final long LINE_EVERY = 5_000_000_000L;
    private static final long BAR_EVERY = 50_000_000L;

    private final Messages messages = Messages.current();
    private final String job;
    private final long total;
    private final long every = messages.drawsBars() ? BAR_EVERY : LINE_EVERY;
    private final long started = System.nanoTime();
    private long last = started;
    private boolean complete;

    Progress(String job, long total) {
        this.job = job;
        this.total = Math.max(1, total);
        if (messages.areJson()) {
            messages.progress(job, 0, this.total, 0);
        }
    }

    /** Says that {@code done} of the total are done. */
    void at(long done) {
        long now = System.nanoTime();
        boolean due = done < total ? now - last >= every : !complete && messages.areJson();
        if (!due) {
            return;
        }
        last = now;
        complete = done >= total;
        double seconds = (now - started) / 1e9;
        messages.progress(job, done, total, seconds * (total - done) / Math.max(1, done));
    }

    /** Removes the bar. */
    @Override
    public void close() {
        messages.clearBar();
    }
}
