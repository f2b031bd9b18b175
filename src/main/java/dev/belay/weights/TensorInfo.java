package dev.belay.weights;

import java.util.Arrays;

/**
 * One tensor of a file, as its header declares it.
 *
 * @param name the tensor's name in the file
 * @param type the type of its elements
 * @param shape its dimensions, row-major; empty for a scalar
 * @param offset where its data begins, in bytes from the beginning of the file
 * @param bytes how many bytes its data takes
 */
public record TensorInfo(String name, TensorType type, long[] shape, long offset, long bytes) {
    public TensorInfo {
        shape = shape.clone();
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    /** The number of elements: the product of the shape, 1 for a scalar. */
    public long elements() {
        return bytes / type.bytes();
    }

    /** True if the dimensions are exactly {@code expected}. */
    public boolean hasShape(long... expected) {
        return Arrays.equals(shape, expected);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TensorInfo that
                && name.equals(that.name)
                && type == that.type
                && Arrays.equals(shape, that.shape)
                && offset == that.offset
                && bytes == that.bytes;
    }

    @Override
    public int hashCode() {
        return 31 * name.hashCode() + Long.hashCode(offset);
    }

    /** For example {@code model.norm.weight BF16 [256]}. */
    @Override
    public String toString() {
        return name + " " + type + " " + Arrays.toString(shape);
    }
}
