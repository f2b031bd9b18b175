package dev.belay.gguf;

import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/**
 * How GGUF packs numbers: in blocks of a row, each with scales of its own. The layouts are those of ggml; q is a number of a few bits,
 * d and m are float16.
 */
enum BlockType {
    F32(0, 1, 4) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            out[to] = block.get(FLOAT, at);
        }
    },
    F16(1, 1, 2) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            out[to] = half(block, at);
        }
    },
    /** q − 8 times d; the low halves of the bytes are the first 16 numbers. */
    Q4_0(2, 32, 18) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            for (int j = 0; j < 16; j++) {
                int q = byteAt(block, at + 2 + j);
                out[to + j] = ((q & 0xF) - 8) * d;
                out[to + j + 16] = ((q >> 4) - 8) * d;
            }
        }
    },
    /** q times d, plus m. */
    Q4_1(3, 32, 20) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            float m = half(block, at + 2);
            for (int j = 0; j < 16; j++) {
                int q = byteAt(block, at + 4 + j);
                out[to + j] = (q & 0xF) * d + m;
                out[to + j + 16] = (q >> 4) * d + m;
            }
        }
    },
    /** As Q4_0 with a fifth bit, and 16 in place of 8. */
    Q5_0(6, 32, 22) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            int high = block.get(INT, at + 2);
            for (int j = 0; j < 16; j++) {
                int q = byteAt(block, at + 6 + j);
                out[to + j] = ((q & 0xF | fifth(high, j)) - 16) * d;
                out[to + j + 16] = ((q >> 4 | fifth(high, j + 16)) - 16) * d;
            }
        }
    },
    /** As Q4_1 with a fifth bit. */
    Q5_1(7, 32, 24) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            float m = half(block, at + 2);
            int high = block.get(INT, at + 4);
            for (int j = 0; j < 16; j++) {
                int q = byteAt(block, at + 8 + j);
                out[to + j] = (q & 0xF | fifth(high, j)) * d + m;
                out[to + j + 16] = (q >> 4 | fifth(high, j + 16)) * d + m;
            }
        }
    },
    /** A signed byte times d. */
    Q8_0(8, 32, 34) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            for (int j = 0; j < 32; j++) {
                out[to + j] = block.get(ValueLayout.JAVA_BYTE, at + 2 + j) * d;
            }
        }
    },
    /** Eight groups of 32, each with a scale and a minimum of six bits. */
    Q4_K(12, 256, 144) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            float least = half(block, at + 2);
            for (int group = 0; group < 8; group++) {
                float scale = d * scale(block, at + 4, group);
                float minimum = least * minimum(block, at + 4, group);
                for (int l = 0; l < 32; l++) {
                    int q = byteAt(block, at + 16 + 32 * (group / 2) + l) >> 4 * (group % 2) & 0xF;
                    out[to + 32 * group + l] = scale * q - minimum;
                }
            }
        }
    },
    /** As Q4_K, with the fifth bits of all groups before. */
    Q5_K(13, 256, 176) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at);
            float least = half(block, at + 2);
            for (int group = 0; group < 8; group++) {
                float scale = d * scale(block, at + 4, group);
                float minimum = least * minimum(block, at + 4, group);
                for (int l = 0; l < 32; l++) {
                    int low = byteAt(block, at + 48 + 32 * (group / 2) + l) >> 4 * (group % 2) & 0xF;
                    int q = low + ((byteAt(block, at + 16 + l) >> group & 1) << 4);
                    out[to + 32 * group + l] = scale * q - minimum;
                }
            }
        }
    },
    /** Sixteen groups of 16 with a signed byte for a scale; four low bits, two high bits, less 32. */
    Q6_K(14, 256, 210) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            float d = half(block, at + 208);
            for (int i = 0; i < 256; i++) {
                int part = i / 128;
                int quarter = i % 128 / 32;
                int l = i % 32;
                int low = byteAt(block, at + 64 * part + 32 * (quarter % 2) + l) >> 4 * (quarter / 2) & 0xF;
                int high = byteAt(block, at + 128 + 32 * part + l) >> 2 * quarter & 3;
                float scale = d * block.get(ValueLayout.JAVA_BYTE, at + 192 + i / 16);
                out[to + i] = scale * ((low | high << 4) - 32);
            }
        }
    },
    BF16(30, 1, 2) {
        @Override
        void unpack(MemorySegment block, long at, float[] out, int to) {
            out[to] = TensorValues.bfloat16ToFloat(block.get(SHORT, at));
        }
    };

    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int id;
    private final int elements;
    private final int bytes;

    BlockType(int id, int elements, int bytes) {
        this.id = id;
        this.elements = elements;
        this.bytes = bytes;
    }

    /** Unpacks the block at byte {@code at} to {@code out[to]} and after. */
    abstract void unpack(MemorySegment block, long at, float[] out, int to);

    /** The type of a number in the file. */
    static Optional<BlockType> of(int id) {
        return Arrays.stream(values()).filter(type -> type.id == id).findFirst();
    }

    /** Numbers in a block. */
    int elements() {
        return elements;
    }

    /** Bytes of a block. */
    int bytes() {
        return bytes;
    }

    /** Bytes of so many numbers, whole blocks. */
    long bytes(long count) {
        return count / elements * bytes;
    }

    private static float half(MemorySegment block, long at) {
        return Float.float16ToFloat(block.get(SHORT, at));
    }

    private static int byteAt(MemorySegment block, long at) {
        return block.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
    }

    private static int fifth(int high, int j) {
        return (high >>> j & 1) << 4;
    }

    /** Six bits of scale: of the first four groups one byte's low six, of the others four low bits and the two high bits of the former. */
    private static int scale(MemorySegment block, long at, int group) {
        return group < 4
                ? byteAt(block, at + group) & 63
                : byteAt(block, at + group + 4) & 0xF | byteAt(block, at + group - 4) >> 6 << 4;
    }

    private static int minimum(MemorySegment block, long at, int group) {
        return group < 4
                ? byteAt(block, at + group + 4) & 63
                : byteAt(block, at + group + 4) >> 4 | byteAt(block, at + group) >> 6 << 4;
    }
}
