package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DevicePeaks;
import dev.belay.device.DryDevice;
import dev.belay.device.Sampling;
import dev.belay.device.Work;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * What work on a model costs, without doing it: the very code that does it runs on a {@link DryDevice}, which counts the operations, so
 * that FLOPs and bytes are those of the real run, as {@link dev.belay.device.ProfiledDevice} counts them. Of the model only the
 * headers are read.
 */
public final class CostModel implements AutoCloseable {
    /** A head that a greedy selection has chosen. */
    public record Head(int layer, int head) {}

    private final Resources opened = new Resources();
    private final DryDevice device;
    private final Model model;
    private final ForwardPass forward;
    private final LinearProbe probe;
    private final ProbeScorer scorer;

    /**
     * @param folder the model's
     * @param like the device that the work is for
     * @param peaks its peaks
     * @param batchTokens tokens in a batch; a longer text is one of its own
     * @param layer the probe's layer, i of H[i], or {@link LinearProbe#LAST}
     */
    public CostModel(Path folder, Device like, DevicePeaks peaks, int batchTokens, int layer) {
        device = new DryDevice(like, peaks);
        try {
            model = opened.own(Model.outline(folder, device));
            forward = opened.own(new ForwardPass(model, batchTokens));
            float[] weight = new float[model.config().hidden()];
            weight[0] = 1;
            probe = new LinearProbe(weight, 0, layer, Map.of());
            scorer = opened.own(new ProbeScorer(forward, probe, "of the cost model"));
        } catch (RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    private Work of(Runnable work) {
        device.work();
        work.run();
        return device.work();
    }

    /** Direct attribution and the final scores that go with it. */
    public Work direct(List<ProbeText> probes) {
        return of(() -> {
            scorer.finalScores(probes, null, n -> {});
            HeadAttribution.direct(forward, probe, scorer.layer(), probes, n -> {});
        });
    }

    /** One sweep of all heads. */
    public Work causal(List<ProbeText> probes, PositionScope scope, boolean renormalize) {
        return greedy(probes, scope, renormalize, List.of());
    }

    /**
     * A greedy selection: a sweep of all heads, and one more given the first of {@code chosen}, given the first two, and so on. What
     * a sweep costs depends on the layers of the heads chosen before it.
     *
     * @param chosen the heads in their order without the last, which no sweep follows
     */
    public Work greedy(List<ProbeText> probes, PositionScope scope, boolean renormalize, List<Head> chosen) {
        AblationSweep sweep = new AblationSweep(scorer, scope, renormalize);
        HeadMask mask = sweep.emptyMask();
        return of(() -> {
            sweep.run(probes, mask, n -> {});
            for (Head head : chosen) {
                mask.ablate(head.layer(), head.head());
                sweep.run(probes, mask, n -> {});
            }
        });
    }

    /** As many different heads below the probe's layer, spread evenly: what a selection is taken to choose before it is known. */
    public List<Head> spread(int count) {
        int heads = model.config().heads();
        int all = scorer.layer() * heads;
        return IntStream.range(0, count)
                .mapToObj(i -> (int) ((2L * i + 1) * all / (2L * count)))
                .map(i -> new Head(i / heads, i % heads))
                .toList();
    }

    /** Refusal scores at every position. */
    public Work trace(List<ProbeText> probes) {
        return of(() -> scorer.traces(probes, Plateau.MAX, n -> {}));
    }

    /**
     * Hidden states of all layers; to write them costs nothing here.
     *
     * @param lastOnly of the last position of each text only
     */
    public Work capture(List<TextRunner.Text> texts, boolean lastOnly) {
        int layers = model.config().layers();
        return of(
                () -> new TextRunner(forward).run(texts, layers, null, null, lastOnly, (batch, states) -> {}, n -> {}));
    }

    /** Continuing every prompt by {@code newTokens} tokens, or up to the model's last position. */
    public Work generate(List<Generator.Prompt> prompts, int newTokens) {
        return of(() -> generate(prompts, newTokens, null));
    }

    /** The same as the model is, and again with heads ablated. */
    public Work ablate(
            List<Generator.Prompt> prompts,
            int newTokens,
            PositionScope scope,
            boolean renormalize,
            List<Head> ablated) {
        ModelConfig config = model.config();
        HeadMask mask = new HeadMask(config.layers(), config.heads(), scope, renormalize);
        ablated.forEach(head -> mask.ablate(head.layer(), head.head()));
        return of(() -> {
            generate(prompts, newTokens, null);
            generate(prompts, newTokens, mask);
        });
    }

    private void generate(List<Generator.Prompt> prompts, int newTokens, HeadMask mask) {
        new Generator(forward, mask, Generator.Closing.NONE, Sampling.GREEDY, newTokens, true)
                .generate(prompts, (prompt, continuation) -> {});
    }

    @Override
    public void close() {
        opened.close();
    }
}
