package dev.belay.cli;

import dev.belay.io.Messages;
import java.io.PrintWriter;

/**
 * Where Belay starts. Nothing here names a class of picocli: the JVM would load some before the first line, which takes as long as
 * all of {@code belay info}.
 */
public final class Belay {
    private Belay() {}

    public static void main(String[] args) {
        int code = run(args);
        System.out.flush();
        System.exit(code);
    }

    /** Runs a command line and returns its exit code. */
    public static int run(String... args) {
        return run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args);
    }

    /** Runs a command line that prints to the given writers. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        Messages messages = Messages.to(err);
        int code = InfoCommand.shows(args, out) ? 0 : messages.during(() -> RootCommand.run(out, args));
        if (out.checkError() && code == 0) {
            messages.error("cannot write the result to stdout: it is closed or full");
            return 1;
        }
        return code;
    }
}
