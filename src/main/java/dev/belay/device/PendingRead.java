package dev.belay.device;

/**
 * Numbers that a device copies to an array on the heap while the host goes on. The array belongs to the device until they have arrived; the
 * memory that they come from may be changed, or freed, at once.
 */
public interface PendingRead {
    /** Numbers that are there already. */
    PendingRead DONE = () -> {};

    /**
     * Waits until the numbers have arrived, and those of all reads of the device that were begun before.
     *
     * @throws DeviceException if the device failed, or was closed, before
     */
    void await();
}
