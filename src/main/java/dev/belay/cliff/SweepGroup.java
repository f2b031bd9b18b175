package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HeadScaleTable;
import dev.belay.forward.Batch;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Hooks;
import dev.belay.forward.KvCache;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Resources;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.util.List;

/**
 * One group of transcripts in an ablation sweep. Letters: N transcripts, C changed tokens (all of them, or the k last of each
 * transcript), G heads in one batch, D hidden size, Q = H·HD.
 */
final class SweepGroup implements AutoCloseable {
    private final Resources owned = new Resources();
    private final ProbeScorer scorer;
    private final ForwardPass forward;
    private final Device device;
    private final ModelConfig config;
    private final List<ProbeText> probes;
    private final HeadMask chosen;
    private final SweepCapture capture;
    private final KvCache baseCache;
    private final KvCache sweepCache;
    private final DeviceBuffer attention;
    private final DeviceBuffer scaled;
    private final HeadScaleTable table = new HeadScaleTable();
    private final int[] from;
    private final int[] prefixStart;
    private final Batch batch = new Batch();
    private final Hooks hooks;

    SweepGroup(ProbeScorer scorer, List<ProbeText> probes, HeadMask chosen) {
        this.scorer = scorer;
        this.probes = probes;
        this.chosen = chosen;
        forward = scorer.forward();
        device = forward.model().device();
        config = forward.model().config();
        from = new int[probes.size()];
        prefixStart = new int[probes.size()];
        int slots = 0;
        for (int i = 0; i < from.length; i++) {
            from[i] = firstChanged(i);
            prefixStart[i] = slots;
            slots += probes.get(i).ids().length;
        }
        boolean whole = chosen.scope().kind() == PositionScope.Kind.ALL;
        try {
            baseCache =
                    owned.own(whole ? KvCache.passing(device, config, slots) : KvCache.keeping(device, config, slots));
            sweepCache = owned.own(KvCache.passing(device, config, forward.maxTokens()));
            capture = owned.own(new SweepCapture(device, config, scorer.layer(), probes, from));
            attention =
                    owned.own(device.allocate("sweep attention output", (long) capture.changed() * config.hidden()));
            long outputs = (long) capture.changed() * config.attention().queryWidth();
            scaled = owned.own(device.allocateRounded("sweep head outputs", outputs));
        } catch (RuntimeException | Error e) {
            owned.close();
            throw e;
        }
        hooks = new Hooks(HeadScales.shared(chosen), ActivationCapture.NONE, new HookReport());
    }

    private int firstChanged(int i) {
        ProbeText p = probes.get(i);
        return switch (chosen.scope().kind()) {
            case CLOSING -> p.thinkingEnd();
            case LAST -> Math.max(0, p.ids().length - chosen.scope().k());
            default -> 0;
        };
    }

    /** Runs the transcripts with the chosen heads ablated and keeps what the sweep starts from; returns the sum of final scores. */
    double runBase() {
        batch.clear();
        for (int i = 0; i < probes.size(); i++) {
            batch.addText(probes.get(i).ids(), prefixStart[i], ProbeScorer.span(probes.get(i)));
            batch.readLast();
        }
        Hooks watching = new Hooks(hooks.scales(), capture, new HookReport());
        DeviceBuffer states = forward.run(batch, scorer.layer(), baseCache, watching, true);
        return sum(states, probes.size())[0];
    }

    /**
     * Adds to {@code sums[h]} the final scores of all transcripts with head h of layer {@code l} ablated.
     *
     * @return number of (head, token) pairs taken away
     */
    long runLayer(int l, double base, double[] sums) {
        int tokens = capture.tokens(l);
        int group = Math.max(1, forward.maxTokens() / tokens);
        prepare(l, tokens);
        long changed = 0;
        int[] heads = new int[group];
        int count = 0;
        for (int h = 0; h < config.heads(); h++) {
            if (chosen.factor(l, h) != 1f) {
                sums[h] += base;
                continue;
            }
            heads[count++] = h;
            if (count == group) {
                runHeads(l, heads, count, sums);
                changed += (long) count * tokens;
                count = 0;
            }
        }
        if (count > 0) {
            runHeads(l, heads, count, sums);
            changed += (long) count * tokens;
        }
        return changed;
    }

    /** Computes attention[C, D] = W_O · (z ∘ γ of the chosen heads), before any renormalisation. */
    private void prepare(int l, int tokens) {
        int width = config.attention().queryWidth();
        device.gather(capture.headOutputs(l), capture.identity(), tokens, width, scaled);
        if (chosen.touches(l)) {
            table.reset(tokens, config.heads());
            int set = table.addSet(false);
            for (int h = 0; h < config.heads(); h++) {
                table.factor(set, h, chosen.factor(l, h));
            }
            for (int t = 0; t < tokens; t++) {
                table.assign(t, set);
            }
            device.scaleHeads(scaled, table, tokens, config.heads(), config.headSize());
        }
        DeviceMatrix output = forward.model().weights().layer(l).output();
        device.matmul(scaled, width, 0, tokens, output, attention, 0, false);
    }

    private void runHeads(int l, int[] heads, int count, double[] sums) {
        int tokens = capture.tokens(l);
        int size = config.headSize();
        int width = config.attention().queryWidth();
        DeviceMatrix output = forward.model().weights().layer(l).output();
        for (int g = 0; g < count; g++) {
            int column = heads[g] * size;
            DeviceMatrix ofHead = output.view(0, config.hidden(), column, size);
            long place = (long) g * tokens * config.hidden();
            device.matmul(scaled, width, column, tokens, ofHead, forward.residual(), place, false);
        }
        float[] norms = chosen.renormalize() ? norms(l, heads, count) : null;
        DeviceBuffer residual = capture.residual(l);
        device.ablationStart(residual, attention, norms, count, tokens, config.hidden(), forward.residual());
        device.sequence(() -> {
            forward.feedForwardBlock(l, count * tokens);
            finish(l, count);
        });
        DeviceBuffer states =
                scorer.layer() == config.layers() ? forward.finalNorm(count * probes.size()) : forward.residual();
        double[] scores = sum(states, count * probes.size());
        for (int g = 0; g < count; g++) {
            sums[heads[g]] += scores[g];
        }
    }

    /** Runs the layers above {@code l} for rows head × transcript; the residual stream then holds each row's last token. */
    private void finish(int l, int count) {
        if (l + 1 == scorer.layer()) {
            return;
        }
        batch.clear();
        for (int g = 0; g < count; g++) {
            for (int i = 0; i < probes.size(); i++) {
                batch.addSuffix(
                        probes.get(i).ids(), from[i], prefixStart[i], batch.tokens(), ProbeScorer.span(probes.get(i)));
                batch.readLast();
            }
        }
        forward.layers(batch, l + 1, scorer.layer(), baseCache, sweepCache, hooks, true);
    }

    /** s[g·C + t] = ‖z‖ / ‖z ∘ γ without head g‖, the factor that keeps the norm of the concatenated heads. */
    private float[] norms(int l, int[] heads, int count) {
        int tokens = capture.tokens(l);
        int size = config.headSize();
        int width = config.attention().queryWidth();
        float[] z = new float[tokens * width];
        capture.headOutputs(l).read(0, z, 0, z.length);
        float[] norms = new float[count * tokens];
        for (int t = 0; t < tokens; t++) {
            double[] squares = new double[config.heads()];
            for (int i = 0; i < width; i++) {
                double v = z[t * width + i];
                squares[i / size] += v * v;
            }
            double before = 0;
            double after = 0;
            for (int h = 0; h < squares.length; h++) {
                double gamma = chosen.factor(l, h);
                before += squares[h];
                after += gamma * gamma * squares[h];
            }
            for (int g = 0; g < count; g++) {
                double left = after - squares[heads[g]];
                norms[g * tokens + t] = left <= 0 ? 1f : (float) Math.sqrt(before / left);
            }
        }
        return norms;
    }

    /** Sums of final scores over the transcripts of each row group. */
    private double[] sum(DeviceBuffer states, int rows) {
        double[] scores = new double[rows];
        scorer.score(states, rows, scores);
        double[] sums = new double[rows / probes.size()];
        for (int r = 0; r < rows; r++) {
            sums[r / probes.size()] += scores[r];
        }
        return sums;
    }

    @Override
    public void close() {
        owned.close();
    }
}
