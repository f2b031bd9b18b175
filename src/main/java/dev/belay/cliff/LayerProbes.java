package dev.belay.cliff;

import dev.belay.BelayException;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.PendingRead;
import dev.belay.forward.ForwardPass;
import dev.belay.probe.LinearProbe;
import java.util.List;

/** Probes that read the same hidden state, on the device. */
final class LayerProbes implements AutoCloseable {
    private final Device device;
    private final int layer;
    private final int width;
    private final DeviceBuffer weights;
    private final float[] biases;
    private float[] products = new float[0];
    private PendingRead pending = PendingRead.DONE;

    /**
     * Puts probes on the device.
     *
     * @param layer the index i of H[i], which all of them read
     * @param probes N probes of one width D
     */
    LayerProbes(Device device, int layer, List<LinearProbe> probes) {
        this.device = device;
        this.layer = layer;
        width = probes.getFirst().width();
        biases = new float[probes.size()];
        weights = device.allocate("probe", (long) biases.length * width);
        for (int n = 0; n < biases.length; n++) {
            biases[n] = probes.get(n).bias();
            weights.write((long) n * width, probes.get(n).weight(), 0, width);
        }
    }

    /** i of H[i]. */
    int layer() {
        return layer;
    }

    /** N. */
    int count() {
        return biases.length;
    }

    /** Begins to score the first {@code tokens} rows of {@code states} [T, D] by each probe. */
    void begin(DeviceBuffer states, int tokens) {
        pending = device.dot(states, weights, tokens, width, biases.length, room(tokens));
    }

    /** The same of the first tokens of the residual stream, as it is after the layer; states after the final norm are kept nowhere. */
    void begin(ForwardPass forward, int tokens) {
        pending = forward.dot(layer, weights, tokens, biases.length, room(tokens));
    }

    private float[] room(int tokens) {
        if (products.length < tokens * biases.length) {
            products = new float[tokens * biases.length];
        }
        return products;
    }

    /**
     * The scores σ(w·h + b) that were begun last, [T, N].
     *
     * @throws BelayException if one is not a number
     */
    void finish(int tokens, double[] scores) {
        pending.await();
        int count = biases.length;
        for (int i = 0; i < tokens * count; i++) {
            scores[i] = LinearProbe.sigmoid((double) products[i] + biases[i % count]);
            if (Double.isNaN(scores[i])) {
                throw new BelayException("a refusal score is not a number: the hidden states H[" + layer
                        + "] overflow; check the model's weights, or use --dtype f32");
            }
        }
    }

    @Override
    public void close() {
        weights.close();
    }
}
