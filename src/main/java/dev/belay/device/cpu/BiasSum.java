package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** x[t, :] += bias. */
final class BiasSum extends RowTask {
    private MemorySegment x;
    private MemorySegment bias;
    private long offset;
    private int width;

    void run(ThreadTeam team, CpuBuffer x, long offset, int tokens, int width, CpuBuffer bias) {
        this.x = x.segment();
        this.bias = bias.segment();
        this.offset = offset;
        this.width = width;
        over(team, tokens, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            add(x, 4 * (offset + (long) t * width), bias, 0, width);
        }
    }

    /** Adds {@code width} numbers of {@code bias}, from byte {@code from} on, to those of {@code row} from byte {@code start} on. */
    static void add(MemorySegment row, long start, MemorySegment bias, long from, int width) {
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector b = FloatVector.fromMemorySegment(SPECIES, bias, from + 4L * i, ORDER);
            FloatVector.fromMemorySegment(SPECIES, row, start + 4L * i, ORDER)
                    .add(b)
                    .intoMemorySegment(row, start + 4L * i, ORDER);
        }
        for (; i < width; i++) {
            float sum = row.get(JAVA_FLOAT, start + 4L * i) + bias.get(JAVA_FLOAT, from + 4L * i);
            row.set(JAVA_FLOAT, start + 4L * i, sum);
        }
    }
}
