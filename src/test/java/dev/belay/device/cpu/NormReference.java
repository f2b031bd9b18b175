package dev.belay.device.cpu;

import dev.belay.Closeness.Expected;

/** What {@code Device.ablationNorms} should give, in float64, for random heads with outliers; every third factor is not 1. */
public final class NormReference {
    private final float[] z;
    private final float[] factors;
    private final Expected norms;

    /** The norms of T tokens without each of the chosen heads. */
    public NormReference(int tokens, int heads, int headSize, int[] chosen) {
        this(OpData.outliers(1, tokens, heads * headSize), tokens, heads, headSize, chosen);
    }

    /** The same for given head outputs [T, H, HD]. */
    public NormReference(float[] z, int tokens, int heads, int headSize, int[] chosen) {
        this.z = z;
        factors = new float[heads];
        for (int h = 0; h < heads; h++) {
            factors[h] = h % 3 == 1 ? 0.5f : h % 3 == 2 && h > 4 ? 0 : 1;
        }
        double[] values = new double[tokens * chosen.length];
        for (int i = 0; i < values.length; i++) {
            int start = i / chosen.length * heads * headSize;
            double before = 0;
            double left = 0;
            for (int d = 0; d < heads * headSize; d++) {
                double v = z[start + d];
                int head = d / headSize;
                before += v * v;
                left += head == chosen[i % chosen.length] ? 0 : factors[head] * v * (factors[head] * v);
            }
            values[i] = left == 0 ? 1 : Math.sqrt(before / left);
        }
        norms = Expected.of(values);
    }

    /** The head outputs [T, H, HD]. */
    public float[] z() {
        return z;
    }

    /** γ of each head. */
    public float[] factors() {
        return factors;
    }

    /** The norms [T, G]. */
    public Expected norms() {
        return norms;
    }
}
