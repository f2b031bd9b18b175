package dev.belay.device;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.cpu.OpData;
import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@link Device#mixture} on every device, against the formula in float64. */
@Tag("kernel")
class MixtureTest {
    /** Numbers of the weights of a mixture, and a mixture of them on a device. */
    private record Shape(int experts, int top, int hidden, int inner, boolean normalized) {
        float[] router() {
            return scaled(1, experts * hidden, 1);
        }

        float[] gateUp() {
            return scaled(2, experts * 2 * inner * hidden, 1);
        }

        float[] down() {
            return scaled(3, experts * hidden * inner, 1);
        }

        float[] normed(int tokens) {
            return scaled(4, tokens * hidden, hidden);
        }

        float[] before(int tokens) {
            return OpData.normal(5, tokens * hidden);
        }

        /** Rounded to bfloat16, so that no device rounds them; sums over the columns are of the order of 1. */
        private float[] scaled(int seed, int count, double times) {
            float[] values = OpData.normal(seed, count);
            for (int i = 0; i < count; i++) {
                values[i] *= (float) Math.sqrt(times / hidden);
            }
            return OpData.rounded(values);
        }

        Mixture on(Device device, Arena arena, List<AutoCloseable> owned) {
            DeviceMatrix router = matrix(device, arena, "router", router(), experts, hidden);
            DeviceMatrix gateUp = matrix(device, arena, "gate and up", gateUp(), experts * 2, hidden * inner, hidden);
            DeviceMatrix down = matrix(device, arena, "down", down(), experts, hidden * inner, inner);
            owned.addAll(List.of(router, gateUp, down));
            return new Mixture(router, gateUp, down, top, normalized);
        }

        private static DeviceMatrix matrix(
                Device device, Arena arena, String name, float[] values, int rows, int columns) {
            return matrix(device, arena, name, values, 1, rows * columns, columns);
        }

        /** A matrix of {@code parts} parts of {@code each} numbers. */
        private static DeviceMatrix matrix(
                Device device, Arena arena, String name, float[] values, int parts, int each, int columns) {
            return device.matrix(
                    name,
                    IntStream.range(0, parts)
                            .mapToObj(p -> new HostMatrix(
                                    name,
                                    TensorType.F32,
                                    arena.allocateFrom(
                                            ValueLayout.JAVA_FLOAT,
                                            Arrays.copyOfRange(values, p * each, (p + 1) * each)),
                                    each / columns,
                                    columns))
                            .toList());
        }

        /** x after the mixture; the scale is the sum of all terms' sizes, of products inside products too. */
        Expected expected(int tokens) {
            float[] normed = normed(tokens);
            float[] before = before(tokens);
            double[] values = new double[tokens * hidden];
            double[] scale = new double[values.length];
            for (int i = 0; i < values.length; i++) {
                values[i] = before[i];
                scale[i] = Math.abs(values[i]);
            }
            for (int t = 0; t < tokens; t++) {
                double[] logits = new double[experts];
                for (int e = 0; e < experts; e++) {
                    logits[e] = dot(router(), e, normed, t)[0];
                }
                int[] order = IntStream.range(0, experts)
                        .boxed()
                        .sorted((a, b) -> Double.compare(logits[b], logits[a]))
                        .mapToInt(e -> e)
                        .toArray();
                double gap = top < experts ? logits[order[top - 1]] - logits[order[top]] : 1;
                assertTrue(gap > 1e-5, "no device's rounding changes the choice");
                int[] chosen = Arrays.copyOf(order, top);
                IntStream counted = normalized ? Arrays.stream(chosen) : IntStream.range(0, experts);
                double sum = counted.mapToDouble(e -> Math.exp(logits[e])).sum();
                for (int e : chosen) {
                    add(e, Math.exp(logits[e]) / sum, normed, t, values, scale);
                }
            }
            return new Expected(values, scale);
        }

        private void add(int e, double share, float[] normed, int t, double[] values, double[] scale) {
            float[] gateUp = gateUp();
            float[] down = down();
            for (int i = 0; i < inner; i++) {
                double[] gate = dot(gateUp, e * 2 * inner + i, normed, t);
                double[] up = dot(gateUp, e * 2 * inner + inner + i, normed, t);
                double activated = gate[0] / (1 + Math.exp(-gate[0])) * up[0];
                double size = gate[1] * up[1];
                for (int d = 0; d < hidden; d++) {
                    double weight = share * down[(e * hidden + d) * inner + i];
                    values[t * hidden + d] += weight * activated;
                    scale[t * hidden + d] += Math.abs(weight) * size;
                }
            }
        }

        /** A row of weights times a token's inputs, and the same of the terms' sizes. */
        private double[] dot(float[] weights, int row, float[] normed, int t) {
            double sum = 0;
            double size = 0;
            for (int c = 0; c < hidden; c++) {
                double term = (double) weights[row * hidden + c] * normed[t * hidden + c];
                sum += term;
                size += Math.abs(term);
            }
            return new double[] {sum, size};
        }
    }

    private static float[] run(Device device, Shape shape, int tokens) throws Exception {
        List<AutoCloseable> owned = new ArrayList<>();
        try (Arena arena = Arena.ofShared()) {
            Mixture mixture = shape.on(device, arena, owned);
            int rows = device.mixtureRows(tokens, shape.top());
            DeviceBuffer normed = device.allocateRounded("normed", (long) tokens * shape.hidden());
            DeviceBuffer x = device.allocate("x", (long) tokens * shape.hidden());
            MixtureSpace space = new MixtureSpace(
                    device.allocate("logits", (long) tokens * shape.experts()),
                    device.allocate("gate and up", 2L * rows * shape.inner()),
                    device.allocateRounded("activated", (long) rows * shape.inner()),
                    device.allocate("outputs", (long) rows * shape.hidden()));
            owned.addAll(List.of(normed, x, space.logits(), space.gateUp(), space.activated(), space.outputs()));
            float[] in = shape.normed(tokens);
            float[] result = shape.before(tokens);
            normed.write(0, in, 0, in.length);
            x.write(0, result, 0, result.length);
            device.mixture(normed, tokens, mixture, space, x);
            x.read(0, result, 0, result.length);
            return result;
        } finally {
            for (AutoCloseable one : owned) {
                one.close();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 6, 2, 48, 32, true",
        "1, 5, 5, 33, 7, false",
        "3, 40, 8, 64, 24, true",
        "8, 6, 1, 48, 32, false",
        "9, 6, 3, 40, 17, true",
        "70, 4, 2, 48, 40, false"
    })
    void addsWhatTheExpertsGive(int tokens, int experts, int top, int hidden, int inner, boolean normalized)
            throws Exception {
        Shape shape = new Shape(experts, top, hidden, inner, normalized);
        Expected expected = shape.expected(tokens);
        for (DType dtype : DType.values()) {
            try (Device device = TestDevices.open(dtype)) {
                float[] actual = run(device, shape, tokens);
                // A unit for each term of the sums, of the first products, whose errors reach the scale twice over, and
                // of the
                // second; in bfloat16 what lies between rounds to 8 bits besides.
                double tolerance = (4.0 * hidden + 2.0 * inner + 2.0 * experts + 40) * Closeness.UNIT
                        + (dtype == DType.BF16 ? 0x1p-8 : 0);
                Closeness.assertClose(expected, actual, 0, tolerance, hidden, dtype + " of " + shape);
                assertArrayEquals(actual, run(device, shape, tokens), "again");
            }
        }
    }

    @Test
    void noTokens() throws Exception {
        try (Device device = TestDevices.open(DType.F32)) {
            assertEquals(0, run(device, new Shape(4, 2, 16, 8, true), 0).length);
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (Device device = TestDevices.open(DType.F32);
                Arena arena = Arena.ofShared();
                DeviceMatrix router = Shape.matrix(device, arena, "router", new float[4 * 16], 4, 16);
                DeviceMatrix gateUp = Shape.matrix(device, arena, "gate and up", new float[64 * 16], 64, 16);
                DeviceMatrix down = Shape.matrix(device, arena, "down", new float[64 * 8], 64, 8)) {
            new Mixture(router, gateUp, down, 4, true);
            DeviceException e = assertThrows(DeviceException.class, () -> new Mixture(router, down, gateUp, 2, true));
            assertTrue(e.getMessage().contains("down [64, 8]"), e.getMessage());
            e = assertThrows(DeviceException.class, () -> new Mixture(router, gateUp, down, 5, true));
            assertEquals("mixture of router [4, 16] with 5 experts a token", e.getMessage());
        }
    }
}
