package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;

/** Finds golden data and compares with it. */
public final class Golden {
    /** Largest accepted difference from transformers' float32, absolute: values are of the order of 1 to 10. */
    public static final double TOLERANCE = 2e-4;

    private Golden() {}

    /** The names of all families under golden/families. */
    static List<String> families() {
        return List.of(
                "llama",
                "llama31-rope",
                "mistral",
                "phi3",
                "qwen2",
                "qwen3",
                "qwen3-moe",
                "llama-bias",
                "llama-yarn",
                "llama-longrope",
                "llama-dynamic",
                "phi3-longrope",
                "moe-mixed",
                "smollm3-slide");
    }

    /** A file or folder of the test resources under golden/. */
    public static Path path(String name) {
        try {
            return Path.of(Golden.class.getResource("/golden/" + name).toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Fails with the largest difference and its place if any element differs by more than {@code tolerance}. */
    public static void assertClose(float[] expected, float[] actual, double tolerance, String what) {
        assertEquals(expected.length, actual.length, what + ": number of elements");
        int worst = 0;
        double largest = -1;
        for (int i = 0; i < expected.length; i++) {
            double difference = Math.abs((double) expected[i] - actual[i]);
            if (Double.isNaN(difference)) {
                difference = Double.POSITIVE_INFINITY;
            }
            if (difference > largest) {
                largest = difference;
                worst = i;
            }
        }
        if (largest > tolerance) {
            fail(what + ": largest difference " + largest + " at element " + worst + ", expected " + expected[worst]
                    + ", got " + actual[worst]);
        }
    }
}
