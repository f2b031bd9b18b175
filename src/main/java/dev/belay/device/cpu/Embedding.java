package dev.belay.device.cpu;

import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;

/** out[t, :] = table[id(t), :], in float32. */
final class Embedding extends RowTask {
    private CpuMatrix table;
    private TokenLayout layout;
    private MemorySegment out;

    void run(ThreadTeam team, CpuMatrix table, TokenLayout layout, CpuBuffer out) {
        this.table = table;
        this.layout = layout;
        this.out = out.segment();
        over(team, layout.tokens(), table.columns());
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            table.copyRow(layout.id(t), out, (long) t * table.columns());
        }
    }
}
