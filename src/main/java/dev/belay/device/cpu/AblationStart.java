package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[g·T + t, :] = x[t, :] + s[t, g] · (attention[t, :] − out[g·T + t, :]); one row of the task is one (g, t). */
final class AblationStart extends RowTask {
    private MemorySegment x;
    private MemorySegment attention;
    private MemorySegment out;
    private MemorySegment norms;
    private int groups;
    private int tokens;
    private int width;

    void run(
            ThreadTeam team,
            CpuBuffer x,
            CpuBuffer attention,
            CpuBuffer norms,
            int groups,
            int tokens,
            int width,
            CpuBuffer out,
            long outOffset) {
        this.x = x.segment();
        this.attention = attention.segment();
        this.out = out.segment().asSlice(outOffset * Float.BYTES);
        this.norms = norms == null ? null : norms.segment();
        this.groups = groups;
        this.tokens = tokens;
        this.width = width;
        over(team, groups * tokens, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int r = from; r < to; r++) {
            float s = norms == null ? 1f : norms.getAtIndex(JAVA_FLOAT, r % tokens * groups + r / tokens);
            long token = 4L * (r % tokens) * width;
            long row = 4L * r * width;
            int i = 0;
            for (; i < bound(width); i += LANES) {
                FloatVector whole = FloatVector.fromMemorySegment(SPECIES, attention, token + 4L * i, ORDER);
                FloatVector away = FloatVector.fromMemorySegment(SPECIES, out, row + 4L * i, ORDER);
                FloatVector before = FloatVector.fromMemorySegment(SPECIES, x, token + 4L * i, ORDER);
                whole.sub(away)
                        .fma(FloatVector.broadcast(SPECIES, s), before)
                        .intoMemorySegment(out, row + 4L * i, ORDER);
            }
            for (; i < width; i++) {
                float left = attention.get(JAVA_FLOAT, token + 4L * i) - out.get(JAVA_FLOAT, row + 4L * i);
                out.set(JAVA_FLOAT, row + 4L * i, x.get(JAVA_FLOAT, token + 4L * i) + s * left);
            }
        }
    }
}
