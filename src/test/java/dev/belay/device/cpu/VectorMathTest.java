package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {
    /** The stated error: 2 units in the last place of the exact value. */
    @Test
    void exponentialIsWithinTwoUlp() {
        Random random = new Random(1);
        for (int i = 0; i < 200_000; i++) {
            float x = random.nextFloat() * 175f - 87f;
            double exact = StrictMath.exp(x);
            double error = Math.abs(VectorMath.exp(x) - exact) / Math.ulp((float) exact);
            assertTrue(error <= 2, "exp(" + x + ") is off by " + error + " ulp");
        }
    }

    @Test
    void exponentialAtTheEnds() {
        assertEquals(1f, VectorMath.exp(0f));
        assertEquals(VectorMath.exp(-87.3f), VectorMath.exp(-1e30f));
        assertEquals(VectorMath.exp(88.3f), VectorMath.exp(Float.POSITIVE_INFINITY));
        assertTrue(VectorMath.exp(88.3f) > 2e38f && VectorMath.exp(88.3f) < Float.POSITIVE_INFINITY);
        assertTrue(VectorMath.exp(-87.3f) > 0 && VectorMath.exp(-87.3f) < 2e-38f);
        assertTrue(Float.isNaN(VectorMath.exp(Float.NaN)));
    }

    @Test
    void vectorsGiveTheBitsOfSingleNumbers() {
        Random random = new Random(2);
        float[] x = new float[RowTask.LANES];
        for (int round = 0; round < 2_000; round++) {
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) random.nextGaussian() * 30;
            }
            FloatVector e = VectorMath.exp(FloatVector.fromArray(RowTask.SPECIES, x, 0));
            for (int i = 0; i < x.length; i++) {
                assertEquals(VectorMath.exp(x[i]), e.lane(i), "exp(" + x[i] + ")");
            }
        }
    }

    @Test
    void sumAddsPairs() {
        Random random = new Random(3);
        float[] x = new float[RowTask.LANES];
        for (int round = 0; round < 2_000; round++) {
            for (int i = 0; i < x.length; i++) {
                x[i] = (float) random.nextGaussian();
            }
            float[] sums = x.clone();
            for (int half = x.length / 2; half > 0; half /= 2) {
                for (int i = 0; i < half; i++) {
                    sums[i] += sums[i + half];
                }
            }
            assertEquals(sums[0], VectorMath.sum(FloatVector.fromArray(RowTask.SPECIES, x, 0)));
        }
    }
}
