package dev.belay.device.cpu;

import dev.belay.device.AttentionShape;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.HostMatrix;
import dev.belay.device.KeyValues;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Inputs for the operations of a device, and the way in and out of its buffers. */
public final class OpData {
    /** What output buffers hold before an operation: an element that was not written shows. */
    private static final int GUARD = 19;

    private OpData() {}

    /** Numbers of the order of 1. */
    public static float[] normal(long seed, int count) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    /** The same with one feature a hundred times as large, as residual streams have, and some elements zero. */
    public static float[] outliers(long seed, int tokens, int width) {
        float[] values = normal(seed, tokens * width);
        for (int t = 0; t < tokens; t++) {
            values[t * width + (width - 1) / 2] *= 100;
            values[t * width + (t * 7) % width] = 0;
        }
        return values;
    }

    static CpuBuffer upload(CpuDevice device, String name, float[] values) {
        CpuBuffer buffer = device.allocate(name, values.length);
        buffer.write(0, values, 0, values.length);
        return buffer;
    }

    /** Keys and values of slots, both [slots, width], in the device's layout. */
    static KeyValues keyValues(CpuDevice device, float[] keys, float[] values, AttentionShape shape, boolean rounded) {
        KeyValues cache = device.keyValues("cache", values.length / shape.kvWidth(), shape.kvWidth(), rounded);
        CacheLayout layout = CacheLayout.of(cache, shape);
        float[] laidOutKeys = new float[(int) cache.keys().elements()];
        float[] laidOutValues = new float[values.length];
        Arrays.fill(laidOutKeys, Float.NaN);
        Arrays.fill(laidOutValues, Float.NaN);
        for (int i = 0; i < keys.length; i++) {
            laidOutKeys[key(layout, shape, i)] = keys[i];
            laidOutValues[value(layout, shape, i)] = values[i];
        }
        cache.keys().write(0, laidOutKeys, 0, laidOutKeys.length);
        cache.values().write(0, laidOutValues, 0, laidOutValues.length);
        return cache;
    }

    private static int key(CacheLayout layout, AttentionShape shape, int i) {
        int c = i % shape.kvWidth();
        long first = layout.key(c / shape.headSize(), i / shape.kvWidth());
        return (int) first + c % shape.headSize() * RowTask.LANES;
    }

    private static int value(CacheLayout layout, AttentionShape shape, int i) {
        int c = i % shape.kvWidth();
        return (int) layout.value(c / shape.headSize(), i / shape.kvWidth()) + c % shape.headSize();
    }

    /** The keys of {@code slots} tokens, [slots, width], out of the device's layout. */
    static float[] keys(KeyValues cache, int slots, AttentionShape shape) {
        float[] laidOut = read(cache.keys(), 0, (int) cache.keys().elements());
        float[] keys = new float[slots * shape.kvWidth()];
        for (int i = 0; i < keys.length; i++) {
            keys[i] = laidOut[key(CacheLayout.of(cache, shape), shape, i)];
        }
        return keys;
    }

    /** The values of {@code slots} tokens, [slots, width], out of the device's layout. */
    static float[] values(KeyValues cache, int slots, AttentionShape shape) {
        float[] laidOut = read(cache.values(), 0, (int) cache.values().elements());
        float[] values = new float[slots * shape.kvWidth()];
        for (int i = 0; i < values.length; i++) {
            values[i] = laidOut[value(CacheLayout.of(cache, shape), shape, i)];
        }
        return values;
    }

    /** A buffer of NaN with a guard behind the {@code elements} that an operation may write. */
    static CpuBuffer output(CpuDevice device, long elements) {
        float[] values = new float[(int) elements + GUARD];
        Arrays.fill(values, Float.NaN);
        return upload(device, "output", values);
    }

    /** The first {@code elements} of a buffer from {@link #output}; fails if the guard was written. */
    static float[] download(DeviceBuffer buffer, int elements) {
        float[] guard = read(buffer, elements, GUARD);
        for (int i = 0; i < GUARD; i++) {
            if (!Float.isNaN(guard[i])) {
                throw new AssertionError("element " + (elements + i) + " behind the output was written: " + guard[i]);
            }
        }
        return read(buffer, 0, elements);
    }

    static float[] read(DeviceBuffer buffer, long offset, int count) {
        float[] values = new float[count];
        buffer.read(offset, values, 0, count);
        return values;
    }

    static CpuMatrix matrix(CpuDevice device, String name, float[] values, int rows, int columns) {
        return device.matrix(name, List.of(host(name, values, rows, columns)));
    }

    static HostMatrix host(String name, float[] values, int rows, int columns) {
        return new HostMatrix(name, TensorType.F32, MemorySegment.ofArray(values), rows, columns);
    }

    /** Each value rounded to bfloat16. */
    public static float[] rounded(float[] values) {
        float[] result = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            result[i] = TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(values[i]));
        }
        return result;
    }
}
