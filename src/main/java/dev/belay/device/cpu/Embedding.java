package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.TokenLayout;
import dev.belay.weights.TensorValues;
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
        int width = table.columns();
        MemorySegment weights = table.segment();
        for (int t = from; t < to; t++) {
            long source = table.rowOffset(layout.id(t));
            long target = (long) t * width;
            if (!table.bfloat16()) {
                MemorySegment.copy(weights, 4 * source, out, 4 * target, 4L * width);
                continue;
            }
            for (int i = 0; i < width; i++) {
                short bits = weights.getAtIndex(JAVA_SHORT, source + i);
                out.setAtIndex(JAVA_FLOAT, target + i, TensorValues.bfloat16ToFloat(bits));
            }
        }
    }
}
