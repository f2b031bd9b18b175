package dev.belay.device;

/** The device has no room left; less at a time may fit. */
public final class DeviceMemoryException extends DeviceException {
    /** What to do, at the end of a message. */
    public static final String ADVICE = "; lower --batch-tokens";

    private static final long serialVersionUID = 1L;

    public DeviceMemoryException(String message) {
        super(message);
    }

    public DeviceMemoryException(String message, Throwable cause) {
        super(message, cause);
    }

    /** What went wrong, without what to do. */
    public static String problem(Throwable e) {
        return e.getMessage().replace(ADVICE, "");
    }
}
