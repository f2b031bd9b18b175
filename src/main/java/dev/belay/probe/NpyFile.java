package dev.belay.probe;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A NumPy array file with the numbers of a vector: little-endian float16, 32 or 64. Of several axes all but one must have length 1, so
 * that the order of the numbers, C or Fortran, does not matter.
 */
final class NpyFile {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    /** Version 1 has two bytes for the length of its header, 2 and 3 have four. */
    private static final int LAST_VERSION = 3;

    private static final int MOST_HEADER = 1 << 16;
    private static final int MOST_ELEMENTS = 1 << 24;
    private static final Pattern DESCR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
    private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([\\d\\s,]*)\\)");
    private static final Map<String, TensorType> TYPES =
            Map.of("<f2", TensorType.F16, "<f4", TensorType.F32, "<f8", TensorType.F64);

    private NpyFile() {}

    /**
     * Reads a vector.
     *
     * @throws BelayException if the file is no such array
     */
    static float[] vector(Path path) {
        try (FileChannel channel = FileChannel.open(path)) {
            ByteBuffer start = read(channel, 0, 12);
            int version = start.get(MAGIC.length);
            if (!Arrays.equals(Arrays.copyOf(start.array(), MAGIC.length), MAGIC)
                    || version < 1
                    || version > LAST_VERSION) {
                throw failure(path, "is no NumPy array file of version 1 to " + LAST_VERSION);
            }
            int lengthAt = MAGIC.length + 2;
            long length = version == 1 ? start.getShort(lengthAt) & 0xffff : start.getInt(lengthAt) & 0xffffffffL;
            int headerAt = lengthAt + (version == 1 ? 2 : 4);
            if (length > MOST_HEADER) {
                throw failure(path, "has a header of " + length + " bytes");
            }
            String header = new String(read(channel, headerAt, (int) length).array(), StandardCharsets.ISO_8859_1);
            TensorType type = type(path, header);
            int elements = elements(path, header);
            long dataAt = headerAt + length;
            if (channel.size() - dataAt != (long) elements * type.bytes()) {
                throw failure(
                        path,
                        "has " + (channel.size() - dataAt) + " bytes of numbers where " + elements + " of "
                                + type.bytes() + " bytes are declared; is it whole?");
            }
            MemorySegment data = MemorySegment.ofArray(
                    read(channel, dataAt, elements * type.bytes()).array());
            return TensorValues.floats(data, type);
        } catch (IOException e) {
            throw new BelayException("cannot read " + path + ": " + OutputFile.reason(e), e);
        }
    }

    private static ByteBuffer read(FileChannel channel, long position, int count) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining() && channel.read(buffer, position + buffer.position()) >= 0) {}
        return buffer;
    }

    private static TensorType type(Path path, String header) {
        Matcher matcher = DESCR.matcher(header);
        String descr = matcher.find() ? matcher.group(1) : "nothing";
        TensorType type = TYPES.get(descr);
        if (type == null) {
            throw failure(path, "holds " + descr + "; save it as little-endian float32");
        }
        return type;
    }

    private static int elements(Path path, String header) {
        Matcher matcher = SHAPE.matcher(header);
        String shape = matcher.find() ? matcher.group(1) : "";
        long elements = 1;
        int wide = 0;
        for (String part : shape.split(",")) {
            if (!part.isBlank()) {
                long size = part.strip().matches("\\d{1,9}") ? Long.parseLong(part.strip()) : Long.MAX_VALUE;
                wide += size == 1 ? 0 : 1;
                elements = size > MOST_ELEMENTS ? MOST_ELEMENTS + 1L : elements * size;
            }
        }
        if (wide > 1 || elements == 0 || elements > MOST_ELEMENTS) {
            String advice = shape.matches("\\s*2\\s*,\\s*\\d+\\s*") ? ProbeImport.TWO_CLASSES : "";
            throw failure(path, "has shape (" + shape.strip() + "), which is no vector" + advice);
        }
        return (int) elements;
    }

    private static BelayException failure(Path path, String what) {
        return new BelayException(path + " " + what);
    }
}
