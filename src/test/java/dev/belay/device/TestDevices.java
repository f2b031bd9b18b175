package dev.belay.device;

/** The device that tests of what runs on every device use: {@code -Dbelay.device=cpu}, which is the default, or {@code cuda}. */
public final class TestDevices {
    private TestDevices() {}

    /** Opens it. */
    public static Device open(DType dtype) {
        return Devices.open(name(), dtype);
    }

    /** Its name on the command line. */
    public static String name() {
        return System.getProperty("belay.device", "cpu");
    }
}
