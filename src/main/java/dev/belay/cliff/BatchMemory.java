package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DevicePeaks;
import dev.belay.device.DryDevice;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.KvCache;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The memory that a device needs for a model and one full batch, by the buffers that the work itself asks a {@link DryDevice} for. A text
 * that is longer than a batch needs more.
 */
public final class BatchMemory implements AutoCloseable {
    /** What is done with a batch. */
    public interface Use {
        /** A pass through the layers that is not continued. */
        Use PASS = (forward, tokens) ->
                KvCache.passing(forward.model().device(), forward.model().config(), tokens);

        /** Texts that are continued. */
        Use GENERATION = (forward, tokens) -> {
            Device device = forward.model().device();
            ModelConfig config = forward.model().config();
            Resources owned = new Resources();
            owned.own(KvCache.generating(device, config, Generator.slots(tokens)));
            owned.own(device.allocate("logits", (long) Generator.rows(tokens) * config.vocabulary()));
            return owned;
        };

        /**
         * A sweep over all heads.
         *
         * @param again whether it is done again with heads ablated
         */
        static Use sweep(PositionScope scope, boolean renormalize, boolean again) {
            return (forward, tokens) -> sweep(forward, tokens, scope, renormalize, again);
        }

        /** Allocates what the work with a batch of {@code tokens} tokens needs beside a forward pass. */
        AutoCloseable allocate(ForwardPass forward, int tokens);

        private static AutoCloseable sweep(
                ForwardPass forward, int tokens, PositionScope scope, boolean renormalize, boolean again) {
            ModelConfig config = forward.model().config();
            float[] weight = new float[config.hidden()];
            weight[0] = 1;
            LinearProbe probe = new LinearProbe(weight, 0, LinearProbe.LAST, Map.of());
            List<ProbeText> texts = new ArrayList<>();
            for (int left = tokens; left > 0; left -= SWEPT) {
                int length = Math.min(left, SWEPT);
                texts.add(new ProbeText("", new int[length], 0, Math.max(0, length - CLOSING)));
            }
            Resources owned = new Resources();
            ProbeScorer scorer = owned.own(new ProbeScorer(forward, probe, "of a plan"));
            HeadMask chosen = new HeadMask(config.layers(), config.heads(), scope, renormalize);
            owned.own(new SweepGroup(scorer, texts, again ? chosen.ablate(0, 0) : chosen));
            return owned;
        }
    }

    /** Length of a text that is swept, and of its closing tokens. */
    private static final int SWEPT = 512;

    private static final int CLOSING = 4;
    /** What larger batches need is reckoned from one of as many tokens. */
    private static final int MOST = 1 << 20;

    private final Resources opened = new Resources();
    private final DryDevice device;
    private final Model model;
    private final Use use;

    /**
     * @param folder the model's, of which only the headers are read
     * @param like the device that the work is for
     */
    public BatchMemory(Path folder, Device like, Use use) {
        this.use = use;
        // The time is not asked for.
        device = new DryDevice(like, new DevicePeaks(1, 1));
        model = opened.own(Model.outline(folder, device));
    }

    /** Bytes for the weights and batches of {@code tokens} tokens. */
    public long bytes(int tokens) {
        int most = Math.min(tokens, MOST);
        device.work();
        try (ForwardPass forward = new ForwardPass(model, most);
                Resources owned = new Resources()) {
            owned.own(use.allocate(forward, most));
        }
        long bytes = device.work().memory();
        return tokens == most ? bytes : bytes / most * tokens;
    }

    @Override
    public void close() {
        opened.close();
    }
}
