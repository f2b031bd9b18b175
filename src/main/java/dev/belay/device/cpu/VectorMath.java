package dev.belay.device.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vector functions that give the same bits however the JVM runs them: the library's own sum over lanes and exponential differ between
 * its interpreter and its compilers. Only operations with one correct result are used here, in a fixed order.
 */
final class VectorMath {
    private static final VectorSpecies<Float> SPECIES = RowTask.SPECIES;
    /** Shuffle number i adds lane j + 2^i to lane j; log2 of the number of lanes of them. */
    private static final VectorShuffle<Float> BY_1 = down(1);

    private static final VectorShuffle<Float> BY_2 = down(2);
    private static final VectorShuffle<Float> BY_4 = down(4);
    private static final VectorShuffle<Float> BY_8 = down(8);

    private static final float LOWEST = -87.3f;
    private static final float HIGHEST = 88.3f;
    private static final float LOG2_E = 1.44269504f;
    /** 1.5·2²³: adding it leaves the nearest integer in the lowest bits, subtracting it again the integer itself. */
    private static final float ROUNDER = 12582912f;

    // ln 2 in two parts and the polynomial of expf in the Cephes library (Moshier), |r| ≤ ln 2 / 2, error below 2 ulp.
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float P0 = 1.9875691500e-4f;
    private static final float P1 = 1.3981999507e-3f;
    private static final float P2 = 8.3334519073e-3f;
    private static final float P3 = 4.1665795894e-2f;
    private static final float P4 = 1.6666665459e-1f;
    private static final float P5 = 5.0000001201e-1f;

    private VectorMath() {}

    private static VectorShuffle<Float> down(int lanes) {
        return VectorShuffle.fromOp(SPECIES, i -> (i + lanes) % SPECIES.length());
    }

    /** Sum of all lanes, pairwise. */
    static float sum(FloatVector v) {
        FloatVector s = v;
        if (SPECIES.length() > 8) {
            s = s.add(s.rearrange(BY_8));
        }
        if (SPECIES.length() > 4) {
            s = s.add(s.rearrange(BY_4));
        }
        s = s.add(s.rearrange(BY_2));
        s = s.add(s.rearrange(BY_1));
        return s.lane(0);
    }

    /** Largest of all lanes. */
    static float max(FloatVector v) {
        FloatVector m = v;
        if (SPECIES.length() > 8) {
            m = m.max(m.rearrange(BY_8));
        }
        if (SPECIES.length() > 4) {
            m = m.max(m.rearrange(BY_4));
        }
        m = m.max(m.rearrange(BY_2));
        m = m.max(m.rearrange(BY_1));
        return m.lane(0);
    }

    /** e^x of every lane, x clamped to [{@value #LOWEST}, {@value #HIGHEST}]. */
    static FloatVector exp(FloatVector x) {
        // Comparing and blending takes two instructions, a maximum with Java's rules for NaN and -0 takes five.
        FloatVector c = x.blend(LOWEST, x.compare(VectorOperators.LT, LOWEST));
        c = c.blend(HIGHEST, c.compare(VectorOperators.GT, HIGHEST));
        FloatVector shifted = c.mul(LOG2_E).add(ROUNDER);
        FloatVector n = shifted.sub(ROUNDER);
        FloatVector r = n.fma(broadcast(-LN2_HIGH), c);
        r = n.fma(broadcast(-LN2_LOW), r);
        FloatVector p = broadcast(P0);
        p = p.fma(r, broadcast(P1));
        p = p.fma(r, broadcast(P2));
        p = p.fma(r, broadcast(P3));
        p = p.fma(r, broadcast(P4));
        p = p.fma(r, broadcast(P5));
        FloatVector e = p.fma(r.mul(r), r).add(1f);
        // The lowest bits of the shifted number are n; those above the ninth fall out.
        IntVector power = shifted.reinterpretAsInts().add(127);
        return e.mul(power.lanewise(VectorOperators.LSHL, 23).reinterpretAsFloats());
    }

    /** The same for one number. */
    static float exp(float x) {
        float c = Math.min(Math.max(x, LOWEST), HIGHEST);
        float shifted = c * LOG2_E + ROUNDER;
        float n = shifted - ROUNDER;
        float r = Math.fma(n, -LN2_HIGH, c);
        r = Math.fma(n, -LN2_LOW, r);
        float p = P0;
        p = Math.fma(p, r, P1);
        p = Math.fma(p, r, P2);
        p = Math.fma(p, r, P3);
        p = Math.fma(p, r, P4);
        p = Math.fma(p, r, P5);
        float e = Math.fma(p, r * r, r) + 1f;
        return e * Float.intBitsToFloat((Float.floatToRawIntBits(shifted) + 127) << 23);
    }

    private static FloatVector broadcast(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }
}
