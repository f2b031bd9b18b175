package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;

/** out[i, :] = in[indices[i], :]. */
final class RowGather extends RowTask {
    private MemorySegment in;
    private MemorySegment out;
    private int[] indices;
    private int width;
    private long elementBytes;

    void run(ThreadTeam team, CpuBuffer in, int[] indices, int count, int width, CpuBuffer out) {
        this.in = in.segment();
        this.out = out.segment();
        this.indices = indices;
        this.width = width;
        elementBytes = in.elementBytes();
        over(team, count, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int i = from; i < to; i++) {
            long bytes = elementBytes * width;
            MemorySegment.copy(in, indices[i] * bytes, out, i * bytes, bytes);
        }
    }
}
