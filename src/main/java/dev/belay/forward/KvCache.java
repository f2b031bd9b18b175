package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.KeyValues;
import dev.belay.model.ModelConfig;

/** Keys and values of every layer for a number of slots (token places), or one layer's, reused by all. */
public final class KvCache implements AutoCloseable {
    private final KeyValues[] layers;
    private final int slots;

    private KvCache(Device device, ModelConfig config, int slots, int kept, boolean rounded, String name) {
        this.slots = slots;
        layers = new KeyValues[config.layers()];
        int width = config.kvHeads() * config.headSize();
        try {
            for (int l = 0; l < layers.length; l++) {
                layers[l] = l < kept ? device.keyValues(name + " of layer " + l, slots, width, rounded) : layers[0];
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** A cache that keeps every layer, to be continued or shared as a prefix. */
    public static KvCache keeping(Device device, ModelConfig config, int slots) {
        return new KvCache(device, config, slots, config.layers(), false, "cache");
    }

    /** A cache that keeps every layer and is read as a whole for each token that is appended: rounded to the device's number type. */
    public static KvCache generating(Device device, ModelConfig config, int slots) {
        return new KvCache(device, config, slots, config.layers(), true, "cache");
    }

    /** A cache in which each layer overwrites the one before: enough for a pass that is not continued. */
    public static KvCache passing(Device device, ModelConfig config, int slots) {
        return new KvCache(device, config, slots, 1, false, "passing cache");
    }

    /** Keys and values of layer {@code l}. */
    public KeyValues layer(int l) {
        return layers[l];
    }

    /** Number of token places. */
    public int slots() {
        return slots;
    }

    @Override
    public void close() {
        for (int l = 0; l < layers.length; l++) {
            if (layers[l] != null && (l == 0 || layers[l] != layers[0])) {
                layers[l].close();
            }
        }
    }
}
