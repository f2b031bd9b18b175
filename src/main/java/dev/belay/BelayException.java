package dev.belay;

import java.util.regex.Pattern;

/**
 * A failure that the person at the shell can act on. The message is one line that says what went wrong, where (file, line,
 * tensor, option) and what to do; the command line prints it as it is and exits with code 1.
 */
public class BelayException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A longer message, which cites a file, loses what is in its middle. */
    private static final int LONGEST = 1000;

    private static final int END = 400;

    /** Ends of lines, whatever moves a terminal's cursor, and what turns the direction of writing. */
    private static final Pattern NO_TEXT =
            Pattern.compile("[\\p{Cntrl}\\u0080-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]");

    public BelayException(String message) {
        super(line(message));
    }

    public BelayException(String message, Throwable cause) {
        super(line(message), cause);
    }

    /** The message as one line, whatever the file says that it cites. */
    private static String line(String message) {
        String text = String.valueOf(message);
        if (text.length() > LONGEST) {
            text = text.substring(0, LONGEST - END) + " ... " + text.substring(text.length() - END);
        }
        return NO_TEXT.matcher(text).replaceAll("?");
    }
}
