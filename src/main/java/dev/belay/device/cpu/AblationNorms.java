package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.MemorySegment;

/** norms[t, g] = ‖z[t]‖ / ‖z[t] ∘ γ without head chosen[g]‖, or 1 where nothing is left; squares are summed in float64. */
final class AblationNorms extends RowTask {
    private MemorySegment z;
    private boolean bfloat16;
    private float[] factors;
    private int[] chosen;
    private int heads;
    private int headSize;
    private MemorySegment norms;

    void run(
            ThreadTeam team,
            CpuBuffer z,
            float[] factors,
            int[] chosen,
            int tokens,
            int heads,
            int headSize,
            CpuBuffer norms) {
        this.z = z.segment();
        bfloat16 = z.bfloat16();
        this.factors = factors;
        this.chosen = chosen;
        this.heads = heads;
        this.headSize = headSize;
        this.norms = norms.segment();
        over(team, tokens, heads * (headSize + chosen.length));
    }

    @Override
    void rows(int from, int to, int worker) {
        double[] squares = new double[heads];
        for (int t = from; t < to; t++) {
            double before = 0;
            for (int h = 0; h < heads; h++) {
                squares[h] = square((long) t * heads + h);
                before += squares[h];
            }
            for (int g = 0; g < chosen.length; g++) {
                double left = 0;
                for (int h = 0; h < heads; h++) {
                    left += h == chosen[g] ? 0 : (double) factors[h] * factors[h] * squares[h];
                }
                float norm = left == 0 ? 1f : (float) Math.sqrt(before / left);
                norms.setAtIndex(JAVA_FLOAT, (long) t * chosen.length + g, norm);
            }
        }
    }

    /** The squared norm of a head's output, the {@code row}-th of all tokens. */
    private double square(long row) {
        double sum = 0;
        for (long i = row * headSize; i < (row + 1) * headSize; i++) {
            double v = Cells.get(z, i, bfloat16);
            sum += v * v;
        }
        return sum;
    }
}
