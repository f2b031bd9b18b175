package dev.belay.weights;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SequencedSet;

/** Another source's tensors, of which subclasses show something else; closed with it. */
public abstract class TensorView implements TensorSource {
    /** What it stands for. */
    protected final TensorSource tensors;

    protected TensorView(TensorSource tensors) {
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

    @Override
    public MemorySegment segment(String name) {
        return tensors.segment(name);
    }

    @Override
    public void close() {
        tensors.close();
    }
}
