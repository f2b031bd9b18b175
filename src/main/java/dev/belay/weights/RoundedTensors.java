package dev.belay.weights;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Another source's weights, changed as rounding to bfloat16 changes them: F32, F16 and BF16 tensors show as F32. A tensor that is all bfloat16
 * already would stay as it is and tell nothing; there every number is moved by up to half a unit in its last place, evenly and the
 * same way each time, as rounding would have moved it. A tensor of which only a few numbers are no bfloat16 hardly changes. Each call computes
 * a segment anew.
 */
public final class RoundedTensors extends TensorView {
    private static final int FRACTION_BITS = 7;

    /** @param tensors what it stands for; closed with it */
    public RoundedTensors(TensorSource tensors) {
        super(tensors);
    }

    private static boolean isWeight(TensorInfo tensor) {
        return tensor.type() == TensorType.F32 || tensor.type() == TensorType.F16 || tensor.type() == TensorType.BF16;
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return tensors.find(name).map(tensor -> isWeight(tensor) ? rounded(tensor) : tensor);
    }

    private static TensorInfo rounded(TensorInfo tensor) {
        TensorType type = TensorType.F32;
        return new TensorInfo(tensor.name(), type, tensor.shape(), tensor.offset(), tensor.elements() * type.bytes());
    }

    @Override
    public MemorySegment segment(String name) {
        TensorInfo tensor = tensors.tensor(name);
        MemorySegment stored = tensors.segment(name);
        if (!isWeight(tensor)) {
            return stored;
        }
        MemorySegment segment = Arena.ofAuto().allocate(rounded(tensor).bytes());
        boolean rounds = TensorValues.roundsToBfloat16(stored, tensor.type());
        SplittableRandom random = new SplittableRandom(name.hashCode());
        for (long i = 0; i < tensor.elements(); i++) {
            float value = TensorValues.floatAt(stored, tensor.type(), i);
            value = rounds
                    ? TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(value))
                    : value + (random.nextFloat() - 0.5f) * unit(value);
            TensorValues.putFloat(segment, TensorType.F32, i, value);
        }
        return segment;
    }

    /** The distance to the next bfloat16; that of zero, which rounding leaves as it is, is 0. */
    private static float unit(float value) {
        return value == 0 ? 0 : Math.scalb(1f, Math.getExponent(value) - FRACTION_BITS);
    }
}
