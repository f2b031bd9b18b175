package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[t, :] = x[t, :] / √(mean(x[t, :]²) + eps) · weight. */
final class RmsNorm extends RowTask {
    private MemorySegment x;
    private MemorySegment weight;
    private MemorySegment out;
    private boolean bfloat16;
    private float eps;
    private int width;

    void run(ThreadTeam team, CpuBuffer x, CpuBuffer weight, float eps, int tokens, int width, CpuBuffer out) {
        this.x = x.segment();
        this.weight = weight.segment();
        this.out = out.segment();
        bfloat16 = out.bfloat16();
        this.eps = eps;
        this.width = width;
        over(team, tokens, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            normalize(x, (long) t * width, weight, eps, width, out, (long) t * width, bfloat16);
        }
    }

    /** Norms the row of {@code width} elements of {@code x} from element {@code source} on. */
    static void normalize(
            MemorySegment x,
            long source,
            MemorySegment weight,
            float eps,
            int width,
            MemorySegment out,
            long target,
            boolean bfloat16) {
        float scale = (float) (1.0 / Math.sqrt(sumOfSquares(x, source, width) / width + eps));
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector normed = Cells.load(x, source + i, false).mul(scale).mul(Cells.load(weight, i, false));
            Cells.store(normed, out, target + i, bfloat16);
        }
        for (; i < width; i++) {
            float normed = Cells.get(x, source + i, false) * scale * Cells.get(weight, i, false);
            Cells.set(out, target + i, normed, bfloat16);
        }
    }

    private static float sumOfSquares(MemorySegment x, long source, int width) {
        FloatVector sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector v = Cells.load(x, source + i, false);
            sums = v.fma(v, sums);
        }
        float sum = VectorMath.sum(sums);
        for (; i < width; i++) {
            float v = Cells.get(x, source + i, false);
            sum += v * v;
        }
        return sum;
    }
}
