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
            copy(in, (long) r * stride + column, width, out, (long) r * width, true);
        }
    }

    /** Copies {@code width} float32 elements from element {@code source} on, rounded if they become bfloat16. */
    static void copy(MemorySegment in, long source, int width, MemorySegment out, long target, boolean bfloat16) {
        int i = 0;
        for (; i < bound(width); i += LANES) {
            Cells.store(Cells.load(in, source + i, false), out, target + i, bfloat16);
        }
        for (; i < width; i++) {
            Cells.set(out, target + i, Cells.get(in, source + i, false), bfloat16);
        }
    }
}
