package dev.belay.cliff;

import dev.belay.BelayException;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.TextSpan;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;

/** Applies a refusal probe to a model's states without copying them off the device. */
public final class ProbeScorer implements AutoCloseable {
    private final ForwardPass forward;
    private final TextRunner runner;
    private final LayerProbes probe;

    /**
     * Puts the probe on the device.
     *
     * @throws BelayException if its width or layer does not fit the model
     */
    public ProbeScorer(ForwardPass forward, LinearProbe probe, Object probeName) {
        this.forward = forward;
        runner = new TextRunner(forward);
        probe.checkWidth(forward.model().config().hidden(), probeName);
        int layer = probe.layerIn(forward.model().config().layers(), probeName);
        this.probe = new LayerProbes(forward.model().device(), layer, List.of(probe));
    }

    /** The probe's layer as index i of H[i]. */
    public int layer() {
        return probe.layer();
    }

    /** The forward pass that states come from. */
    public ForwardPass forward() {
        return forward;
    }

    /** The parts of a probe text. */
    public static TextSpan span(ProbeText p) {
        return TextSpan.probe(p.ids().length, p.thinkingStart(), p.thinkingEnd());
    }

    /** Probe texts as texts of the forward pass. */
    public static List<TextRunner.Text> texts(List<ProbeText> probes) {
        return probes.stream().map(p -> new TextRunner.Text(p.ids(), span(p))).toList();
    }

    /**
     * Scores σ(w·h + b) of the first {@code tokens} tokens of the forward pass's residual stream, as it is after the probe's layer.
     *
     * @throws BelayException if one is not a number
     */
    public void score(int tokens, double[] scores) {
        probe.begin(forward, tokens);
        probe.finish(tokens, scores);
    }

    /** The refusal traces of transcripts. */
    public List<RefusalTrace> traces(List<ProbeText> probes, Plateau plateau, IntConsumer progress) {
        double[][][] scores = TracePass.run(forward, List.of(probe), probes, false, progress);
        List<RefusalTrace> traces = new ArrayList<>();
        for (int i = 0; i < scores.length; i++) {
            traces.add(RefusalTrace.of(probes.get(i), scores[i][0], plateau));
        }
        return traces;
    }

    /**
     * Final scores and what the mask changed.
     *
     * @param scores one for each transcript
     */
    public record FinalScores(double[] scores, HookReport report) {
        /** Their mean. */
        public double mean() {
            return Arrays.stream(scores).average().orElse(Double.NaN);
        }
    }

    /** The final score of each transcript, with the heads of {@code mask} (or null) scaled. */
    public FinalScores finalScores(List<ProbeText> probes, HeadMask mask, IntConsumer progress) {
        double[] all = new double[probes.size()];
        HookReport report = runner.runUnnormed(
                texts(probes),
                layer(),
                mask,
                null,
                true,
                (batch, tokens) -> {
                    double[] scores = new double[tokens];
                    score(tokens, scores);
                    for (int i = 0; i < scores.length; i++) {
                        all[batch.get(i)] = scores[i];
                    }
                },
                progress);
        return new FinalScores(all, report);
    }

    @Override
    public void close() {
        probe.close();
    }
}
