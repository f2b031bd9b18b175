package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import org.junit.jupiter.api.Test;

/** What goes through a file of JSON and back. */
class OutputTest {
    @Test
    void numbersThatAreNoneComeBackAsSuch() {
        double[] values = {0.1, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, -0.0, Double.MIN_VALUE};
        assertArrayEquals(values, Output.doubles(Cli.parse(Output.line(Output.array(values)))));
    }
}
