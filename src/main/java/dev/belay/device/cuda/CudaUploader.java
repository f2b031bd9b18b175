package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.DType;
import dev.belay.io.Resources;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.IntStream;

/**
 * Copies weights from a mapped file to the device: several threads fill one of two pinned buffers while the device fetches the other.
 * Weights in the type that the device wants are not touched on the way.
 */
final class CudaUploader implements AutoCloseable {
    private static final int BUFFER_BYTES = 32 << 20;
    /** What one thread fills at a time. */
    private static final int SLICE = 1 << 18;

    private static final ValueLayout.OfFloat FILE_FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort FILE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final CudaQueue queue;
    private final PinnedMemory[] buffers = new PinnedMemory[2];
    private final CudaEvent[] fetched = new CudaEvent[2];
    private int next;

    CudaUploader(CudaQueue queue) {
        this.queue = queue;
    }

    /** Copies all elements of {@code source} to {@code target}, converting them to {@code to} where they are of another type. */
    void upload(MemorySegment source, TensorType from, long target, DType to) {
        long elements = source.byteSize() / from.bytes();
        int step = BUFFER_BYTES / to.bytes();
        for (long first = 0; first < elements; first += step) {
            int count = (int) Math.min(step, elements - first);
            MemorySegment pinned = nextBuffer().asSlice(0, (long) count * to.bytes());
            MemorySegment part = source.asSlice(first * from.bytes(), (long) count * from.bytes());
            fill(part, from, pinned, to, count);
            queue.upload(target + first * to.bytes(), pinned);
            fetched[next].record(queue.stream());
            next ^= 1;
        }
    }

    /** The buffer whose turn it is, when the device has fetched what was in it. */
    private MemorySegment nextBuffer() {
        if (buffers[next] == null) {
            buffers[next] = PinnedMemory.allocate(BUFFER_BYTES);
            fetched[next] = CudaEvent.create();
        }
        fetched[next].await();
        return buffers[next].segment();
    }

    private static void fill(MemorySegment source, TensorType from, MemorySegment target, DType to, int count) {
        IntStream.range(0, Math.ceilDiv(count, SLICE)).parallel().forEach(i -> {
            int first = i * SLICE;
            int end = Math.min(count, first + SLICE);
            if (from == (to == DType.F32 ? TensorType.F32 : TensorType.BF16)) {
                long size = from.bytes();
                MemorySegment.copy(source, first * size, target, first * size, (end - first) * size);
            } else {
                convert(source, from, target, to, first, end);
            }
        });
    }

    private static void convert(
            MemorySegment source, TensorType from, MemorySegment target, DType to, int first, int end) {
        for (int i = first; i < end; i++) {
            float value = switch (from) {
                case F32 -> source.get(FILE_FLOAT, (long) i * Float.BYTES);
                case F16 -> Float.float16ToFloat(source.get(FILE_SHORT, (long) i * Short.BYTES));
                case BF16 -> TensorValues.bfloat16ToFloat(source.get(FILE_SHORT, (long) i * Short.BYTES));
                default -> throw new IllegalArgumentException(from + " is no type of weights");
            };
            if (to == DType.F32) {
                target.setAtIndex(JAVA_FLOAT, i, value);
            } else {
                target.setAtIndex(JAVA_SHORT, i, TensorValues.floatToBfloat16(value));
            }
        }
    }

    /** Frees the pinned buffers when the device has fetched them; they come back with the next upload. */
    @Override
    public void close() {
        Resources all = new Resources();
        for (int i = 0; i < buffers.length; i++) {
            if (buffers[i] != null) {
                CudaEvent event = fetched[i];
                all.own(buffers[i]);
                all.own(event);
                all.own(event::await);
                buffers[i] = null;
            }
        }
        all.close();
    }
}
