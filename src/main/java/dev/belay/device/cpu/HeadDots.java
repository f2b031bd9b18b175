package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/** out[t, h] = z[t, h, :] · u[h, :], or z[t, :] · u[h, :] where all heads share the row; accumulated in float64. */
final class HeadDots extends RowTask {
    private MemorySegment z;
    private MemorySegment u;
    private boolean bfloat16;
    private float[] out;
    private int heads;
    private int headSize;
    private boolean shared;

    void run(
            ThreadTeam team,
            CpuBuffer z,
            CpuBuffer u,
            int tokens,
            int heads,
            int headSize,
            boolean shared,
            float[] out) {
        this.z = z.segment();
        this.u = u.segment();
        bfloat16 = z.bfloat16();
        this.out = out;
        this.heads = heads;
        this.headSize = headSize;
        this.shared = shared;
        over(team, tokens, heads * headSize);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int i = from * heads; i < to * heads; i++) {
            long head = (long) (shared ? i / heads : i) * headSize;
            long direction = (long) (i % heads) * headSize;
            double sum = 0;
            for (int d = 0; d < headSize; d++) {
                sum += (double) Cells.get(z, head + d, bfloat16) * u.getAtIndex(JAVA_FLOAT, direction + d);
            }
            out[i] = (float) sum;
        }
    }
}
