package dev.belay.weights;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SequencedSet;

/** The names, types and shapes of another source's tensors, with zeros in place of their numbers, so that no file is read. */
public final class TensorOutline implements TensorSource {
    private final TensorSource tensors;

    /** @param tensors what it stands for; closed with it */
    public TensorOutline(TensorSource tensors) {
        this.tensors = tensors;
    }

    @Override
    public Path path() {
        return tensors.path();
    }

    @Override
    public SequencedSet<String> names() {
        return tensors.names();
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return tensors.find(name);
    }

    /** The view of the file, mapped but not read. */
    @Override
    public MemorySegment segment(String name) {
        return tensors.segment(name);
    }

    @Override
    public float[] floats(String name) {
        return new float[Math.toIntExact(tensor(name).elements())];
    }

    @Override
    public void close() {
        tensors.close();
    }
}
