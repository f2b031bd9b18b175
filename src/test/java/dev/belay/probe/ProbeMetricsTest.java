package dev.belay.probe;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ProbeMetricsTest {
    @Test
    void literalValues() {
        ProbeMetrics m =
                ProbeMetrics.of(new double[] {0.75, 0.25, 0.75, 0.125}, new boolean[] {true, false, false, true});
        assertEquals(4, m.n());
        assertEquals(0.5, m.accuracy());
        // Pairs (refusal, answer): .75>.25 1, .75=.75 1/2, .125<.25 0, .125<.75 0: 1.5 of 4.
        assertEquals(0.375, m.auroc());
        // -(ln .75 + ln .75 + ln .25 + ln .125) / 4
        assertEquals(1.0102750119, m.logLoss(), 1e-9);
        // Bins: [.7,.8) |1.5 - 1| = .5; [.2,.3) .25; [.1,.2) .875; sum 1.625 / 4.
        assertEquals(0.40625, m.calibrationError(), 1e-15);
    }

    @Test
    void perfectAndInverted() {
        boolean[] refused = {true, false, true};
        ProbeMetrics perfect = ProbeMetrics.of(new double[] {1, 0, 1}, refused);
        assertEquals(1, perfect.accuracy());
        assertEquals(1, perfect.auroc());
        assertEquals(0, perfect.logLoss(), 1e-14);
        assertEquals(0, perfect.calibrationError());
        ProbeMetrics inverted = ProbeMetrics.of(new double[] {0, 1, 0}, refused);
        assertEquals(0, inverted.accuracy());
        assertEquals(0, inverted.auroc());
        assertEquals(34.5387763949, inverted.logLoss(), 0.01);
        assertEquals(1, inverted.calibrationError());
    }

    @Test
    void allTiedIsHalf() {
        ProbeMetrics m = ProbeMetrics.of(new double[] {0.5, 0.5, 0.5}, new boolean[] {true, false, false});
        assertEquals(0.5, m.auroc());
        assertEquals(1 / 3.0, m.accuracy());
        assertEquals(Math.log(2), m.logLoss(), 1e-15);
        assertEquals(0.5 / 3, m.calibrationError(), 1e-15);
    }

    @Test
    void oneClassHasNoAuroc() {
        assertTrue(Double.isNaN(ProbeMetrics.of(new double[] {0.9, 0.2}, new boolean[] {true, true})
                .auroc()));
        assertTrue(Double.isNaN(
                ProbeMetrics.of(new double[] {0.9}, new boolean[] {false}).auroc()));
    }

    @Test
    void refusesMisuse() {
        assertThrows(IllegalArgumentException.class, () -> ProbeMetrics.of(new double[0], new boolean[0]));
        assertThrows(IllegalArgumentException.class, () -> ProbeMetrics.of(new double[1], new boolean[2]));
        assertThrows(
                IllegalArgumentException.class, () -> ProbeMetrics.of(new double[] {Double.NaN}, new boolean[] {true}));
    }
}
