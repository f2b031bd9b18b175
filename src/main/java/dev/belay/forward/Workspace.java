package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.FeedForwardSpace;
import dev.belay.device.ProjectionSpace;
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
    final DeviceBuffer states;
    final DeviceBuffer queries;
    final DeviceBuffer qkv;
    final DeviceBuffer headOutputs;
    final DeviceBuffer gateUp;
    final DeviceBuffer activated;
    /** Of mixtures of experts; null where there are none. */
    final DeviceBuffer routerLogits;

    final DeviceBuffer expertInputs;
    final DeviceBuffer expertOutputs;
    final ProjectionSpace projectionSpace;
    final FeedForwardSpace feedForwardSpace;

    Workspace(Device device, ModelConfig c, int tokens) {
        this.device = device;
        this.tokens = tokens;
        try {
            residual = buffer("residual stream", c.hidden());
            residualRead = buffer("residual stream at the tokens read", c.hidden());
            normed = rounded("normed", c.hidden());
            normedRead = rounded("normed at the tokens read", c.hidden());
            states = buffer("states after the final norm", c.hidden());
            qkv = buffer("queries, keys and values", (c.heads() + 2 * c.kvHeads()) * c.headSize());
            queries = device.allocateQueries("queries", (long) tokens * c.heads() * c.headSize());
            owned.add(queries);
            headOutputs = rounded("head outputs", c.heads() * c.headSize());
            boolean mixed = c.experts() != null;
            int inner = mixed ? Math.max(c.feedForward(), c.experts().feedForward()) : c.feedForward();
            gateUp = buffer("gate and up", 2 * inner);
            activated = rounded("activated", inner);
            routerLogits = mixed ? buffer("router logits", c.experts().count()) : null;
            expertInputs = mixed ? rounded("inputs of an expert", c.hidden()) : null;
            expertOutputs = mixed ? buffer("outputs of an expert", c.hidden()) : null;
            projectionSpace = new ProjectionSpace(normed, qkv);
            feedForwardSpace = new FeedForwardSpace(normed, gateUp, activated);
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

    private DeviceBuffer rounded(String name, int width) {
        DeviceBuffer buffer = device.allocateRounded(name, (long) tokens * width);
        owned.add(buffer);
        return buffer;
    }

    @Override
    public void close() {
        owned.forEach(DeviceBuffer::close);
    }
}
