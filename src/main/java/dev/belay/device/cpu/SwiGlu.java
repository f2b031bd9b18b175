package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[t, i] = silu(gate) · up with gate = gateUp[t, i], up = gateUp[t, F + i] and silu(g) = g / (1 + exp(−g)). */
final class SwiGlu extends RowTask {
    private MemorySegment gateUp;
    private MemorySegment out;
    private boolean bfloat16;
    private int width;

    void run(ThreadTeam team, CpuBuffer gateUp, int tokens, int width, CpuBuffer out) {
        this.gateUp = gateUp.segment();
        this.out = out.segment();
        bfloat16 = out.bfloat16();
        this.width = width;
        over(team, tokens, 4 * width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            long gate = 2L * t * width;
            activate(gateUp, gate, gate + width, width, out, (long) t * width, bfloat16);
        }
    }

    /** The row whose gates and ups begin at elements {@code gate} and {@code up} of {@code in}. */
    static void activate(
            MemorySegment in, long gate, long up, int width, MemorySegment out, long target, boolean bfloat16) {
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector g = Cells.load(in, gate + i, false);
            FloatVector denominator = VectorMath.exp(g.neg()).add(1f);
            FloatVector activated = g.div(denominator).mul(Cells.load(in, up + i, false));
            Cells.store(activated, out, target + i, bfloat16);
        }
        for (; i < width; i++) {
            float g = Cells.get(in, gate + i, false);
            float activated = g / (VectorMath.exp(-g) + 1f) * Cells.get(in, up + i, false);
            Cells.set(out, target + i, activated, bfloat16);
        }
    }
}
