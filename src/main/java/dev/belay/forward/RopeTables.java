package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import dev.belay.model.ModelConfig;
import dev.belay.model.Rope;
import java.util.HashMap;
import java.util.Map;

/** The rotary tables of a model's layers; layers with the same rotary embedding share one. */
final class RopeTables implements AutoCloseable {
    private final RopeTable[] ofLayer;

    RopeTables(Device device, ModelConfig config) {
        ofLayer = new RopeTable[config.layers()];
        Map<Rope, RopeTable> known = new HashMap<>();
        for (int l = 0; l < ofLayer.length; l++) {
            Rope rope = config.kinds().get(l).rope();
            ofLayer[l] = rope == null ? null : known.computeIfAbsent(rope, r -> new RopeTable(device, r));
        }
    }

    /** The table of layer {@code l}, with the angles of every token; null where the layer rotates nothing. */
    DeviceBuffer of(int l, TokenLayout layout) {
        return ofLayer[l] == null ? null : ofLayer[l].covering(layout);
    }

    @Override
    public void close() {
        for (RopeTable table : ofLayer) {
            if (table != null) {
                table.close();
            }
        }
    }
}
