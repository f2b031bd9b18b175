package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/** out[t, :] = x[t, :] / √(mean(x[t, :]²) + eps) · weight. */
final class RmsNorm extends RowTask {
    private MemorySegment x;
    private MemorySegment weight;
    private MemorySegment out;
    private float eps;
    private int width;

    void run(ThreadTeam team, CpuBuffer x, CpuBuffer weight, float eps, int tokens, int width, CpuBuffer out) {
        this.x = x.segment();
        this.weight = weight.segment();
        this.out = out.segment();
        this.eps = eps;
        this.width = width;
        over(team, tokens, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int t = from; t < to; t++) {
            long row = (long) t * width * Float.BYTES;
            float scale = (float) (1.0 / Math.sqrt(sumOfSquares(row) / width + eps));
            scale(row, scale);
        }
    }

    private float sumOfSquares(long row) {
        FloatVector sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector v = FloatVector.fromMemorySegment(SPECIES, x, row + 4L * i, ORDER);
            sums = v.fma(v, sums);
        }
        float sum = VectorMath.sum(sums);
        for (; i < width; i++) {
            float v = x.get(JAVA_FLOAT, row + 4L * i);
            sum += v * v;
        }
        return sum;
    }

    private void scale(long row, float scale) {
        int i = 0;
        for (; i < bound(width); i += LANES) {
            FloatVector.fromMemorySegment(SPECIES, x, row + 4L * i, ORDER)
                    .mul(scale)
                    .mul(FloatVector.fromMemorySegment(SPECIES, weight, 4L * i, ORDER))
                    .intoMemorySegment(out, row + 4L * i, ORDER);
        }
        for (; i < width; i++) {
            out.set(JAVA_FLOAT, row + 4L * i, x.get(JAVA_FLOAT, row + 4L * i) * scale * weight.get(JAVA_FLOAT, 4L * i));
        }
    }
}
