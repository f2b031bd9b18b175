package dev.belay.cliff;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HookPoint;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
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
    private final int[] changed;
    private final int[] last;
    private final int[] identity;
    private final List<DeviceBuffer> residuals = new ArrayList<>();
    private final List<DeviceBuffer> headOutputs = new ArrayList<>();

    SweepCapture(Device device, ModelConfig config, int layers, List<ProbeText> probes, int[] from) {
        this.device = device;
        this.layers = layers;
        transcripts = probes.size();
        last = new int[transcripts];
        List<Integer> indices = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < transcripts; i++) {
            int length = probes.get(i).ids().length;
            for (int p = from[i]; p < length; p++) {
                indices.add(start + p);
            }
            start += length;
            last[i] = start - 1;
        }
        changed = indices.stream().mapToInt(i -> i).toArray();
        identity = IntStream.range(0, Math.max(changed.length, transcripts)).toArray();
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
        return Math.max(changed.length, transcripts);
    }

    /** Tokens kept in a layer: C, or in the last one the number of transcripts. */
    int tokens(int layer) {
        return layer == layers - 1 ? transcripts : changed.length;
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
        // In the last layer only the tokens read pass the attention: its head outputs are those of the last tokens.
        int[] indices = layer < layers - 1 ? changed : residual ? last : identity;
        DeviceBuffer target = residual ? residuals.get(layer) : headOutputs.get(layer);
        device.gather(values, indices, tokens(layer), width, target);
        return tokens(layer);
    }

    @Override
    public void close() {
        residuals.forEach(DeviceBuffer::close);
        headOutputs.forEach(DeviceBuffer::close);
    }
}
