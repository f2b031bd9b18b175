package dev.belay.weights;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.LongStream;

/** Between the bytes of tensors and Java arrays. */
public final class TensorValues {
    static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int BF16_QUIET = 0x40;

    private TensorValues() {}

    /**
     * The elements of {@code data} as float32: F32, F16 and BF16 exactly, F64 rounded to nearest.
     *
     * @throws ArithmeticException if there are more elements than an array can hold
     */
    public static float[] floats(MemorySegment data, TensorType type) {
        float[] values = new float[count(data, type)];
        switch (type) {
            case F32 -> MemorySegment.copy(data, F32, 0, values, 0, values.length);
            case F64 -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) data.get(F64, 8L * i);
                }
            }
            case F16 -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = Float.float16ToFloat(data.get(I16, 2L * i));
                }
            }
            case BF16 -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = bfloat16ToFloat(data.get(I16, 2L * i));
                }
            }
            default -> throw new IllegalArgumentException(type + " is not a floating-point type");
        }
        return values;
    }

    /**
     * The elements of {@code data}, which are I64 or I32.
     *
     * @throws ArithmeticException if there are more elements than an array can hold
     */
    public static long[] longs(MemorySegment data, TensorType type) {
        long[] values = new long[count(data, type)];
        switch (type) {
            case I64 -> MemorySegment.copy(data, I64, 0, values, 0, values.length);
            case I32 -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = data.get(I32, 4L * i);
                }
            }
            default -> throw new IllegalArgumentException(type + " is neither I64 nor I32");
        }
        return values;
    }

    /** Element {@code index} of {@code data}, which is F32, F16 or BF16, as float32. */
    public static float floatAt(MemorySegment data, TensorType type, long index) {
        return switch (type) {
            case F32 -> data.get(F32, 4 * index);
            case F16 -> Float.float16ToFloat(data.get(I16, 2 * index));
            case BF16 -> bfloat16ToFloat(data.get(I16, 2 * index));
            default -> throw new IllegalArgumentException(type + " is not a type of weights");
        };
    }

    /** The float32 whose upper half is {@code bits}. */
    public static float bfloat16ToFloat(short bits) {
        return Float.intBitsToFloat(bits << 16);
    }

    /** Whether {@code data}, which is F32, F16 or BF16, has an element that is no bfloat16; reads as far as the first. */
    static boolean roundsToBfloat16(MemorySegment data, TensorType type) {
        return type != TensorType.BF16
                && LongStream.range(0, data.byteSize() / type.bytes()).anyMatch(i -> {
                    float value = floatAt(data, type, i);
                    return bfloat16ToFloat(floatToBfloat16(value)) != value;
                });
    }

    /** The bfloat16 nearest to {@code value}, ties to even; a NaN stays a NaN. */
    public static short floatToBfloat16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return (short) ((bits >>> 16) | BF16_QUIET);
        }
        return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
    }

    /** Stores {@code value} as element {@code index} of {@code data}, rounded to nearest. */
    static void putFloat(MemorySegment data, TensorType type, long index, float value) {
        switch (type) {
            case F64 -> data.set(F64, 8 * index, value);
            case F32 -> data.set(F32, 4 * index, value);
            case F16 -> data.set(I16, 2 * index, Float.floatToFloat16(value));
            case BF16 -> data.set(I16, 2 * index, floatToBfloat16(value));
            default -> throw new IllegalArgumentException(type + " is not a floating-point type");
        }
    }

    /** Stores {@code value} as element {@code index} of {@code data}, which is I64 or I32. */
    static void putLong(MemorySegment data, TensorType type, long index, long value) {
        switch (type) {
            case I64 -> data.set(I64, 8 * index, value);
            case I32 -> data.set(I32, 4 * index, Math.toIntExact(value));
            default -> throw new IllegalArgumentException(type + " is neither I64 nor I32");
        }
    }

    private static int count(MemorySegment data, TensorType type) {
        return Math.toIntExact(data.byteSize() / type.bytes());
    }
}
