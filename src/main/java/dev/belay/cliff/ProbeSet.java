package dev.belay.cliff;

import dev.belay.BelayException;
import dev.belay.device.Device;
import dev.belay.forward.ForwardPass;
import dev.belay.io.Resources;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntConsumer;

/** Refusal probes, of one layer or of several, that score transcripts in one forward pass. */
public final class ProbeSet implements AutoCloseable {
    private final ForwardPass forward;
    private final Resources opened = new Resources();
    private final List<LayerProbes> groups = new ArrayList<>();
    /** The probes' numbers in the order of the groups. */
    private final List<Integer> order = new ArrayList<>();

    /**
     * Puts the probes on the device.
     *
     * @param probes at least one
     * @param names their names for errors, such as their paths
     * @throws BelayException if the width or layer of one does not fit the model
     */
    public ProbeSet(ForwardPass forward, List<LinearProbe> probes, List<?> names) {
        this.forward = forward;
        ModelConfig config = forward.model().config();
        Device device = forward.model().device();
        Map<Integer, List<Integer>> byLayer = new TreeMap<>();
        for (int i = 0; i < probes.size(); i++) {
            probes.get(i).checkWidth(config.hidden(), names.get(i));
            int layer = probes.get(i).layerIn(config.layers(), names.get(i));
            byLayer.computeIfAbsent(layer, l -> new ArrayList<>()).add(i);
        }
        try {
            byLayer.forEach((layer, members) -> {
                groups.add(opened.own(new LayerProbes(
                        device, layer, members.stream().map(probes::get).toList())));
                order.addAll(members);
            });
        } catch (RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    /**
     * The scores p_t at every position of each text by each probe, [texts][probes][T].
     *
     * @param progress called with the number of texts done
     * @throws BelayException if one is not a number
     */
    public double[][][] scores(List<ProbeText> texts, IntConsumer progress) {
        return scores(texts, false, progress);
    }

    /**
     * The final score of each text by each probe, [texts][probes].
     *
     * @param progress called with the number of texts done
     * @throws BelayException if one is not a number
     */
    public double[][] finalScores(List<ProbeText> texts, IntConsumer progress) {
        return Arrays.stream(scores(texts, true, progress))
                .map(text -> Arrays.stream(text)
                        .mapToDouble(scores -> scores[scores.length - 1])
                        .toArray())
                .toArray(double[][]::new);
    }

    private double[][][] scores(List<ProbeText> texts, boolean lastOnly, IntConsumer progress) {
        double[][][] grouped = TracePass.run(forward, groups, texts, lastOnly, progress);
        double[][][] scores = new double[texts.size()][order.size()][];
        for (int t = 0; t < scores.length; t++) {
            for (int n = 0; n < order.size(); n++) {
                scores[t][order.get(n)] = grouped[t][n];
            }
        }
        return scores;
    }

    @Override
    public void close() {
        opened.close();
    }
}
