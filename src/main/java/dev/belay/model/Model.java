package dev.belay.model;

import dev.belay.device.Device;
import dev.belay.weights.RoundedTensors;
import dev.belay.weights.SafetensorsModel;
import dev.belay.weights.TensorOutline;
import dev.belay.weights.TensorSource;
import java.nio.file.Path;
import java.util.function.IntConsumer;
import java.util.function.UnaryOperator;

/** A model folder, opened: its configuration, its mapped files and its weights on a device. */
public final class Model implements AutoCloseable {
    private final Path folder;
    private final ModelConfig config;
    private final TensorSource tensors;
    private final Device device;
    private final ModelWeights weights;

    private Model(Path folder, ModelConfig config, TensorSource tensors, Device device, ModelWeights weights) {
        this.folder = folder;
        this.config = config;
        this.tensors = tensors;
        this.device = device;
        this.weights = weights;
    }

    /**
     * Opens a model folder and copies its weights to {@code device}, which stays the caller's to close.
     *
     * @param progress called with the number of layers done
     * @throws dev.belay.BelayException if something in the folder is missing, malformed or not supported
     */
    public static Model load(Path folder, Device device, IntConsumer progress) {
        return open(folder, tensors -> tensors, device, progress);
    }

    /**
     * As {@link #load}, with weights changed as rounding to bfloat16 changes them, see {@link RoundedTensors}.
     *
     * @throws dev.belay.BelayException as {@link #load}
     */
    public static Model rounded(Path folder, Device device) {
        return open(folder, RoundedTensors::new, device, layer -> {});
    }

    /**
     * Opens a model folder for a device that computes nothing: the shapes are the model's, but no weights are read.
     *
     * @throws dev.belay.BelayException if something in the folder is missing, malformed or not supported
     */
    public static Model outline(Path folder, Device device) {
        return open(folder, TensorOutline::new, device, layer -> {});
    }

    /** @param view what of the files' tensors is computed with; the configuration is that of the files */
    private static Model open(Path folder, UnaryOperator<TensorSource> view, Device device, IntConsumer progress) {
        ModelConfig config = ModelConfig.read(folder);
        TensorSource tensors = config.description().tensors(SafetensorsModel.open(folder));
        try {
            ModelConfig c = config.with(tensors);
            TensorSource seen = view.apply(tensors);
            return new Model(folder, c, seen, device, ModelWeights.load(seen, c, device, progress));
        } catch (RuntimeException | Error e) {
            tensors.close();
            throw e;
        }
    }

    /**
     * This model with its operations done by {@code front}, a device that stands before the one that holds the weights. It shares them:
     * only this one is to be closed.
     */
    public Model through(Device front) {
        return new Model(folder, config, tensors, front, weights);
    }

    /** The folder. */
    public Path folder() {
        return folder;
    }

    /** The configuration. */
    public ModelConfig config() {
        return config;
    }

    /** The files, for reading a tensor on the host. */
    public TensorSource tensors() {
        return tensors;
    }

    /** The device that holds the weights. */
    public Device device() {
        return device;
    }

    /** The weights. */
    public ModelWeights weights() {
        return weights;
    }

    @Override
    public void close() {
        weights.close();
        tensors.close();
    }
}
