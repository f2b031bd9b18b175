package dev.belay.device;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The rates of a made-up GPU of which all is known: the host starts operations, and the device is done with them later. */
class DevicePeaksTest {
    /** An H100's, roughly. */
    private static final double BYTES_PER_SECOND = 2.8e12;

    private static final double FLOPS_PER_SECOND = 0.7e15;

    /** What the host takes to start an operation, and besides for each row that it looks at before a copy. */
    private static final double START_SECONDS = 8e-6;

    private static final double ROW_SECONDS = 50e-9;

    private double host;
    private double device;
    private final List<Double> marks = new ArrayList<>();

    private void operation(double hostSeconds, double deviceSeconds) {
        host += hostSeconds;
        device = Math.max(host, device) + deviceSeconds;
    }

    private Object call(Method method, Object... a) {
        switch (method.getName()) {
            case "allocate", "allocateRounded" -> {
                return new Nothing((String) a[0], (long) a[1]);
            }
            case "matrix" -> {
                HostMatrix host = (HostMatrix) ((List<?>) a[1]).getFirst();
                return new NoWeights(host.name(), host.rows(), host.columns());
            }
            case "gather" -> {
                int count = (int) a[2];
                operation(
                        START_SECONDS + count * ROW_SECONDS, 2.0 * count * (int) a[3] * Float.BYTES / BYTES_PER_SECOND);
            }
            case "matmul" -> {
                DeviceMatrix weights = (DeviceMatrix) a[4];
                operation(START_SECONDS, 2.0 * (int) a[3] * weights.rows() * weights.columns() / FLOPS_PER_SECOND);
            }
            case "clock" -> {
                return new Clock();
            }
            default -> throw new UnsupportedOperationException(method.toString());
        }
        return null;
    }

    private final class Clock implements DeviceClock {
        @Override
        public int mark() {
            device = Math.max(host, device);
            marks.add(device);
            return marks.size() - 1;
        }

        @Override
        public double[] milliseconds() {
            host = device;
            double[] result =
                    marks.stream().mapToDouble(seconds -> 1e3 * seconds).toArray();
            marks.clear();
            return result;
        }
    }

    private static final class Nothing extends DeviceBuffer {
        Nothing(String name, long elements) {
            super(name, elements);
        }

        @Override
        public int elementBytes() {
            return Float.BYTES;
        }

        @Override
        protected DeviceBuffer view(long offset, long count) {
            return new Nothing(name(), count);
        }

        @Override
        protected void copyIn(long offset, float[] source, int from, int count) {}

        @Override
        protected void copyOut(long offset, float[] target, int to, int count) {}

        @Override
        public void close() {}
    }

    private static final class NoWeights extends DeviceMatrix {
        NoWeights(String name, int rows, int columns) {
            super(name, rows, columns);
        }

        @Override
        protected DeviceMatrix slice(int row, int rowCount, int column, int columnCount) {
            return new NoWeights(name(), rowCount, columnCount);
        }

        @Override
        public void close() {}
    }

    /** A copy of 64 MiB takes 48 µs, a product of 4096 rows 196 µs: what the host does before each must not count. */
    @Test
    void whatTheHostDoesIsNotTimed() {
        Device gpu = (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (_, method, a) -> call(method, a));
        DevicePeaks peaks = DevicePeaks.measure(gpu);
        assertEquals(BYTES_PER_SECOND, peaks.bytesPerSecond(), 0.02 * BYTES_PER_SECOND);
        assertEquals(FLOPS_PER_SECOND, peaks.flopsPerSecond(), 0.02 * FLOPS_PER_SECOND);
    }
}
