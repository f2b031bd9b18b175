package dev.belay.device;

import java.util.Arrays;
import java.util.List;

/**
 * A device that computes nothing and holds nothing, but counts what another one would have to do and to hold. What is read from it
 * is zero.
 */
public final class DryDevice extends CostedDevice {
    private final DevicePeaks peaks;
    /** Bytes of an element of a rounded buffer, of queries, and of keys and values, on the device that it stands for. */
    private final int roundedBytes;

    private final int queryBytes;
    private final int keyBytes;
    private final int roundedKeyBytes;
    private double flops;
    private double bytes;
    private double milliseconds;
    private long held;
    private long mostHeld;
    private long allocations;

    /**
     * @param device the device that it stands for; stays the caller's
     * @param peaks its peaks
     */
    public DryDevice(Device device, DevicePeaks peaks) {
        super(device);
        this.peaks = peaks;
        try (DeviceBuffer rounded = device.allocateRounded("one number", 1);
                DeviceBuffer queries = device.allocateQueries("one number", 1);
                KeyValues keyValues = device.keyValues("one number", 1, 1, false);
                KeyValues roundedKeyValues = device.keyValues("one number", 1, 1, true)) {
            roundedBytes = rounded.elementBytes();
            queryBytes = queries.elementBytes();
            keyBytes = keyValues.keys().elementBytes();
            roundedKeyBytes = roundedKeyValues.keys().elementBytes();
        }
    }

    /** The work since the last call; memory is the most since then. */
    public Work work() {
        Work work = new Work(flops, bytes, milliseconds / 1e3, mostHeld);
        flops = 0;
        bytes = 0;
        milliseconds = 0;
        mostHeld = held;
        return work;
    }

    @Override
    void run(String name, DeviceMatrix weights, int rows, OperationCost cost, Runnable operation) {
        flops += cost.flops();
        bytes += cost.bytes();
        milliseconds += peaks.milliseconds(cost);
    }

    private void hold(long more) {
        held += more;
        mostHeld = Math.max(mostHeld, held);
    }

    @Override
    public DeviceBuffer allocate(String name, long elements) {
        return allocate(name, elements, Float.BYTES);
    }

    private DeviceBuffer allocate(String name, long elements, int elementBytes) {
        allocations++;
        return new Buffer(name, elements, elementBytes, elements * elementBytes);
    }

    @Override
    public DeviceBuffer allocateRounded(String name, long elements) {
        return allocate(name, elements, roundedBytes);
    }

    @Override
    public DeviceBuffer allocateQueries(String name, long elements) {
        return allocate(name, elements, queryBytes);
    }

    @Override
    public KeyValues keyValues(String name, int slots, int width, boolean rounded) {
        long elements = (long) slots * width;
        int bytes = rounded ? roundedKeyBytes : keyBytes;
        return new KeyValues(allocate(name, elements, bytes), allocate(name, elements, bytes));
    }

    @Override
    public long allocations() {
        return allocations;
    }

    @Override
    public DeviceMatrix matrix(String name, List<HostMatrix> parts) {
        allocations++;
        int columns = parts.getFirst().columns();
        int rows = parts.stream().mapToInt(HostMatrix::rows).sum();
        long size = matrixBytes((long) rows * columns);
        hold(size);
        return new Matrix(name, rows, columns, size);
    }

    @Override
    public DeviceClock clock() {
        return new HostClock();
    }

    @Override
    public void close() {}

    /** A buffer without memory. */
    private final class Buffer extends DeviceBuffer {
        private final int elementBytes;
        private long size;

        Buffer(String name, long elements, int elementBytes, long size) {
            super(name, elements);
            this.elementBytes = elementBytes;
            this.size = size;
            hold(size);
        }

        @Override
        protected DeviceBuffer view(long offset, long count) {
            return new Buffer(name(), count, elementBytes, 0);
        }

        @Override
        public int elementBytes() {
            return elementBytes;
        }

        @Override
        protected void copyIn(long offset, float[] source, int from, int count) {}

        @Override
        protected void copyOut(long offset, float[] target, int to, int count) {
            Arrays.fill(target, to, to + count, 0);
        }

        @Override
        public void close() {
            hold(-size);
            size = 0;
        }
    }

    /** A matrix without memory. */
    private final class Matrix extends DeviceMatrix {
        private long size;

        Matrix(String name, int rows, int columns, long size) {
            super(name, rows, columns);
            this.size = size;
        }

        @Override
        protected DeviceMatrix slice(int row, int rowCount, int column, int columnCount) {
            return new Matrix(name(), rowCount, columnCount, 0);
        }

        @Override
        public void close() {
            hold(-size);
            size = 0;
        }
    }
}
