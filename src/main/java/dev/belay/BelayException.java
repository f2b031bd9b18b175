package dev.belay;

/**
 * A failure that the person at the shell can act on. The message is one line that says what went wrong, where (file, line,
 * tensor, option) and what to do; the command line prints it as it is and exits with code 1.
 */
public class BelayException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public BelayException(String message) {
        super(message);
    }

    public BelayException(String message, Throwable cause) {
        super(message, cause);
    }
}
