package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** The activations of one batch of at most {@code tokens} tokens; see {@link ForwardPass} for what each holds. */
final class Workspace implements AutoCloseable {
    private final Device device;
    private final List<DeviceBuffer> owned = new ArrayList<>();

    final int tokens;
    final DeviceBuffer residual;
    final DeviceBuffer residualRead;
    final DeviceBuffer normed;
    final DeviceBuffer normedRead;
    final DeviceBuffer queries;
    final DeviceBuffer keyValues;
    final DeviceBuffer headOutputs;
    final DeviceBuffer gateUp;
    final DeviceBuffer activated;

    Workspace(Device device, ModelConfig c, int tokens) {
        this.device = device;
        this.tokens = tokens;
        try {
            residual = buffer("residual stream", c.hidden());
            residualRead = buffer("residual stream at the tokens read", c.hidden());
            normed = buffer("normed", c.hidden());
            normedRead = buffer("normed at the tokens read", c.hidden());
            queries = buffer("queries", c.heads() * c.headSize());
            keyValues = buffer("keys and values", 2 * c.kvHeads() * c.headSize());
            headOutputs = buffer("head outputs", c.heads() * c.headSize());
            gateUp = buffer("gate and up", 2 * c.feedForward());
            activated = buffer("activated", c.feedForward());
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private DeviceBuffer buffer(String name, int width) {
        DeviceBuffer buffer = device.allocate(name, (long) tokens * width);
        owned.add(buffer);
        return buffer;
    }

    @Override
    public void close() {
        owned.forEach(DeviceBuffer::close);
    }
}
