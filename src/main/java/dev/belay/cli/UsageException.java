package dev.belay.cli;

import dev.belay.BelayException;

/** Options that do not go together: reported like every usage error, with exit code 2. */
final class UsageException extends BelayException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }
}
