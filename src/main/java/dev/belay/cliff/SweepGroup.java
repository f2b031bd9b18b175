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
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * One group of transcripts in an ablation sweep. Letters: N transcripts, C changed tokens (all of them, or the k last of each
 * transcript), D hidden size, Q = H·HD.
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
    /** s[C, heads that join], the factors that keep the norm of a token's head outputs; null where it is not kept. */
    private final DeviceBuffer norms;

    private final HeadScaleTable table = new HeadScaleTable();
    private final int[] from;
    private final int[] prefixStart;
    private final Batch batch = new Batch();
    private final Hooks hooks;
    /** The heads of a wave, layer · H + head, in the order of their rows. */
    private final List<Integer> joined = new ArrayList<>();

    /** The layer that {@link #prepare} was called for last. */
    private int prepared = -1;

    private int nextLayer;
    private int nextHead;
    private long changedPairs;

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
            capture = owned.own(new SweepCapture(device, config, scorer.layer(), probes, from));
            int most = Math.max(forward.maxTokens(), capture.changed());
            sweepCache = owned.own(KvCache.passing(device, config, most));
            forward.reserve(most);
            if (chosen.size() > 0) {
                forward.reserveUnscaled();
            }
            attention =
                    owned.own(device.allocate("sweep attention output", (long) capture.changed() * config.hidden()));
            long outputs = (long) capture.changed() * config.attention().queryWidth();
            scaled = owned.own(device.allocateRounded("sweep head outputs", outputs));
            norms = chosen.renormalize() ? owned.own(device.allocate("sweep norms", most)) : null;
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
        forward.unnormed(batch, scorer.layer(), baseCache, watching, true);
        return sum(probes.size())[0];
    }

    /**
     * Adds to {@code sums[l][h]} the final scores of all transcripts with head h of layer l below the probe's ablated.
     *
     * @param base what heads add that the mask ablates already
     * @param progress called with the number of heads done
     * @return number of (head, token) pairs taken away
     */
    long run(double base, double[][] sums, IntConsumer progress) {
        int layers = scorer.layer();
        changedPairs = 0;
        nextLayer = 0;
        nextHead = 0;
        while (nextLayer < layers) {
            wave(base, sums);
            progress.accept(nextLayer * config.heads() + nextHead);
        }
        return changedPairs;
    }

    /**
     * Takes the next heads through all layers above theirs: as many as a batch holds. The layers above the last one that heads join are the
     * same work for every batch of as many rows that ends there.
     */
    private void wave(double base, double[][] sums) {
        int layers = scorer.layer();
        joined.clear();
        batch.clear();
        for (int l = nextLayer; l < layers; ) {
            int from = l;
            int to = nextLayer == l && room(l) > 0 ? l + 1 : layers;
            device.sequence(() -> {
                for (int i = from; i < to; i++) {
                    layer(i, base, sums);
                }
            });
            l = to;
        }
        int rows = joined.size() * probes.size();
        if (rows == 0) {
            return;
        }
        double[] scores = sum(rows);
        for (int i = 0; i < scores.length; i++) {
            int head = joined.get(i);
            sums[head / config.heads()][head % config.heads()] += scores[i];
        }
    }

    /** The rows of lower heads pass the attention, the heads of the layer join, and all pass the feed-forward block. */
    private void layer(int l, double base, double[][] sums) {
        boolean last = l == scorer.layer() - 1;
        int room = room(l);
        int tokens = batch.tokens() == 0 ? 0 : attention(l, last);
        tokens += join(l, tokens, room, base, sums);
        if (tokens > 0) {
            forward.feedForwardBlock(l, tokens);
        }
    }

    /** How many heads may join in layer {@code l}. */
    private int room(int l) {
        int there = l == scorer.layer() - 1 ? batch.readCount() : batch.tokens();
        return Math.max((forward.maxTokens() - there) / capture.tokens(l), joined.isEmpty() ? 1 : 0);
    }

    private int attention(int l, boolean last) {
        return forward.attentionBlock(batch, l, baseCache, sweepCache, hooks, last)
                .tokens();
    }

    /**
     * Puts the residual stream of the next heads, at most {@code room} of layer {@code l}, behind the {@code tokens} that are there, after
     * that layer's attention; returns the number of tokens added.
     */
    private int join(int l, int tokens, int room, double base, double[][] sums) {
        int each = capture.tokens(l);
        List<Integer> heads = new ArrayList<>();
        while (nextLayer == l && heads.size() < room) {
            if (chosen.factor(l, nextHead) == 1f) {
                heads.add(nextHead);
            } else {
                sums[l][nextHead] += base;
            }
            nextHead++;
            if (nextHead == config.heads()) {
                nextHead = 0;
                nextLayer++;
            }
        }
        if (heads.isEmpty()) {
            return 0;
        }
        if (prepared != l) {
            prepare(l, each);
            prepared = l;
        }
        start(l, heads, (long) tokens * config.hidden());
        for (int h : heads) {
            joined.add(l * config.heads() + h);
            if (l + 1 < scorer.layer()) {
                addRows();
            }
        }
        changedPairs += (long) heads.size() * each;
        return heads.size() * each;
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

    private void addRows() {
        for (int i = 0; i < probes.size(); i++) {
            ProbeText probe = probes.get(i);
            batch.addSuffix(probe.ids(), from[i], prefixStart[i], batch.tokens(), ProbeScorer.span(probe));
            batch.readLast();
        }
    }

    /** The residual stream after the attention of layer {@code l} without each of the heads, from element {@code offset} on. */
    private void start(int l, List<Integer> heads, long offset) {
        int tokens = capture.tokens(l);
        int size = config.headSize();
        int width = config.attention().queryWidth();
        DeviceMatrix output = forward.model().weights().layer(l).output();
        DeviceBuffer x = forward.residual();
        for (int g = 0; g < heads.size(); g++) {
            int column = heads.get(g) * size;
            DeviceMatrix ofHead = output.view(0, config.hidden(), column, size);
            long place = offset + (long) g * tokens * config.hidden();
            device.matmul(scaled, width, column, tokens, ofHead, x, place, false);
        }
        if (norms != null) {
            int[] gone = heads.stream().mapToInt(h -> h).toArray();
            float[] factors = new float[config.heads()];
            for (int h = 0; h < factors.length; h++) {
                factors[h] = chosen.factor(l, h);
            }
            device.ablationNorms(capture.headOutputs(l), factors, gone, tokens, factors.length, size, norms);
        }
        DeviceBuffer residual = capture.residual(l);
        device.ablationStart(residual, attention, norms, heads.size(), tokens, config.hidden(), x, offset);
        DeviceBuffer bias = forward.model().weights().layer(l).outputBias();
        if (bias != null) {
            device.addBias(x, offset, heads.size() * tokens, config.hidden(), bias);
        }
    }

    /** Sums of final scores over the transcripts of each row group. */
    private double[] sum(int rows) {
        double[] scores = new double[rows];
        scorer.score(rows, scores);
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
