package dev.belay.weights;

import dev.belay.BelayException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.SequencedSet;

/** Tensors by name: one safetensors file, or a whole model folder. Segments are valid until the source is closed. */
public interface TensorSource extends AutoCloseable {
    /** The file or folder, for error messages. */
    Path path();

    /** The names of the tensors, in the order of the files. */
    SequencedSet<String> names();

    /** The tensor of that name, if there is one. */
    Optional<TensorInfo> find(String name);

    /**
     * The data of a tensor: a read-only view of the file, as many bytes as {@link TensorInfo#bytes()}, little-endian, not
     * necessarily aligned to its element size.
     *
     * @throws BelayException if there is no such tensor
     */
    MemorySegment segment(String name);

    @Override
    void close();

    /** True if there is a tensor of that name. */
    default boolean has(String name) {
        return find(name).isPresent();
    }

    /**
     * The tensor of that name.
     *
     * @throws BelayException if there is no such tensor
     */
    default TensorInfo tensor(String name) {
        return find(name)
                .orElseThrow(() -> new BelayException(path() + ": has no tensor " + Quoted.of(name) + " (of its "
                        + names().size() + " tensors); is this the right file?"));
    }

    /**
     * The tensor of that name, which must have that shape.
     *
     * @throws BelayException if there is no such tensor, or with the expected and the actual shape
     */
    default TensorInfo require(String name, long... shape) {
        TensorInfo tensor = tensor(name);
        if (!tensor.hasShape(shape)) {
            throw new BelayException(path() + ": tensor " + Quoted.of(name) + " has shape "
                    + Arrays.toString(tensor.shape()) + " but " + Arrays.toString(shape) + " is expected");
        }
        return tensor;
    }

    /**
     * A copy of a floating-point tensor as float32, row-major.
     *
     * @throws BelayException if there is no such tensor, if it holds integers, or if it does not fit into one array
     */
    default float[] floats(String name) {
        TensorInfo tensor = tensor(name);
        if (!tensor.type().isFloating()) {
            throw new BelayException(path() + ": tensor " + Quoted.of(name) + " has type " + tensor.type()
                    + " but floating-point numbers are expected");
        }
        checkFitsArray(tensor);
        return TensorValues.floats(segment(name), tensor.type());
    }

    /**
     * A copy of an I64 or I32 tensor, row-major.
     *
     * @throws BelayException if there is no such tensor, if it has another type, or if it does not fit into one array
     */
    default long[] longs(String name) {
        TensorInfo tensor = tensor(name);
        if (tensor.type() != TensorType.I64 && tensor.type() != TensorType.I32) {
            throw new BelayException(path() + ": tensor " + Quoted.of(name) + " has type " + tensor.type()
                    + " but I64 or I32 is expected");
        }
        checkFitsArray(tensor);
        return TensorValues.longs(segment(name), tensor.type());
    }

    private void checkFitsArray(TensorInfo tensor) {
        if (tensor.elements() > Integer.MAX_VALUE - 8) {
            throw new BelayException(path() + ": tensor " + Quoted.of(tensor.name()) + " has " + tensor.elements()
                    + " elements, more than one array can hold; read its segment in parts");
        }
    }
}
