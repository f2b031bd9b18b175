package dev.belay.weights;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Writes a NumPy array file (version 1.0, C order, little-endian) as a stream: the shape is given first, then the elements arrive in
 * order, and nothing but a buffer is held in memory.
 *
 * <p>Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
public final class NpyWriter implements AutoCloseable {
    /** Where the data begins is a multiple of this. */
    private static final int ALIGNMENT = 64;

    private static final int CHUNK_BYTES = 1 << 16;

    private final OutputFile out;
    private final TensorType type;
    private final long[] shape;
    private final ByteBuffer buffer = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private long missing;

    /**
     * Creates the file and writes its header.
     *
     * @param type F64, F32, I64 or I32
     * @throws BelayException if the file cannot be written
     */
    public NpyWriter(Path target, TensorType type, long... shape) {
        this.type = type;
        this.shape = shape.clone();
        missing = Arrays.stream(shape).reduce(1, Math::multiplyExact);
        byte[] header = header();
        out = OutputFile.create(target);
        buffer.put(header);
    }

    private byte[] header() {
        String descr = switch (type) {
            case F64 -> "<f8";
            case F32 -> "<f4";
            case I64 -> "<i8";
            case I32 -> "<i4";
            default -> throw new IllegalArgumentException("no NumPy file of " + type);
        };
        String axes = Arrays.stream(shape).mapToObj(n -> n + ",").collect(Collectors.joining(" "));
        String tuple = shape.length == 1 ? axes : axes.substring(0, axes.length() - 1);
        String text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" + tuple + "), }";
        int lead = 10;
        int whole = Math.ceilDiv(lead + text.length() + 1, ALIGNMENT) * ALIGNMENT;
        ByteBuffer header = ByteBuffer.allocate(whole).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.fill(header.array(), (byte) ' ');
        header.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
        header.put((byte) 1).put((byte) 0).putShort((short) (whole - lead));
        header.put(text.getBytes(StandardCharsets.US_ASCII));
        header.put(whole - 1, (byte) '\n');
        return header.array();
    }

    /** Appends an element of a floating-point array. */
    public void put(double value) {
        room();
        if (type == TensorType.F64) {
            buffer.putDouble(value);
        } else if (type == TensorType.F32) {
            buffer.putFloat((float) value);
        } else {
            throw new IllegalArgumentException("a number with a fraction for " + type);
        }
    }

    /**
     * Appends an element of an array of integers.
     *
     * @throws ArithmeticException if it does not fit
     */
    public void put(long value) {
        room();
        if (type == TensorType.I64) {
            buffer.putLong(value);
        } else if (type == TensorType.I32) {
            buffer.putInt(Math.toIntExact(value));
        } else {
            throw new IllegalArgumentException("an integer for " + type);
        }
    }

    private void room() {
        take(1);
        if (buffer.remaining() < Long.BYTES) {
            flush();
        }
    }

    private void take(long elements) {
        missing -= elements;
        if (missing < 0) {
            throw new IllegalArgumentException("more elements than " + out.target() + " was declared for");
        }
    }

    /** Appends elements as their bytes, little-endian. */
    public void put(MemorySegment data) {
        take(data.byteSize() / type.bytes());
        flush();
        for (long from = 0; from < data.byteSize(); from += CHUNK_BYTES) {
            write(data.asSlice(from, Math.min(CHUNK_BYTES, data.byteSize() - from))
                    .asByteBuffer());
        }
    }

    private void flush() {
        write(buffer.flip());
        buffer.clear();
    }

    private void write(ByteBuffer bytes) {
        try {
            while (bytes.hasRemaining()) {
                out.channel().write(bytes);
            }
        } catch (IOException e) {
            throw out.failure(e);
        }
    }

    /** Gives the file, which must have all of its elements, its own name. */
    public void commit() {
        if (missing != 0) {
            throw new IllegalStateException(out.target() + " lacks " + missing + " elements");
        }
        flush();
        out.commit();
    }

    /** Closes the file; what was not committed is removed. */
    @Override
    public void close() {
        out.discard();
    }
}
