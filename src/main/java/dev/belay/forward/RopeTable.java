package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.model.ModelConfig;

/** Cosines and sines of the rotary embedding on the device: [positions, HD], cosines in the first half of a row, sines in the second. */
final class RopeTable implements AutoCloseable {
    private final Device device;
    private final double[] frequencies;
    private DeviceBuffer table;
    private int positions;

    RopeTable(Device device, ModelConfig config) {
        this.device = device;
        frequencies = config.ropeFrequencies();
    }

    /** The table with at least positions 0..{@code needed}-1. */
    DeviceBuffer upTo(int needed) {
        if (needed > positions) {
            grow(Math.max(needed, Math.max(512, 2 * positions)));
        }
        return table;
    }

    private void grow(int size) {
        int half = frequencies.length;
        close();
        table = device.allocate("rotary table", 2L * half * size);
        float[] values = new float[2 * half * size];
        for (int p = 0; p < size; p++) {
            int row = 2 * half * p;
            for (int i = 0; i < half; i++) {
                // As transformers does: the angle is a float32 product of a float32 frequency.
                float angle = (float) frequencies[i] * p;
                values[row + i] = (float) StrictMath.cos(angle);
                values[row + half + i] = (float) StrictMath.sin(angle);
            }
        }
        table.write(0, values, 0, values.length);
        positions = size;
    }

    @Override
    public void close() {
        if (table != null) {
            table.close();
            table = null;
            positions = 0;
        }
    }
}
