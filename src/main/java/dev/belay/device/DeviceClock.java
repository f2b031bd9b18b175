package dev.belay.device;

/** Marks on a device's time line, between its operations. For the thread that uses the device. */
public interface DeviceClock {
    /**
     * Records a mark that the device reaches when it has finished all operations asked for before.
     *
     * @return the mark's number: 0 for the first since {@link #milliseconds()} was last called, then 1, ...
     */
    int mark();

    /**
     * When the device reached each mark recorded since the last call, in their order, in milliseconds since a moment that is the same
     * for all calls; waits for the last.
     */
    double[] milliseconds();
}
