package dev.belay.cliff;

import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelWeights;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;

/**
 * Direct attribution: a[l,h] = mean over transcripts of (W_O[l][:,h] · z[l,h]) · w/‖w‖ at the last position. With
 * u[l] = W_O[l]ᵀ w/‖w‖ computed once, each is the dot product of a head's output with its part of u[l].
 */
public final class HeadAttribution {
    private HeadAttribution() {}

    /**
     * The attribution of every head, [layers][heads]; heads at or above the probe's layer have none: 0.
     *
     * @param layer the probe's layer, i of H[i]
     */
    public static double[][] direct(
            ForwardPass forward, LinearProbe probe, int layer, List<ProbeText> probes, IntConsumer progress) {
        Model model = forward.model();
        ModelConfig c = model.config();
        Set<HookPoint> points = new HashSet<>();
        for (int l = 0; l < layer; l++) {
            points.add(HookPoint.headOutput(l));
        }
        List<TextRunner.Text> texts = ProbeScorer.texts(probes);
        ActivationRecorder recorder = new ActivationRecorder(
                points, (text, position) -> position == texts.get(text).ids().length - 1);
        new TextRunner(forward).run(texts, layer, null, recorder, true, (batch, states) -> {}, progress);
        double[][] attribution = new double[c.layers()][c.heads()];
        for (int l = 0; l < layer; l++) {
            double[] u = projected(ModelWeights.outputProjection(model.tensors(), c, l), probe, c.hidden());
            for (int t = 0; t < texts.size(); t++) {
                float[] z = recorder.get(HookPoint.headOutput(l), t);
                for (int i = 0; i < z.length; i++) {
                    attribution[l][i / c.headSize()] += z[i] * u[i] / texts.size();
                }
            }
        }
        return attribution;
    }

    /** W_Oᵀ w/‖w‖ of W_O [D, H·HD]. */
    private static double[] projected(float[] output, LinearProbe probe, int hidden) {
        float[] w = probe.weight();
        double norm = probe.norm();
        int width = output.length / hidden;
        double[] u = new double[width];
        for (int d = 0; d < hidden; d++) {
            double factor = w[d] / norm;
            for (int i = 0; i < width; i++) {
                u[i] += factor * output[d * width + i];
            }
        }
        return u;
    }
}
