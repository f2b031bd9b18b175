package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.PendingRead;
import dev.belay.device.TokenLayout;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HookPoint;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelWeights;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Direct attribution: a[l,h] = mean over transcripts of (W_O[l][:,h] · z[l,h]) · w/‖w‖ at the last position. With
 * u[l] = W_O[l]ᵀ w/‖w‖ computed once, each is the dot product of a head's output with its part of u[l].
 */
public final class HeadAttribution implements AutoCloseable {
    private final ForwardPass forward;
    private final int layer;
    private final Capture capture;

    /**
     * Puts the directions of all heads on the device.
     *
     * @param layer the probe's layer, i of H[i]
     */
    public HeadAttribution(ForwardPass forward, LinearProbe probe, int layer) {
        this.forward = forward;
        this.layer = layer;
        capture = new Capture(forward.model(), probe, layer);
    }

    /**
     * The attribution of every head, [layers][heads], as the mean over transcripts; heads at or above the probe's layer have none: 0.
     *
     * @param layer the probe's layer, i of H[i]
     */
    public static double[][] direct(
            ForwardPass forward, LinearProbe probe, int layer, List<ProbeText> probes, IntConsumer progress) {
        try (HeadAttribution attribution = new HeadAttribution(forward, probe, layer)) {
            return mean(attribution.sums(probes, progress), probes.size());
        }
    }

    /** Sums over {@code transcripts} as means, in place. */
    public static double[][] mean(double[][] sums, int transcripts) {
        for (double[] heads : sums) {
            for (int h = 0; h < heads.length; h++) {
                heads[h] /= transcripts;
            }
        }
        return sums;
    }

    /** The sum of every head's attribution over transcripts, [layers][heads]. */
    public double[][] sums(List<ProbeText> probes, IntConsumer progress) {
        ModelConfig c = forward.model().config();
        List<TextRunner.Text> texts = ProbeScorer.texts(probes);
        double[][] sums = new double[c.layers()][c.heads()];
        capture.texts = texts;
        new TextRunner(forward)
                .run(texts, layer, null, capture, true, (batch, states) -> capture.addTo(sums), progress);
        return sums;
    }

    @Override
    public void close() {
        capture.close();
    }

    /** Multiplies the head outputs of each text's last token with u[l] on the device. */
    private static final class Capture implements ActivationCapture, AutoCloseable {
        private final Resources owned = new Resources();
        private final Device device;
        private final ModelConfig config;
        private final List<DeviceBuffer> directions = new ArrayList<>();
        private final float[][] products;
        private List<TextRunner.Text> texts = List.of();
        private List<Integer> textOfRow = List.of();
        private DeviceBuffer last;
        private PendingRead latest = PendingRead.DONE;

        Capture(Model model, LinearProbe probe, int layers) {
            device = model.device();
            config = model.config();
            products = new float[layers][];
            try {
                for (int l = 0; l < layers; l++) {
                    float[] u = projected(
                            ModelWeights.outputProjection(model.tensors(), config, l), probe, config.hidden());
                    directions.add(owned.own(device.allocate("directions of heads", u.length)));
                    directions.getLast().write(0, u, 0, u.length);
                }
            } catch (RuntimeException | Error e) {
                owned.close();
                throw e;
            }
        }

        @Override
        public void nextBatch(List<Integer> numbers) {
            textOfRow = numbers;
        }

        @Override
        public boolean wants(HookPoint point) {
            return point.kind() == HookPoint.Kind.HEAD_OUTPUT && point.index() < products.length;
        }

        @Override
        public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
            int[] ends = IntStream.range(0, layout.tokens())
                    .filter(t -> layout.position(t) == lastPosition(layout.row(t)))
                    .toArray();
            int count = ends.length;
            if (count == 0) {
                return 0;
            }
            if (last == null || last.elements() < (long) count * width) {
                if (last != null) {
                    last.close();
                }
                last = owned.own(device.allocateRounded("head outputs of last tokens", (long) count * width));
            }
            device.gather(values, ends, count, width, last);
            int l = point.index();
            products[l] = new float[count * config.heads()];
            latest = device.headDots(last, directions.get(l), count, config.heads(), config.headSize(), products[l]);
            return count;
        }

        private int lastPosition(int row) {
            return texts.get(textOfRow.get(row)).ids().length - 1;
        }

        /** Adds the products of the batch just run. */
        void addTo(double[][] sums) {
            latest.await();
            for (int l = 0; l < products.length; l++) {
                for (int i = 0; i < products[l].length; i++) {
                    sums[l][i % config.heads()] += products[l][i];
                }
            }
        }

        @Override
        public void close() {
            owned.close();
        }
    }

    /** W_Oᵀ w/‖w‖ of W_O [D, H·HD]. */
    private static float[] projected(float[] output, LinearProbe probe, int hidden) {
        float[] w = probe.weight();
        double norm = probe.norm();
        int width = output.length / hidden;
        double[] sums = new double[width];
        for (int d = 0; d < hidden; d++) {
            double factor = w[d] / norm;
            for (int i = 0; i < width; i++) {
                sums[i] += factor * output[d * width + i];
            }
        }
        float[] u = new float[width];
        for (int i = 0; i < width; i++) {
            u[i] = (float) sums[i];
        }
        return u;
    }
}
