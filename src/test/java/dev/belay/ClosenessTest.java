package dev.belay;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.forward.Golden;
import org.junit.jupiter.api.Test;

class ClosenessTest {
    @Test
    void acceptsWhatIsWithinAndNamesTheWorst() {
        Closeness.Expected expected = Closeness.Expected.of(new double[] {1, 2, 3, 4});
        Closeness.assertClose(expected, new float[] {1, 2, 3, 4}, 0, 0, 2, "exact");
        Closeness.assertClose(expected, new float[] {1, 2, 3.25f, 4}, 0.25, 0, 2, "absolute");
        Closeness.assertClose(expected, new float[] {1, 2, 3, 4.5f}, 0, 0.125, 2, "relative");
        float[] wrong = {1, 2.5f, 3, 5};
        String message = assertThrows(
                        AssertionError.class, () -> Closeness.assertClose(expected, wrong, 0.1, 0, 2, "numbers"))
                .getMessage();
        assertTrue(message.startsWith("numbers: worst at [1, 1]: expected 4.0, got 5.0, difference 1.0"), message);
    }

    @Test
    void notANumberIsNeverClose() {
        float[] expected = {1, 2, 3};
        float[] actual = {1, Float.NaN, 3};
        assertThrows(AssertionError.class, () -> Closeness.assertSame(expected, actual, 1, 3, "NaN"));
        assertThrows(AssertionError.class, () -> Golden.assertClose(expected, actual, 1, "NaN before a good element"));
    }
}
