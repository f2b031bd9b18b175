package dev.belay.weights;

/**
 * The names, types and shapes of another source's tensors, with zeros in place of their numbers, so that no file is read. Segments are
 * views of the file, mapped but not read.
 */
public final class TensorOutline extends TensorView {
    /** @param tensors what it stands for; closed with it */
    public TensorOutline(TensorSource tensors) {
        super(tensors);
    }

    @Override
    public float[] floats(String name) {
        return new float[Math.toIntExact(tensor(name).elements())];
    }
}
