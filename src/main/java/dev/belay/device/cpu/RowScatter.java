package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[rows[i], :] += weights[i] · in[i, :]; no row twice. */
final class RowScatter extends RowTask {
    private MemorySegment in;
    private MemorySegment out;
    private int[] rows;
    private float[] weights;
    private int width;

    void run(ThreadTeam team, CpuBuffer in, int[] rows, float[] weights, int count, int width, CpuBuffer out) {
        this.in = in.segment();
        this.out = out.segment();
        this.rows = rows;
        this.weights = weights;
        this.width = width;
        over(team, count, 2 * width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int r = from; r < to; r++) {
            long source = 4L * r * width;
            long target = 4L * rows[r] * width;
            float weight = weights[r];
            int i = 0;
            for (; i < bound(width); i += LANES) {
                FloatVector sum = FloatVector.fromMemorySegment(SPECIES, out, target + 4L * i, ORDER);
                FloatVector.fromMemorySegment(SPECIES, in, source + 4L * i, ORDER)
                        .fma(FloatVector.broadcast(SPECIES, weight), sum)
                        .intoMemorySegment(out, target + 4L * i, ORDER);
            }
            for (; i < width; i++) {
                float sum = out.get(JAVA_FLOAT, target + 4L * i);
                out.set(JAVA_FLOAT, target + 4L * i, Math.fma(in.get(JAVA_FLOAT, source + 4L * i), weight, sum));
            }
        }
    }
}
