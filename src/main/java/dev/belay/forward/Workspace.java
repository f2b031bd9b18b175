package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.FeedForwardSpace;
import dev.belay.device.ProjectionSpace;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * The activations of {@code tokens} tokens; see {@link ForwardPass} for what each holds. The residual stream and the states can hold
 * more, for a batch that is computed in pieces.
 */
final class Workspace implements AutoCloseable {
    private final Device device;
    private final List<DeviceBuffer> owned = new ArrayList<>();
    private final int hidden;
    /** The residual stream of each piece, where there are several. */
    private final List<DeviceBuffer> pieces = new ArrayList<>();

    private DeviceBuffer residual;
    private DeviceBuffer states;
    /** Tokens that the residual stream and the states have room for. */
    private int reserved;

    final int tokens;
    final DeviceBuffer residualRead;
    final DeviceBuffer normed;
    final DeviceBuffer normedRead;
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
        hidden = c.hidden();
        try {
            reserve(tokens);
            residualRead = buffer("residual stream at the tokens read", c.hidden());
            normed = rounded("normed", c.hidden());
            normedRead = rounded("normed at the tokens read", c.hidden());
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

    /** Makes room for the residual stream and the states of as many tokens, if there is none. */
    void reserve(int count) {
        if (count <= reserved) {
            return;
        }
        release();
        residual = device.allocate("residual stream", (long) count * hidden);
        states = device.allocate("states after the final norm", (long) count * hidden);
        reserved = count;
        for (int from = 0; count > tokens && from < count; from += tokens) {
            int part = Math.min(tokens, count - from);
            pieces.add(residual.slice((long) from * hidden, (long) part * hidden));
        }
    }

    private void release() {
        pieces.clear();
        reserved = 0;
        if (residual != null) {
            residual.close();
            residual = null;
        }
        if (states != null) {
            states.close();
            states = null;
        }
    }

    /** The residual stream [T, D]. */
    DeviceBuffer residual() {
        return residual;
    }

    /** The residual stream of the {@code i}-th piece of a batch of {@code count} tokens. */
    DeviceBuffer residual(int i, int count) {
        return count <= tokens ? residual : pieces.get(i);
    }

    /** The states after the final norm [T, D]. */
    DeviceBuffer states() {
        return states;
    }

    @Override
    public void close() {
        release();
        owned.forEach(DeviceBuffer::close);
    }
}
