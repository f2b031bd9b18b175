package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.fail;

import dev.belay.weights.TensorValues;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Numbers in device memory, float32 or bfloat16, that may start at an address that is no multiple of 16 bytes. Behind them lie
 * guards, NaN, which no kernel may write.
 */
final class TestArray implements AutoCloseable {
    /** How a number is stored. */
    enum Kind {
        F32(4),
        BF16(2);

        private final int bytes;

        Kind(int bytes) {
            this.bytes = bytes;
        }

        int bytes() {
            return bytes;
        }
    }

    /** Unit roundoff of bfloat16. */
    static final double BF16_UNIT = 0x1p-8;

    /** Numbers behind the array: 64 bytes at least. */
    private static final int GUARD = 37;

    private final CudaMemory memory;
    private final Kind kind;
    private final int count;
    private final int skip;

    private TestArray(CudaMemory memory, Kind kind, int count, int skip) {
        this.memory = memory;
        this.kind = kind;
        this.count = count;
        this.skip = skip;
    }

    static TestArray of(CudaContext context, String name, Kind kind, float[] values, int skip) {
        int all = skip + values.length + GUARD;
        CudaMemory memory = context.allocate(name, (long) all * kind.bytes());
        float[] guarded = new float[all];
        Arrays.fill(guarded, Float.NaN);
        System.arraycopy(values, 0, guarded, skip, values.length);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(memory.bytes());
            for (int i = 0; i < all; i++) {
                if (kind == Kind.F32) {
                    data.setAtIndex(JAVA_FLOAT, i, guarded[i]);
                } else {
                    data.setAtIndex(JAVA_SHORT, i, TensorValues.floatToBfloat16(guarded[i]));
                }
            }
            memory.write(0, data);
        }
        return new TestArray(memory, kind, values.length, skip);
    }

    static TestArray output(CudaContext context, Kind kind, int count, int skip) {
        float[] values = new float[count];
        Arrays.fill(values, Float.NaN);
        return of(context, "output", kind, values, skip);
    }

    /** Address of the first number. */
    long address() {
        return memory.address() + (long) skip * kind.bytes();
    }

    /** The numbers as they are now; fails if anything before or behind them was written. */
    float[] values() {
        float[] all = new float[skip + count + GUARD];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = arena.allocate(memory.bytes());
            memory.read(0, data);
            for (int i = 0; i < all.length; i++) {
                all[i] = kind == Kind.F32
                        ? data.getAtIndex(JAVA_FLOAT, i)
                        : TensorValues.bfloat16ToFloat(data.getAtIndex(JAVA_SHORT, i));
            }
        }
        for (int i = 0; i < all.length; i++) {
            if ((i < skip || i >= skip + count) && !Float.isNaN(all[i])) {
                fail("number " + (i - skip) + " of '" + memory.name() + "' with " + count + " numbers was written: "
                        + all[i]);
            }
        }
        return Arrays.copyOfRange(all, skip, skip + count);
    }

    @Override
    public void close() {
        memory.close();
    }
}
