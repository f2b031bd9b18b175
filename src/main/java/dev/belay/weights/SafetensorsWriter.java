package dev.belay.weights;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.JsonText;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a safetensors file as a stream: all tensors are declared first, then their data arrives in any order, whole or in
 * parts, and nothing larger than a part is held in memory.
 *
 * <pre>{@code
 * try (SafetensorsWriter out = SafetensorsWriter.to(path).tensor("weight", F32, hidden).open()) {
 *     out.write("weight", values);
 * }
 * }</pre>
 *
 * <p>In the file the tensors with wider elements come first and each header ends at a multiple of 8 bytes, so that every
 * tensor is aligned to its elements; apart from that the declared order is kept.
 */
public final class SafetensorsWriter implements AutoCloseable {
    private static final int CHUNK_BYTES = 1 << 20;

    private final OutputFile out;
    private final Map<String, TensorInfo> tensors;
    private final Map<String, Long> written = new LinkedHashMap<>();
    private boolean failed;
    private boolean closed;

    private SafetensorsWriter(OutputFile out, Map<String, TensorInfo> tensors) {
        this.out = out;
        this.tensors = tensors;
        tensors.keySet().forEach(name -> written.put(name, 0L));
    }

    /** Begins the declaration of a file. */
    public static Declaration to(Path target) {
        return new Declaration(target);
    }

    /** Writes the next elements of a tensor: their bytes, in its own type, little-endian. */
    public void write(String name, MemorySegment data) {
        TensorInfo tensor = declared(name);
        if (data.byteSize() % tensor.type().bytes() != 0) {
            throw new IllegalArgumentException(data.byteSize() + " bytes are no whole elements of " + tensor);
        }
        append(tensor, data);
    }

    /** Writes the next elements of an F64, F32, F16 or BF16 tensor, rounded to nearest. */
    public void write(String name, float[] data) {
        TensorType type = declared(name).type();
        writeChunks(name, data.length, (chunk, i, source) -> TensorValues.putFloat(chunk, type, i, data[source]));
    }

    /** Writes the next elements of an F64 tensor. */
    public void write(String name, double[] data) {
        if (declared(name).type() != TensorType.F64) {
            throw new IllegalArgumentException(declared(name) + " is not F64");
        }
        writeChunks(name, data.length, (chunk, i, source) -> chunk.set(TensorValues.F64, 8L * i, data[source]));
    }

    /** Writes the next elements of an I64 or I32 tensor. */
    public void write(String name, int[] data) {
        TensorType type = declared(name).type();
        writeChunks(name, data.length, (chunk, i, source) -> TensorValues.putLong(chunk, type, i, data[source]));
    }

    /**
     * Writes the next elements of an I64 or I32 tensor.
     *
     * @throws ArithmeticException if an element does not fit into I32
     */
    public void write(String name, long[] data) {
        TensorType type = declared(name).type();
        writeChunks(name, data.length, (chunk, i, source) -> TensorValues.putLong(chunk, type, i, data[source]));
    }

    /** Stores element {@code source} of an array as element {@code i} of {@code chunk}. */
    private interface Encoder {
        void put(MemorySegment chunk, int i, int source);
    }

    private void writeChunks(String name, int length, Encoder encoder) {
        TensorInfo tensor = declared(name);
        int width = tensor.type().bytes();
        int step = Math.min(length, CHUNK_BYTES / width);
        MemorySegment chunk = MemorySegment.ofArray(new byte[step * width]);
        for (int start = 0; start < length; start += step) {
            int count = Math.min(step, length - start);
            for (int i = 0; i < count; i++) {
                encoder.put(chunk, i, start + i);
            }
            append(tensor, chunk.asSlice(0, (long) count * width));
        }
    }

    private TensorInfo declared(String name) {
        TensorInfo tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("tensor " + Quoted.of(name) + " was not declared for " + out.target());
        }
        return tensor;
    }

    private void append(TensorInfo tensor, MemorySegment data) {
        long done = written.get(tensor.name());
        if (data.byteSize() > tensor.bytes() - done) {
            failed = true;
            throw new IllegalArgumentException("more data than " + tensor + " takes");
        }
        writeAt(tensor.offset() + done, data);
        written.put(tensor.name(), done + data.byteSize());
    }

    private void writeAt(long position, MemorySegment data) {
        try {
            for (long from = 0; from < data.byteSize(); from += CHUNK_BYTES) {
                ByteBuffer part = data.asSlice(from, Math.min(CHUNK_BYTES, data.byteSize() - from))
                        .asByteBuffer();
                long at = position + from;
                while (part.hasRemaining()) {
                    at += out.channel().write(part, at);
                }
            }
        } catch (IOException e) {
            // What is left of it could not be read.
            abandon();
            throw out.failure(e);
        }
    }

    /**
     * Leaves a file that is complete under its partial name; {@link #close} does nothing then. Says where it is, for the end of an error.
     */
    public String leave() {
        closed = true;
        return out.leave();
    }

    /** Removes what was written; {@link #close} does nothing then. */
    public void abandon() {
        closed = true;
        out.discard();
    }

    /**
     * Gives the file its own name if it is complete.
     *
     * @throws BelayException if a tensor lacks data, naming it; not after a write that failed, which said so itself
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try (out) {
            if (failed) {
                return;
            }
            for (TensorInfo tensor : tensors.values()) {
                if (written.get(tensor.name()) != tensor.bytes()) {
                    throw new BelayException("cannot complete " + out.target() + ": only " + written.get(tensor.name())
                            + " of " + tensor.bytes() + " bytes of tensor " + Quoted.of(tensor.name())
                            + " were written");
                }
            }
            out.commit();
        }
    }

    /** What a file will hold. */
    public static final class Declaration {
        private final Path target;
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        private final Map<String, float[]> floats = new LinkedHashMap<>();
        private final Map<String, long[]> longs = new LinkedHashMap<>();

        private Declaration(Path target) {
            this.target = target;
        }

        /** Adds entries to the file's metadata. */
        public Declaration metadata(Map<String, String> entries) {
            metadata.putAll(entries);
            return this;
        }

        /** Declares a tensor whose data will be written later. */
        public Declaration tensor(String name, TensorType type, long... shape) {
            if (name.equals(SafetensorsHeader.METADATA)) {
                throw new IllegalArgumentException(name + " cannot be the name of a tensor");
            }
            TensorInfo tensor = new TensorInfo(name, type, shape, 0, SafetensorsHeader.byteSize(type, shape));
            if (tensors.putIfAbsent(name, tensor) != null) {
                throw new IllegalArgumentException("tensor " + Quoted.of(name) + " is declared twice");
            }
            return this;
        }

        /** Declares an F32 tensor with its data, for {@link #save()}. */
        public Declaration floats(String name, float[] data, long... shape) {
            floats.put(name, data);
            return tensor(name, TensorType.F32, shape);
        }

        /** Declares an I64 tensor with its data, for {@link #save()}. */
        public Declaration longs(String name, long[] data, long... shape) {
            longs.put(name, data);
            return tensor(name, TensorType.I64, shape);
        }

        /**
         * Creates the file and writes its header.
         *
         * @throws BelayException if the file cannot be written
         */
        public SafetensorsWriter open() {
            List<TensorInfo> order = new ArrayList<>(tensors.values());
            order.sort(
                    Comparator.comparingInt((TensorInfo t) -> t.type().bytes()).reversed());
            byte[] header = header(order);
            Map<String, TensorInfo> placed = new LinkedHashMap<>();
            long offset = header.length;
            for (TensorInfo t : order) {
                placed.put(t.name(), new TensorInfo(t.name(), t.type(), t.shape(), offset, t.bytes()));
                offset = Math.addExact(offset, t.bytes());
            }
            SafetensorsWriter writer = new SafetensorsWriter(OutputFile.create(target), placed);
            boolean opened = false;
            try {
                writer.writeAt(0, MemorySegment.ofArray(header));
                opened = true;
                return writer;
            } finally {
                if (!opened) {
                    writer.close();
                }
            }
        }

        /**
         * Writes a file whose tensors were all declared with their data.
         *
         * @throws BelayException if the file cannot be written or a tensor came without data
         */
        public void save() {
            try (SafetensorsWriter writer = open()) {
                floats.forEach(writer::write);
                longs.forEach(writer::write);
            }
        }

        /** Length and JSON, padded with spaces to a multiple of 8 bytes. */
        private byte[] header(List<TensorInfo> order) {
            ObjectNode json = SafetensorsHeader.STRICT_JSON.createObjectNode();
            if (!metadata.isEmpty()) {
                ObjectNode entries = json.putObject(SafetensorsHeader.METADATA);
                metadata.forEach(entries::put);
            }
            long begin = 0;
            for (TensorInfo t : order) {
                long end = Math.addExact(begin, t.bytes());
                ObjectNode entry =
                        json.putObject(t.name()).put("dtype", t.type().name());
                Arrays.stream(t.shape()).forEach(entry.putArray("shape")::add);
                entry.putArray("data_offsets").add(begin).add(end);
                begin = end;
            }
            byte[] text = JsonText.encodable(json.toString()).getBytes(StandardCharsets.UTF_8);
            int padded = Math.ceilDiv(text.length, 8) * 8;
            byte[] header = new byte[SafetensorsHeader.LENGTH_BYTES + padded];
            Arrays.fill(header, (byte) ' ');
            ByteBuffer.wrap(header)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(padded)
                    .put(text);
            return header;
        }
    }
}
