package dev.belay.gguf;

import dev.belay.BelayException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Reads the header of a GGUF file. Every number in it is checked against the file's size before it is believed. */
final class GgufHeader {
    private static final int MAGIC = 0x46554747;
    private static final int DEFAULT_ALIGNMENT = 32;
    private static final int MOST_ALIGNMENT = 1 << 20;
    private static final int MOST_AXES = 4;
    /** A key, a type and a value, or a name, axes, a type and an offset, take at least so many bytes. */
    private static final int LEAST_ENTRY = 13;

    private static final int LONGEST_NAME = 200;
    private static final int LONGEST_TEXT = 1 << 24;
    /** Elements of all lists: tokens, their types, scores and merges of the largest vocabularies come to a tenth of it. */
    private static final int MOST_ELEMENTS = 1 << 24;

    private static final Pattern PRINTABLE = Pattern.compile("[\\x21-\\x7e]+");

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Path path;
    private final MemorySegment bytes;
    private long at;
    private long elements;

    GgufHeader(Path path, MemorySegment bytes) {
        this.path = path;
        this.bytes = bytes;
    }

    void read(Map<String, Object> metadata, Map<String, GgufTensor> tensors) {
        if (bytes.byteSize() < 24 || int32() != MAGIC) {
            throw new BelayException(path + " is not a GGUF file");
        }
        int version = int32();
        if (Integer.reverseBytes(version) == 2 || Integer.reverseBytes(version) == 3) {
            throw new BelayException(path + " is big-endian; convert it on the machine that it is for");
        }
        if (version != 2 && version != 3) {
            throw new BelayException(
                    path + " is of GGUF version " + version + "; 2 and 3 can be read, so make it anew");
        }
        long tensorCount = count("tensors");
        long entries = count("metadata entries");
        for (long i = 0; i < entries; i++) {
            String key = name("a metadata key");
            if (metadata.put(key, value(int32(), key, true)) != null) {
                throw failure("has the metadata key " + key + " twice");
            }
        }
        if (metadata.get("split.count") instanceof Long parts && parts > 1) {
            throw new BelayException(
                    path + " is one of " + parts + " parts of a model; join them first (llama-gguf-split --merge)");
        }
        record Entry(String name, BlockType type, long[] shape, long offset) {}
        List<Entry> declared = new ArrayList<>();
        for (long i = 0; i < tensorCount; i++) {
            String name = name("a tensor's name");
            long[] shape = shape(name);
            int id = int32();
            BlockType type = BlockType.of(id)
                    .orElseThrow(() -> new BelayException(path + ": tensor " + name + " is of type number " + id
                            + ", which is not supported: use F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K"
                            + " or Q6_K"));
            declared.add(new Entry(name, type, shape, int64()));
        }
        long alignment = metadata.get("general.alignment") instanceof Long given ? given : DEFAULT_ALIGNMENT;
        if (alignment < 1 || alignment > MOST_ALIGNMENT) {
            throw failure("has an alignment of " + alignment);
        }
        long data = (at + alignment - 1) / alignment * alignment;
        for (Entry entry : declared) {
            GgufTensor tensor = new GgufTensor(entry.name, entry.type, entry.shape, data + entry.offset);
            check(tensor, bytes.byteSize() - data, entry.offset);
            if (tensors.put(entry.name, tensor) != null) {
                throw failure("has the tensor " + entry.name + " twice");
            }
        }
    }

    /** Checks a tensor at {@code offset} of the {@code room} bytes that follow the header. */
    private void check(GgufTensor tensor, long room, long offset) {
        if (tensor.width() % tensor.type().elements() != 0) {
            throw failure("has the tensor " + tensor.name() + ", whose rows of " + tensor.width()
                    + " numbers are no whole " + tensor.type() + " blocks");
        }
        long size = tensor.type().bytes(tensor.elements());
        if (offset < 0 || offset > room - size) {
            throw failure("ends before its tensor " + tensor.name() + "; download it again");
        }
    }

    private long[] shape(String name) {
        int axes = int32();
        if (axes < 1 || axes > MOST_AXES) {
            throw failure("has the tensor " + name + " of " + axes + " axes");
        }
        long[] shape = new long[axes];
        long elements = 1;
        for (int i = axes - 1; i >= 0; i--) {
            shape[i] = int64();
            if (shape[i] < 1 || shape[i] > Integer.MAX_VALUE || elements > Long.MAX_VALUE / 8 / shape[i]) {
                throw failure("has the tensor " + name + " with an axis of " + shape[i]);
            }
            elements *= shape[i];
        }
        return shape;
    }

    /** A number of entries, of which none can take less than a few bytes. */
    private long count(String what) {
        long count = int64();
        if (count < 0 || count > bytes.byteSize() / LEAST_ENTRY) {
            throw failure("declares " + Long.toUnsignedString(count) + " " + what + ", more than it has room for");
        }
        return count;
    }

    private Object value(int type, String key, boolean listAllowed) {
        return switch (type) {
            case 0 -> (long) (int8() & 0xFF);
            case 1 -> (long) int8();
            case 2 -> (long) (int16() & 0xFFFF);
            case 3 -> (long) int16();
            case 4 -> int32() & 0xFFFFFFFFL;
            case 5 -> (long) int32();
            case 6 -> (double) Float.intBitsToFloat(int32());
            case 7 -> int8() != 0;
            case 8 -> string("the value of " + key);
            case 10, 11 -> int64();
            case 12 -> Double.longBitsToDouble(int64());
            case 9 -> {
                if (!listAllowed) {
                    throw failure("has a list of lists in " + key);
                }
                yield list(key);
            }
            default -> throw failure("has a value of type number " + type + " in " + key);
        };
    }

    private List<Object> list(String key) {
        int type = int32();
        long count = int64();
        int least = switch (type) {
            case 0, 1, 7 -> 1;
            case 2, 3 -> 2;
            case 4, 5, 6 -> 4;
            default -> 8;
        };
        if (count < 0 || count > (bytes.byteSize() - at) / least) {
            throw failure("declares a list of " + Long.toUnsignedString(count) + " in " + key
                    + ", more than it has room for");
        }
        elements += count;
        if (elements > MOST_ELEMENTS) {
            throw failure("has lists of more than " + MOST_ELEMENTS + " elements, up to " + key
                    + "; no vocabulary needs as many");
        }
        List<Object> list = new ArrayList<>((int) Math.min(count, 1 << 20));
        for (long i = 0; i < count; i++) {
            list.add(value(type, key, false));
        }
        return list;
    }

    /** A string that messages can show as it is. */
    private String name(String what) {
        String name = string(what);
        if (name.isEmpty()
                || name.length() > LONGEST_NAME
                || !PRINTABLE.matcher(name).matches()) {
            throw failure("has " + what + " that is no name; it is damaged, so download it again");
        }
        return name;
    }

    private String string(String what) {
        long length = int64();
        if (length > LONGEST_TEXT && length <= bytes.byteSize() - at) {
            throw failure("has " + length + " bytes for " + what + ", more than " + LONGEST_TEXT);
        }
        if (length < 0 || length > bytes.byteSize() - at) {
            throw failure(
                    "declares " + Long.toUnsignedString(length) + " bytes for " + what + ", more than it has room for");
        }
        byte[] text = bytes.asSlice(take(length), length).toArray(ValueLayout.JAVA_BYTE);
        return new String(text, StandardCharsets.UTF_8);
    }

    private byte int8() {
        return bytes.get(ValueLayout.JAVA_BYTE, take(1));
    }

    private short int16() {
        return bytes.get(SHORT, take(2));
    }

    private int int32() {
        return bytes.get(INT, take(4));
    }

    private long int64() {
        return bytes.get(LONG, take(8));
    }

    /** Moves over so many bytes and returns where they begin. */
    private long take(long count) {
        if (count > bytes.byteSize() - at) {
            throw failure("ends within its header; download it again");
        }
        long from = at;
        at += count;
        return from;
    }

    private BelayException failure(String what) {
        return new BelayException(path + " " + what);
    }
}
