package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/** Elements of memory that holds float32 or bfloat16, one by one and as many as a vector has lanes. */
final class Cells {
    private static final ByteOrder ORDER = ByteOrder.nativeOrder();
    private static final VectorSpecies<Integer> INTEGERS = VectorSpecies.of(int.class, RowTask.SPECIES.vectorShape());
    private static final VectorSpecies<Short> HALVES =
            VectorSpecies.of(short.class, VectorShape.forBitSize(RowTask.SPECIES.vectorBitSize() / 2));
    private static final int QUIET = 0x40;

    private Cells() {}

    /** Stores {@code v} from element {@code index} on; bfloat16 is rounded to nearest, ties to even. */
    static void store(FloatVector v, MemorySegment memory, long index, boolean bfloat16) {
        if (!bfloat16) {
            v.intoMemorySegment(memory, 4 * index, ORDER);
            return;
        }
        IntVector bits = v.reinterpretAsInts();
        IntVector upper = bits.lanewise(VectorOperators.LSHR, 16);
        IntVector rounded = bits.add(upper.and(1)).add(0x7FFF).lanewise(VectorOperators.LSHR, 16);
        rounded = rounded.blend(upper.or(QUIET), v.test(VectorOperators.IS_NAN).cast(INTEGERS));
        rounded.convertShape(VectorOperators.I2S, HALVES, 0)
                .reinterpretAsShorts()
                .intoMemorySegment(memory, 2 * index, ORDER);
    }

    /** The elements from {@code index} on. */
    static FloatVector load(MemorySegment memory, long index, boolean bfloat16) {
        if (!bfloat16) {
            return FloatVector.fromMemorySegment(RowTask.SPECIES, memory, 4 * index, ORDER);
        }
        IntVector bits = (IntVector) ShortVector.fromMemorySegment(HALVES, memory, 2 * index, ORDER)
                .convertShape(VectorOperators.S2I, INTEGERS, 0);
        return bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    static void set(MemorySegment memory, long index, float value, boolean bfloat16) {
        if (bfloat16) {
            memory.setAtIndex(JAVA_SHORT, index, TensorValues.floatToBfloat16(value));
        } else {
            memory.setAtIndex(JAVA_FLOAT, index, value);
        }
    }

    static float get(MemorySegment memory, long index, boolean bfloat16) {
        return bfloat16
                ? TensorValues.bfloat16ToFloat(memory.getAtIndex(JAVA_SHORT, index))
                : memory.getAtIndex(JAVA_FLOAT, index);
    }
}
