package dev.belay.bench;

import dev.belay.device.Device;
import dev.belay.device.DevicePeaks;
import dev.belay.device.OperationCost;
import dev.belay.device.cpu.CpuDevice;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What a device can do, measured with its own operations; but how fast the CPU reads memory, with a loop that does nothing else.
 *
 * @param products rates of products of square matrices, small to large
 * @param readBytesPerSecond of reading where next to nothing is written
 * @param copyBytesPerSecond of copying, read and written
 */
public record MachinePeaks(List<Product> products, double readBytesPerSecond, double copyBytesPerSecond) {
    private static final int SMALLEST = 512;
    private static final int LARGEST = 8192;
    /** After a product that takes as long no larger one is tried. */
    private static final double LONG_MILLISECONDS = 60;

    private static final double WARM_SECONDS = 1;

    /**
     * The product of two square matrices.
     *
     * @param size their rows
     */
    public record Product(int size, double flopsPerSecond) {}

    /** Measures; takes some seconds, and up to a gigabyte that is free again afterwards. */
    public static MachinePeaks measure(Device device) {
        // Until the products are compiled, where Java does them.
        Stopwatch.repeat(() -> DevicePeaks.product(device, SMALLEST), WARM_SECONDS, 1);
        List<Product> products = new ArrayList<>();
        double milliseconds = 0;
        for (int size = SMALLEST; size <= LARGEST && milliseconds < LONG_MILLISECONDS; size *= 2) {
            milliseconds = DevicePeaks.product(device, size);
            products.add(new Product(size, 2.0 * size * size * size / milliseconds * 1e3));
        }
        double read = device instanceof CpuDevice ? HostMemory.bestReadRate() : DevicePeaks.readRate(device);
        return new MachinePeaks(List.copyOf(products), read, DevicePeaks.copyRate(device));
    }

    /** The fastest product. */
    public Product bestProduct() {
        return products.stream()
                .max(Comparator.comparingDouble(Product::flopsPerSecond))
                .orElseThrow();
    }

    /** The fastest product and the faster of reading and copying. */
    public DevicePeaks roof() {
        return new DevicePeaks(
                Math.max(readBytesPerSecond, copyBytesPerSecond), bestProduct().flopsPerSecond());
    }

    /** Whether an operation has so much arithmetic for its bytes that products bound it, not memory. */
    public boolean boundByProducts(OperationCost cost) {
        DevicePeaks roof = roof();
        return cost.flops() / roof.flopsPerSecond() > cost.bytes() / roof.bytesPerSecond();
    }
}
