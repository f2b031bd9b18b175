package dev.belay.cli;

import java.util.Locale;

/** How far a long job is: a bar on stderr where that is a terminal, elsewhere a plain line now and then. */
final class Progress implements AutoCloseable {
    private static final int WIDTH = 30;
    private static final long LINE_EVERY = 5_000_000_000L;
    private static final long BAR_EVERY = 50_000_000L;

    private final String label;
    private final long total;
    private final boolean terminal = onTerminal();
    private final long started = System.nanoTime();
    private long last = started;
    private boolean drawn;

    Progress(String label, long total) {
        this.label = label;
        this.total = Math.max(1, total);
    }

    /** Whether stderr is a terminal. */
    static boolean onTerminal() {
        return System.getenv("BELAY_TERMINAL") != null;
    }

    /** Says that {@code done} of the total are done. */
    void at(long done) {
        long now = System.nanoTime();
        if (done >= total || now - last < (terminal ? BAR_EVERY : LINE_EVERY)) {
            return;
        }
        last = now;
        double seconds = (now - started) / 1e9;
        String remaining = String.format(Locale.ROOT, "%.0f s left", seconds * (total - done) / Math.max(1, done));
        if (terminal) {
            int full = (int) (WIDTH * Math.min(done, total) / total);
            System.err.print("\r" + label + " [" + "#".repeat(full) + " ".repeat(WIDTH - full) + "] " + done + "/"
                    + total + ", " + remaining + "   ");
            System.err.flush();
            drawn = true;
        } else {
            System.err.println("belay: " + label + ": " + done + " of " + total + ", " + remaining);
        }
    }

    /** Removes the bar. */
    @Override
    public void close() {
        if (drawn) {
            System.err.print("\r" + " ".repeat(label.length() + WIDTH + 50) + "\r");
            System.err.flush();
        }
    }
}
