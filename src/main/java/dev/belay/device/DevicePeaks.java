package dev.belay.device;

import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * The roof of a device, measured with its own operations: the best of a few large copies and of a few large products.
 *
 * @param bytesPerSecond read and written
 * @param flopsPerSecond of products in the device's {@link Device#dtype()}
 */
public record DevicePeaks(double bytesPerSecond, double flopsPerSecond) {
    /** Long rows, so that the host has little to look at; 256 KiB. */
    private static final int COPY_WIDTH = 1 << 16;

    private static final int FIRST_COPY_ROWS = 16;
    /** 64 MiB in and out, more than the caches hold. */
    private static final int LAST_COPY_ROWS = 256;

    private static final int COPY_GROWTH = 4;

    /** Width of the rows that are read, and their number: 16 MiB, doubled until it takes a while, up to 1 GiB. */
    private static final int READ_WIDTH = 16384;

    private static final int FIRST_READ_ROWS = 256;
    private static final int LAST_READ_ROWS = 16384;
    private static final int FIRST_PRODUCT = 256;
    private static final int LAST_PRODUCT = 4096;
    /** A copy or a product that takes as long is large enough. */
    private static final double LONG_MILLISECONDS = 10;

    private static final int REPEATS = 4;
    /** Between two marks operations run for as long, or are as many, so that a device is timed and not the host that starts them. */
    private static final double STRETCH_MILLISECONDS = 2;

    private static final int LONGEST_STRETCH = 64;

    /**
     * Measures; takes a moment, and memory that is free again afterwards.
     *
     * @throws DeviceMemoryException if there is not even room for a few megabytes
     */
    public static DevicePeaks measure(Device device) {
        return new DevicePeaks(copyRate(device), productRate(device));
    }

    /** Milliseconds that work takes at least; what is beyond, the device does not reach. */
    public double milliseconds(OperationCost cost) {
        return 1e3 * Math.max(cost.bytes() / bytesPerSecond, cost.flops() / flopsPerSecond);
    }

    /** Bytes a second that a large copy reads and writes. */
    public static double copyRate(Device device) {
        return rate(
                FIRST_COPY_ROWS,
                LAST_COPY_ROWS,
                COPY_GROWTH,
                n -> copy(device, n),
                n -> 2.0 * n * COPY_WIDTH * Float.BYTES);
    }

    /**
     * Bytes a second of work on some rows: the first, or as many times {@code growth} as it needs to take long, or the last, or the most
     * that there is room for.
     */
    private static double rate(
            int first, int last, int growth, IntToDoubleFunction milliseconds, IntToDoubleFunction bytes) {
        int rows = first;
        double taken = milliseconds.applyAsDouble(rows);
        while (rows < last && taken <= LONG_MILLISECONDS) {
            try {
                taken = milliseconds.applyAsDouble(rows * growth);
            } catch (DeviceMemoryException e) {
                break;
            }
            rows *= growth;
        }
        return bytes.applyAsDouble(rows) / taken * 1e3;
    }

    /** Milliseconds of the copy of some rows. */
    private static double copy(Device device, int count) {
        long elements = (long) count * COPY_WIDTH;
        int[] rows = IntStream.range(0, count).toArray();
        float[] values = values(COPY_WIDTH);
        try (DeviceBuffer from = device.allocate("copy input of the profile", elements);
                DeviceBuffer to = device.allocate("copy output of the profile", elements)) {
            for (int r = 0; r < count; r++) {
                from.write((long) r * COPY_WIDTH, values, 0, COPY_WIDTH);
            }
            return best(device, () -> device.gather(from, rows, count, COPY_WIDTH, to));
        }
    }

    /** Bytes a second that are read where next to nothing is written: in the dot products of many long rows with one. */
    public static double readRate(Device device) {
        return rate(
                FIRST_READ_ROWS,
                LAST_READ_ROWS,
                2,
                n -> read(device, n),
                n -> (n * (READ_WIDTH + 1.0) + READ_WIDTH) * Float.BYTES);
    }

    /** Milliseconds of the dot products of some rows. */
    private static double read(Device device, int count) {
        float[] values = values(READ_WIDTH);
        float[] out = new float[count];
        try (DeviceBuffer from = device.allocate("read input of the profile", (long) count * READ_WIDTH);
                DeviceBuffer vector = device.allocate("vector of the profile", READ_WIDTH)) {
            vector.write(0, values, 0, READ_WIDTH);
            for (int r = 0; r < count; r++) {
                from.write((long) r * READ_WIDTH, values, 0, READ_WIDTH);
            }
            return best(
                    device,
                    () -> device.dot(from, vector, count, READ_WIDTH, 1, out).await());
        }
    }

    private static double productRate(Device device) {
        double rate = 0;
        for (int size = FIRST_PRODUCT; size <= LAST_PRODUCT; size *= 2) {
            double milliseconds;
            try {
                milliseconds = product(device, size);
            } catch (DeviceMemoryException e) {
                if (size == FIRST_PRODUCT) {
                    throw e;
                }
                break;
            }
            rate = Math.max(rate, 2.0 * size * size * size / milliseconds * 1e3);
            if (milliseconds > LONG_MILLISECONDS) {
                break;
            }
        }
        return rate;
    }

    /** Milliseconds of the product of two square matrices with {@code size} rows. */
    public static double product(Device device, int size) {
        int elements = size * size;
        float[] values = values(elements);
        try (Arena arena = Arena.ofShared();
                DeviceBuffer a = device.allocateRounded("product input of the profile", elements);
                DeviceBuffer out = device.allocate("product output of the profile", elements)) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            a.write(0, values, 0, elements);
            HostMatrix host = new HostMatrix("product of the profile", TensorType.F32, data, size, size);
            try (DeviceMatrix weights = device.matrix(host.name(), List.of(host))) {
                return best(device, () -> device.matmul(a, size, 0, size, weights, out, 0, false));
            }
        }
    }

    /** Milliseconds of an operation in the fastest of a few stretches of them, after the first. */
    private static double best(Device device, Runnable operation) {
        DeviceClock clock = device.clock();
        operation.run();
        double once = fastest(clock, 1, 1, operation);
        int stretch = (int) Math.clamp(Math.ceil(STRETCH_MILLISECONDS / once), 1, LONGEST_STRETCH);
        return fastest(clock, REPEATS, stretch, operation);
    }

    /** Milliseconds of an operation in the fastest of {@code count} stretches of as many operations. */
    private static double fastest(DeviceClock clock, int count, int stretch, Runnable operation) {
        clock.mark();
        for (int i = 0; i < count; i++) {
            for (int k = 0; k < stretch; k++) {
                operation.run();
            }
            clock.mark();
        }
        double[] marks = clock.milliseconds();
        return IntStream.range(0, count)
                        .mapToDouble(i -> marks[i + 1] - marks[i])
                        .min()
                        .orElseThrow()
                / stretch;
    }

    private static float[] values(int count) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < Math.min(count, COPY_WIDTH); i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        for (int i = COPY_WIDTH; i < count; i++) {
            values[i] = values[i - COPY_WIDTH];
        }
        return values;
    }
}
