package dev.belay.forward;

import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;

/** Measures how fast a model computes batches of some size, in a few of its layers. */
public final class BatchSpeed {
    private static final int LAYERS = 4;
    private static final int TEXT = 256;
    /** Passes are repeated as often at most, and no longer than so many seconds, once they no longer become faster by this factor. */
    private static final int MOST_RUNS = 8;

    private static final double MOST_SECONDS = 2;
    private static final double FASTER = 0.9;

    private final Model model;
    private final ModelConfig config;
    private final int layers;

    public BatchSpeed(Model model) {
        this.model = model;
        config = model.config();
        layers = Math.min(LAYERS, config.layers());
    }

    /**
     * Tokens a second in passes of {@code tokens} tokens through those layers.
     *
     * @param textTokens tokens that each text of the batch has: 1 for a step of generation
     * @throws dev.belay.device.DeviceMemoryException if there is no room for the batch
     */
    public double tokensPerSecond(int tokens, int textTokens) {
        Batch batch = new Batch();
        for (int at = 0; at < tokens; at += textTokens) {
            int[] ids = new int[Math.min(textTokens, tokens - at)];
            for (int i = 0; i < ids.length; i++) {
                ids[i] = (at + i) % config.vocabulary();
            }
            batch.addText(ids, at, TextSpan.plain(ids.length));
        }
        Hooks hooks = new Hooks(HeadScales.shared(null), ActivationCapture.NONE, new HookReport());
        try (ForwardPass forward = new ForwardPass(model, tokens);
                KvCache cache = KvCache.passing(model.device(), config, tokens)) {
            return tokens
                    / best(() -> {
                        forward.unnormed(batch, layers, cache, hooks, false);
                        // Waits until the device is done.
                        forward.residual().read(0, new float[1], 0, 1);
                    });
        }
    }

    /** As {@link #tokensPerSecond(int, int)} for texts of a usual length. */
    public double tokensPerSecond(int tokens) {
        return tokensPerSecond(tokens, Math.min(TEXT, config.positions()));
    }

    /** Seconds of the fastest of some runs; the first ones compile code, and do not count where others are faster. */
    private static double best(Runnable pass) {
        double best = Double.MAX_VALUE;
        double sum = 0;
        for (int i = 0; i < MOST_RUNS; i++) {
            long start = System.nanoTime();
            pass.run();
            double took = (System.nanoTime() - start) / 1e9;
            boolean settled = i > 0 && took > FASTER * best;
            best = Math.min(best, took);
            sum += took;
            if (settled || sum > MOST_SECONDS) {
                break;
            }
        }
        return best;
    }
}
