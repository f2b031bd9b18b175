package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[t, i] = silu(gate) · up with gate = gateUp[t, i], up = gateUp[t, F + i] and silu(g) = g / (1 + exp(−g)). */
final class SwiGlu extends RowTask {
    private MemorySegment gateUp;
    private MemorySegment out;
    private int width;

    void run(ThreadTeam team, CpuBuffer gateUp, int tokens, int width, CpuBuffer out) {
        this.gateUp = gateUp.segment();
        this.out = out.segment();
        this.width = width;
        over(team, tokens, 4 * width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            long gate = 2L * t * width * Float.BYTES;
            long up = gate + 4L * width;
            long target = (long) t * width * Float.BYTES;
            int i = 0;
            for (; i < bound(width); i += LANES) {
                FloatVector g = FloatVector.fromMemorySegment(SPECIES, gateUp, gate + 4L * i, ORDER);
                FloatVector u = FloatVector.fromMemorySegment(SPECIES, gateUp, up + 4L * i, ORDER);
                FloatVector denominator = VectorMath.exp(g.neg()).add(1f);
                g.div(denominator).mul(u).intoMemorySegment(out, target + 4L * i, ORDER);
            }
            for (; i < width; i++) {
                float g = gateUp.get(JAVA_FLOAT, gate + 4L * i);
                float u = gateUp.get(JAVA_FLOAT, up + 4L * i);
                out.set(JAVA_FLOAT, target + 4L * i, g / (VectorMath.exp(-g) + 1f) * u);
            }
        }
    }
}
