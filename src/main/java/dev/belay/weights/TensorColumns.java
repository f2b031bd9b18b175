package dev.belay.weights;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/** Changes columns of a matrix in a safetensors file where they are; every other byte stays. */
public final class TensorColumns {
    private TensorColumns() {}

    /**
     * Multiplies columns of a matrix [rows, width] of F32, F16 or BF16 by a factor; with factor 0 they become zeros whatever they were.
     *
     * @param starts first column of each run
     * @param count columns of a run
     * @throws BelayException if the file cannot be read or written, or has no such matrix
     */
    public static void scale(Path file, String name, List<Integer> starts, int count, float factor) {
        TensorInfo tensor;
        try (SafetensorsFile source = SafetensorsFile.open(file)) {
            tensor = source.tensor(name);
        }
        long[] shape = tensor.shape();
        if (shape.length != 2) {
            throw new BelayException(file + ": " + tensor + " is no matrix");
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            MemorySegment data = channel.map(FileChannel.MapMode.READ_WRITE, tensor.offset(), tensor.bytes(), arena);
            for (long row = 0; row < shape[0]; row++) {
                for (int start : starts) {
                    scale(data, tensor.type(), row * shape[1] + start, count, factor);
                }
            }
            data.force();
        } catch (IOException e) {
            throw new BelayException("cannot change " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private static void scale(MemorySegment data, TensorType type, long first, int count, float factor) {
        if (factor == 0) {
            data.asSlice(first * type.bytes(), (long) count * type.bytes()).fill((byte) 0);
            return;
        }
        for (long i = first; i < first + count; i++) {
            TensorValues.putFloat(data, type, i, factor * TensorValues.floatAt(data, type, i));
        }
    }
}
