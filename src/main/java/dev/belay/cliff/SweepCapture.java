package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HookPoint;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Keeps, on the device, what an ablation of any head starts from: the residual stream H[l] [C, D] and the head outputs z[l]
 * [C, H·HD] of every layer below the probe's, at the tokens that change; in the last of them only at the last token of each
 * transcript.
 */
final class SweepCapture implements ActivationCapture, AutoCloseable {
    private final Device device;
    private final int layers;
    private final int transcripts;
    /** Of each transcript: the first position that changes, its place among all that change, and the last position. */
    private final int[] from;

    private final int[] place;
    private final int[] last;
    private final int changed;
    private final int[] identity;
    private int[] indices = new int[16];
    private final List<DeviceBuffer> residuals = new ArrayList<>();
    private final List<DeviceBuffer> headOutputs = new ArrayList<>();

    SweepCapture(Device device, ModelConfig config, int layers, List<ProbeText> probes, int[] from) {
        this.device = device;
        this.layers = layers;
        this.from = from;
        transcripts = probes.size();
        place = new int[transcripts];
        last = new int[transcripts];
        int places = 0;
        for (int i = 0; i < transcripts; i++) {
            last[i] = probes.get(i).ids().length - 1;
            place[i] = places;
            places += Math.max(0, last[i] + 1 - from[i]);
        }
        changed = places;
        identity = IntStream.range(0, Math.max(changed, transcripts)).toArray();
        try {
            for (int l = 0; l < layers; l++) {
                residuals.add(device.allocate("sweep residual stream", (long) tokens(l) * config.hidden()));
                headOutputs.add(device.allocateRounded(
                        "sweep head outputs",
                        (long) tokens(l) * config.attention().queryWidth()));
            }
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** C, the tokens that change. */
    int changed() {
        return Math.max(changed, transcripts);
    }

    /** Tokens kept in a layer: C, or in the last one the number of transcripts. */
    int tokens(int layer) {
        return layer == layers - 1 ? transcripts : changed;
    }

    /** 0, 1, 2, …, at least as many as any layer keeps. */
    int[] identity() {
        return identity;
    }

    /** H[l] at the tokens kept. */
    DeviceBuffer residual(int layer) {
        return residuals.get(layer);
    }

    /** z[l] at the tokens kept, as they were before any scaling. */
    DeviceBuffer headOutputs(int layer) {
        return headOutputs.get(layer);
    }

    @Override
    public boolean wants(HookPoint point) {
        return point.index() < layers;
    }

    @Override
    public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
        int layer = point.index();
        boolean residual = point.kind() == HookPoint.Kind.RESIDUAL;
        DeviceBuffer target = residual ? residuals.get(layer) : headOutputs.get(layer);
        int taken = 0;
        int first = 0;
        for (int t = 0; t < layout.tokens(); t++) {
            int text = layout.row(t);
            int position = layout.position(t);
            if (position < (layer == layers - 1 ? last[text] : from[text])) {
                continue;
            }
            if (taken == 0) {
                first = layer == layers - 1 ? text : place[text] + position - from[text];
            }
            if (taken == indices.length) {
                indices = Arrays.copyOf(indices, 2 * taken);
            }
            indices[taken++] = t;
        }
        if (taken > 0) {
            DeviceBuffer part = target.slice((long) first * width, (long) taken * width);
            device.gather(values, indices, taken, width, part);
        }
        return taken;
    }

    @Override
    public void close() {
        residuals.forEach(DeviceBuffer::close);
        headOutputs.forEach(DeviceBuffer::close);
    }
}
