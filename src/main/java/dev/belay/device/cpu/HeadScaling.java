package dev.belay.device.cpu;

import dev.belay.device.HeadScaleTable;
import java.lang.foreign.MemorySegment;

/** z[t, h, :] *= γ[set of t, h]; where the set asks for it, all of z[t] is then rescaled to the norm it had. */
final class HeadScaling extends RowTask {
    private MemorySegment z;
    private boolean bfloat16;
    private HeadScaleTable table;
    private int heads;
    private int headSize;

    void run(ThreadTeam team, CpuBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        this.z = z.segment();
        bfloat16 = z.bfloat16();
        this.table = table;
        this.heads = heads;
        this.headSize = headSize;
        over(team, tokens, heads * headSize);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            int set = table.setOf(t);
            if (set == HeadScaleTable.NONE) {
                continue;
            }
            long row = (long) t * heads * headSize;
            if (!table.renormalize(set)) {
                scale(row, set, 1f);
                continue;
            }
            double before = 0;
            double after = 0;
            for (int h = 0; h < heads; h++) {
                double norm = squaredNorm(row + (long) h * headSize);
                double gamma = table.factor(set, h);
                before += norm;
                after += gamma * gamma * norm;
            }
            scale(row, set, after == 0 ? 1f : (float) Math.sqrt(before / after));
        }
    }

    private double squaredNorm(long start) {
        double sum = 0;
        for (int i = 0; i < headSize; i++) {
            double v = Cells.get(z, start + i, bfloat16);
            sum += v * v;
        }
        return sum;
    }

    private void scale(long row, int set, float common) {
        for (int h = 0; h < heads; h++) {
            float gamma = table.factor(set, h);
            float factor = gamma * common;
            if (factor == 1f) {
                continue;
            }
            long start = row + (long) h * headSize;
            for (int i = 0; i < headSize; i++) {
                float v = Cells.get(z, start + i, bfloat16);
                Cells.set(z, start + i, gamma == 0 ? 0f : v * factor, bfloat16);
            }
        }
    }
}
