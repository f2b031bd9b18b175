package dev.belay.device;

import java.util.Arrays;

/** The clock of a device that has finished an operation when the call returns. */
final class HostClock implements DeviceClock {
    private static final double NANOS_IN_MILLISECOND = 1e6;

    private final long start = System.nanoTime();
    private long[] nanos = new long[64];
    private int marks;

    @Override
    public int mark() {
        if (marks == nanos.length) {
            nanos = Arrays.copyOf(nanos, 2 * marks);
        }
        nanos[marks] = System.nanoTime() - start;
        return marks++;
    }

    @Override
    public double[] milliseconds() {
        double[] milliseconds = new double[marks];
        Arrays.setAll(milliseconds, i -> nanos[i] / NANOS_IN_MILLISECOND);
        marks = 0;
        return milliseconds;
    }
}
