package dev.belay.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Another source's tensors, with weights rounded to bfloat16: F32 and F16 ones show as BF16. Nothing is kept of a segment that was given. */
public final class RoundedTensors extends TensorView {
    /** @param tensors what it stands for; closed with it */
    public RoundedTensors(TensorSource tensors) {
        super(tensors);
    }

    private static boolean rounds(TensorInfo tensor) {
        return tensor.type() == TensorType.F32 || tensor.type() == TensorType.F16;
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return tensors.find(name).map(tensor -> rounds(tensor) ? rounded(tensor) : tensor);
    }

    private static TensorInfo rounded(TensorInfo tensor) {
        TensorType type = TensorType.BF16;
        return new TensorInfo(tensor.name(), type, tensor.shape(), tensor.offset(), tensor.elements() * type.bytes());
    }

    @Override
    public MemorySegment segment(String name) {
        TensorInfo tensor = tensors.tensor(name);
        MemorySegment stored = tensors.segment(name);
        if (!rounds(tensor)) {
            return stored;
        }
        MemorySegment segment = Arena.ofAuto().allocate(rounded(tensor).bytes());
        for (long i = 0; i < tensor.elements(); i++) {
            TensorValues.putFloat(segment, TensorType.BF16, i, TensorValues.floatAt(stored, tensor.type(), i));
        }
        return segment;
    }
}
