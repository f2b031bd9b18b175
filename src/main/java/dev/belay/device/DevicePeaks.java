package dev.belay.device;

import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * The roof of a device, measured with its own operations: the best of a few large copies and of a few large products.
 *
 * @param bytesPerSecond read and written
 * @param flopsPerSecond of products in the device's {@link Device#dtype()}
 */
public record DevicePeaks(double bytesPerSecond, double flopsPerSecond) {
    /** Rows of a copy, and their width: 64 MiB in and out, more than the caches hold. */
    private static final int COPY_ROWS = 4096;

    private static final int COPY_WIDTH = 4096;
    private static final int FIRST_PRODUCT = 256;
    private static final int LAST_PRODUCT = 4096;
    /** A product that takes as long is large enough. */
    private static final double LONG_MILLISECONDS = 10;

    private static final int REPEATS = 4;

    /** Measures; takes a moment, and memory that is free again afterwards. */
    public static DevicePeaks measure(Device device) {
        DeviceClock clock = device.clock();
        return new DevicePeaks(copyRate(device, clock), productRate(device, clock));
    }

    /** Milliseconds that work takes at least; what is beyond, the device does not reach. */
    double milliseconds(OperationCost cost) {
        return 1e3 * Math.max(cost.bytes() / bytesPerSecond, cost.flops() / flopsPerSecond);
    }

    private static double copyRate(Device device, DeviceClock clock) {
        long elements = (long) COPY_ROWS * COPY_WIDTH;
        int[] rows = IntStream.range(0, COPY_ROWS).toArray();
        float[] values = values(COPY_WIDTH);
        try (DeviceBuffer from = device.allocate("copy input of the profile", elements);
                DeviceBuffer to = device.allocate("copy output of the profile", elements)) {
            for (int r = 0; r < COPY_ROWS; r++) {
                from.write((long) r * COPY_WIDTH, values, 0, COPY_WIDTH);
            }
            double best = best(clock, () -> device.gather(from, rows, COPY_ROWS, COPY_WIDTH, to));
            return OperationCost.gather(COPY_ROWS, COPY_WIDTH).bytes() / best * 1e3;
        }
    }

    private static double productRate(Device device, DeviceClock clock) {
        double rate = 0;
        for (int size = FIRST_PRODUCT; size <= LAST_PRODUCT; size *= 2) {
            double milliseconds = product(device, clock, size);
            rate = Math.max(rate, 2.0 * size * size * size / milliseconds * 1e3);
            if (milliseconds > LONG_MILLISECONDS) {
                break;
            }
        }
        return rate;
    }

    /** Milliseconds of the product of two square matrices. */
    private static double product(Device device, DeviceClock clock, int size) {
        int elements = size * size;
        float[] values = values(elements);
        try (Arena arena = Arena.ofShared();
                DeviceBuffer a = device.allocate("product input of the profile", elements);
                DeviceBuffer out = device.allocate("product output of the profile", elements)) {
            MemorySegment data = arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
            a.write(0, values, 0, elements);
            HostMatrix host = new HostMatrix("product of the profile", TensorType.F32, data, size, size);
            try (DeviceMatrix weights = device.matrix(host.name(), List.of(host))) {
                return best(clock, () -> device.matmul(a, size, 0, size, weights, out, 0, false));
            }
        }
    }

    /** Milliseconds of the fastest of a few runs after the first. */
    private static double best(DeviceClock clock, Runnable operation) {
        for (int i = 0; i <= REPEATS; i++) {
            clock.mark();
            operation.run();
        }
        clock.mark();
        double[] marks = clock.milliseconds();
        return IntStream.range(1, marks.length - 1)
                .mapToDouble(i -> marks[i + 1] - marks[i])
                .min()
                .orElseThrow();
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
