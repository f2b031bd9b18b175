package dev.belay.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * All that a command says on stderr: lines for people, or JSON objects, one a line. A bar that shows progress on a terminal is taken
 * away before a line is printed. Any thread may call.
 */
public final class Messages {
    /** How messages are written. */
    public enum Format {
        /** A line that begins with {@code belay: }. */
        text,
        /** An object with time, level, message, and for progress done and total. */
        json
    }

    private static final ScopedValue<Messages> CURRENT = ScopedValue.newInstance();
    private static final int BAR_WIDTH = 30;

    private final PrintWriter err;
    private final boolean terminal;
    private Format format = Format.text;
    private boolean quiet;
    private int drawn;

    /**
     * Messages to {@code err}.
     *
     * @param terminal whether that is a terminal that can go back to the beginning of a line
     */
    public Messages(PrintWriter err, boolean terminal) {
        this.err = err;
        this.terminal = terminal;
    }

    /** Messages to {@code err}, which is what the launcher found stderr to be. */
    public static Messages to(PrintWriter err) {
        return new Messages(err, System.getenv("BELAY_TERMINAL") != null && !dumb(System.getenv("TERM")));
    }

    /** Whether a terminal of this type, or null, can do nothing but print. */
    public static boolean dumb(String type) {
        return type == null || type.isEmpty() || type.equals("dumb");
    }

    /** The messages of the command that runs in this thread; where none runs, to stderr. */
    public static Messages current() {
        return CURRENT.isBound() ? CURRENT.get() : to(new PrintWriter(System.err, true));
    }

    /** Runs a command that has these messages, and returns its exit code. */
    public int during(ScopedValue.CallableOp<Integer, RuntimeException> command) {
        return ScopedValue.where(CURRENT, this).call(command);
    }

    /** From now on there is no progress and are no notices. */
    public synchronized void quiet() {
        quiet = true;
    }

    /** From now on messages are JSON. */
    public synchronized void json() {
        format = Format.json;
    }

    /** Whether messages are JSON. */
    public synchronized boolean areJson() {
        return format == Format.json;
    }

    /** Whether progress is best told often, as a bar, and not as lines. */
    public synchronized boolean drawsBars() {
        return terminal && format == Format.text;
    }

    /** Says something worth knowing. */
    public synchronized void notice(String message) {
        if (!quiet) {
            print("notice", message, message, _ -> {});
        }
    }

    /** Says that a result may not be what was wanted. */
    public synchronized void warning(String message) {
        print("warning", message, message, _ -> {});
    }

    /** Says why a command failed. */
    public synchronized void error(String message) {
        print("error", message, message, _ -> {});
    }

    /** Says why a command failed, with the stack trace. */
    public synchronized void error(String message, Throwable cause) {
        StringWriter trace = new StringWriter();
        cause.printStackTrace(new PrintWriter(trace, true));
        print("error", message, message + System.lineSeparator() + trace, json -> json.put("trace", trace.toString()));
    }

    /** Says how far a job is: a bar, or a line. */
    public synchronized void progress(String job, long done, long total, double secondsLeft) {
        if (quiet) {
            return;
        }
        String left = String.format(Locale.ROOT, "%.0f s left", secondsLeft);
        if (drawsBars()) {
            int full = (int) (BAR_WIDTH * Math.min(done, total) / total);
            String bar = job + " [" + "#".repeat(full) + " ".repeat(BAR_WIDTH - full) + "] " + done + "/" + total + ", "
                    + left;
            err.print("\r" + bar + " ".repeat(Math.max(0, drawn - bar.length())));
            err.flush();
            drawn = bar.length();
        } else {
            String words = job + ": " + done + " of " + total + ", " + left;
            print("progress", job, words, json -> json.put("done", done).put("total", total));
        }
    }

    /** Takes the bar away, if there is one. */
    public synchronized void clearBar() {
        if (drawn > 0) {
            err.print("\r" + " ".repeat(drawn) + "\r");
            err.flush();
            drawn = 0;
        }
    }

    private void print(String level, String message, String words, Consumer<ObjectNode> more) {
        clearBar();
        err.println(format == Format.text ? "belay: " + words : Json.line(level, message, more));
        err.flush();
    }

    /** Apart, as a command that prints no JSON starts faster without Jackson. */
    private static final class Json {
        private static final ObjectMapper MAPPER = new ObjectMapper();

        static String line(String level, String message, Consumer<ObjectNode> more) {
            ObjectNode line = MAPPER.createObjectNode();
            line.put("time", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
            line.put("level", level).put("message", message);
            more.accept(line);
            try {
                return MAPPER.writeValueAsString(line);
            } catch (JsonProcessingException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
