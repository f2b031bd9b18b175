package dev.belay.run;

import dev.belay.BelayException;

/** A run that a signal ended after a whole unit; the message says how to go on. */
public final class StoppedException extends BelayException {
    private static final long serialVersionUID = 1L;

    StoppedException(String message) {
        super(message);
    }

    /** The same, and what more there is to say. */
    public StoppedException with(String more) {
        return new StoppedException(getMessage() + more);
    }
}
