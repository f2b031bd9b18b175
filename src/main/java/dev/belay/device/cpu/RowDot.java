package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/** out[t] = x[t, :] · vector, accumulated in float64. */
final class RowDot extends RowTask {
    private MemorySegment x;
    private MemorySegment vector;
    private float[] out;
    private int width;

    void run(ThreadTeam team, CpuBuffer x, CpuBuffer vector, int tokens, int width, float[] out) {
        this.x = x.segment();
        this.vector = vector.segment();
        this.out = out;
        this.width = width;
        over(team, tokens, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            double sum = 0;
            long row = (long) t * width;
            for (int i = 0; i < width; i++) {
                sum += (double) x.getAtIndex(JAVA_FLOAT, row + i) * vector.getAtIndex(JAVA_FLOAT, i);
            }
            out[t] = (float) sum;
        }
    }
}
