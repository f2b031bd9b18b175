package dev.belay.device;

import dev.belay.BelayException;

/** A failure of the device: names the operation, the sizes, the code and what to do. */
public class DeviceException extends BelayException {
    private static final long serialVersionUID = 1L;

    public DeviceException(String message) {
        super(message);
    }

    public DeviceException(String message, Throwable cause) {
        super(message, cause);
    }
}
