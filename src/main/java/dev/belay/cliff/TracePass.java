package dev.belay.cliff;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HookPoint;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.function.IntConsumer;

/** One forward pass over transcripts that scores every token, or the last of each, with every probe, at whichever layers they are. */
final class TracePass implements ActivationCapture {
    private final List<LayerProbes> groups;
    private final List<ProbeText> texts;
    private final double[][][] scores;
    private final int[] firstOfGroup;
    private final boolean lastOnly;

    private TracePass(List<LayerProbes> groups, List<ProbeText> texts, boolean lastOnly) {
        this.lastOnly = lastOnly;
        this.groups = groups;
        this.texts = texts;
        firstOfGroup = new int[groups.size() + 1];
        for (int g = 0; g < groups.size(); g++) {
            firstOfGroup[g + 1] = firstOfGroup[g] + groups.get(g).count();
        }
        scores = new double[texts.size()][firstOfGroup[groups.size()]][];
    }

    /**
     * The scores p_t of each text by each probe, the probes of the first group first: [texts][probes][T].
     *
     * @param groups from the lowest layer to the highest, at least one
     * @param lastOnly compute in the highest layer only the last position, which is all that its scores have then
     * @param progress called with the number of texts done
     */
    static double[][][] run(
            ForwardPass forward,
            List<LayerProbes> groups,
            List<ProbeText> texts,
            boolean lastOnly,
            IntConsumer progress) {
        TracePass pass = new TracePass(groups, texts, lastOnly);
        int top = groups.size() - 1;
        new TextRunner(forward)
                .runUnnormed(
                        ProbeScorer.texts(texts),
                        groups.get(top).layer(),
                        null,
                        top == 0 ? null : pass,
                        lastOnly,
                        (batch, tokens) -> {
                            groups.get(top).begin(forward, tokens);
                            for (int g = 0; g <= top; g++) {
                                pass.finish(g, batch);
                            }
                        },
                        progress);
        return pass.scores;
    }

    @Override
    public boolean wants(HookPoint point) {
        return group(point) < groups.size() - 1;
    }

    @Override
    public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
        groups.get(group(point)).begin(values, layout.tokens());
        return layout.tokens();
    }

    /** The group that reads this point, or as many as there are groups. */
    private int group(HookPoint point) {
        int g = 0;
        while (g < groups.size()
                && !point.equals(HookPoint.residual(groups.get(g).layer()))) {
            g++;
        }
        return g;
    }

    /** Spreads the scores of a group, [T, N], over the texts of a batch. */
    private void finish(int group, List<Integer> batch) {
        int count = groups.get(group).count();
        boolean last = lastOnly && group == groups.size() - 1;
        int tokens = batch.stream()
                .mapToInt(i -> last ? 1 : texts.get(i).ids().length)
                .sum();
        double[] all = new double[tokens * count];
        groups.get(group).finish(tokens, all);
        int row = 0;
        for (int i : batch) {
            int length = last ? 1 : texts.get(i).ids().length;
            for (int n = 0; n < count; n++) {
                double[] own = new double[length];
                for (int t = 0; t < length; t++) {
                    own[t] = all[(row + t) * count + n];
                }
                scores[i][firstOfGroup[group] + n] = own;
            }
            row += length;
        }
    }
}
