package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;

/** Copies columns [column, column + width) of the rows of a float32 matrix into a packed bfloat16 one. */
final class RoundRows extends RowTask {
    private MemorySegment in;
    private MemorySegment out;
    private int stride;
    private int column;
    private int width;

    void run(ThreadTeam team, CpuBuffer in, int stride, int column, int rows, int width, CpuBuffer out) {
        this.in = in.segment();
        this.out = out.segment();
        this.stride = stride;
        this.column = column;
        this.width = width;
        over(team, rows, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int r = from; r < to; r++) {
            long source = (long) r * stride + column;
            long target = (long) r * width;
            int i = 0;
            for (; i < bound(width); i += LANES) {
                Cells.store(Cells.load(in, source + i, false), out, target + i, true);
            }
            for (; i < width; i++) {
                Cells.set(out, target + i, Cells.get(in, source + i, false), true);
            }
        }
    }
}
