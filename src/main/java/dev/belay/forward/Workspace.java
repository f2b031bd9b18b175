package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.FeedForwardSpace;
import dev.belay.device.MixtureSpace;
import dev.belay.device.ProjectionSpace;
import dev.belay.model.Experts;
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
    private final int headWidth;
    /** The residual stream of each piece, where there are several. */
    private final List<DeviceBuffer> pieces = new ArrayList<>();

    private DeviceBuffer residual;
    private DeviceBuffer states;
    /** Null until somebody captures head outputs that are scaled. */
    private DeviceBuffer unscaledHeadOutputs;
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
    final ProjectionSpace projectionSpace;
    final FeedForwardSpace feedForwardSpace;
    /** Null where there are no experts. */
    final MixtureSpace mixtureSpace;

    Workspace(Device device, ModelConfig c, int tokens) {
        this.device = device;
        this.tokens = tokens;
        hidden = c.hidden();
        headWidth = c.heads() * c.headSize();
        try {
            reserve(tokens);
            residualRead = buffer("residual stream at the tokens read", c.hidden());
            normed = rounded("normed", c.hidden());
            normedRead = rounded("normed at the tokens read", c.hidden());
            qkv = buffer("queries, keys and values", (c.heads() + 2 * c.kvHeads()) * c.headSize());
            queries = owned(device.allocateQueries("queries", (long) tokens * headWidth));
            headOutputs = rounded("head outputs", headWidth);
            Experts experts = c.experts();
            int rows = experts == null ? 0 : device.mixtureRows(tokens, experts.top());
            long inner = experts == null ? 0 : (long) rows * experts.feedForward();
            inner = Math.max(inner, (long) tokens * c.feedForward());
            gateUp = owned(device.allocate("gate and up", 2 * inner));
            activated = owned(device.allocateRounded("activated", inner));
            projectionSpace = new ProjectionSpace(normed, qkv);
            feedForwardSpace = new FeedForwardSpace(normed, gateUp, activated);
            mixtureSpace = experts == null
                    ? null
                    : new MixtureSpace(
                            buffer("router logits", experts.count()),
                            gateUp,
                            activated,
                            owned(device.allocate("outputs of experts", (long) rows * c.hidden())));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    private DeviceBuffer buffer(String name, int width) {
        return owned(device.allocate(name, (long) tokens * width));
    }

    private DeviceBuffer rounded(String name, int width) {
        return owned(device.allocateRounded(name, (long) tokens * width));
    }

    private DeviceBuffer owned(DeviceBuffer buffer) {
        owned.add(buffer);
        return buffer;
    }

    /** The head outputs before their factors, [T, H·HD]; only those who capture them need it. */
    DeviceBuffer unscaledHeadOutputs() {
        if (unscaledHeadOutputs == null) {
            unscaledHeadOutputs = rounded("head outputs before their factors", headWidth);
        }
        return unscaledHeadOutputs;
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
