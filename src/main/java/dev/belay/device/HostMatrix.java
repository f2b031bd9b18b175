package dev.belay.device;

import dev.belay.weights.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;

/**
 * A row-major matrix in host memory (usually a mapped file) that a device copies from.
 *
 * @param name tensor name
 * @param type element type; F32, F16 or BF16
 * @param data rows × columns elements, little endian
 */
public record HostMatrix(String name, TensorType type, MemorySegment data, int rows, int columns) {
    /** The element types that devices copy from. */
    public static final Set<TensorType> TYPES =
            Collections.unmodifiableSet(EnumSet.of(TensorType.F32, TensorType.F16, TensorType.BF16));

    public HostMatrix {
        long expected = (long) rows * columns * type.bytes();
        if (data.byteSize() != expected) {
            throw new DeviceException("matrix " + name + " [" + rows + ", " + columns + "] needs " + expected
                    + " bytes, got " + data.byteSize());
        }
        if (!TYPES.contains(type)) {
            throw new DeviceException("matrix " + name + " is " + type + ": weights must be F32, F16 or BF16");
        }
    }
}
