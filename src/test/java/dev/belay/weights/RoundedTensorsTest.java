package dev.belay.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights changed as rounding to bfloat16, which has 8 significant bits, changes them. */
class RoundedTensorsTest {
    /** 1 + 2^-7 is one; halfway between it and 1 + 2^-6 goes to the even one; a little below halfway between 1 and 1 + 2^-7 to 1. */
    private static final float[] VALUES = {1.0078125f, 1.01171875f, 1.0029296875f, -3, 0};

    private static final float[] ROUNDED = {1.0078125f, 1.015625f, 1, -3, 0};

    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "F64"})
    void floatingPoint(TensorType type) {
        Path path = folder.resolve("t.safetensors");
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(path).tensor("w", type, 5);
        try (SafetensorsWriter out = file.open()) {
            out.write("w", VALUES);
        }
        try (SafetensorsFile stored = SafetensorsFile.open(path)) {
            TensorSource tensors = new RoundedTensors(stored);
            assertEquals(
                    type == TensorType.F64 ? type : TensorType.F32,
                    tensors.tensor("w").type());
            assertTrue(tensors.tensor("w").hasShape(5));
            assertEquals(tensors.tensor("w").bytes(), tensors.segment("w").byteSize());
            assertEquals(List.of("w"), List.copyOf(tensors.names()));
            assertEquals(path, tensors.path());
            if (type != TensorType.BF16) {
                assertArrayEquals(type == TensorType.F64 ? VALUES : ROUNDED, tensors.floats("w"));
            }
        }
    }

    /** Numbers that are bfloat16 already are moved by up to half the distance to the next, evenly; zeros are not. */
    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void numbersThatAreBfloat16Already(TensorType type) {
        Path path = folder.resolve("t.safetensors");
        float[] values = new float[4000];
        Arrays.fill(values, 0, 2000, -1.5f);
        Arrays.fill(values, 3000, 4000, 0.25f);
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(path).tensor("w", type, 4000);
        try (SafetensorsWriter out = file.longs("n", new long[] {1, 2}, 2).open()) {
            out.write("w", values);
            out.write("n", new long[] {1, 2});
        }
        try (SafetensorsFile stored = SafetensorsFile.open(path)) {
            assertFalse(TensorValues.roundsToBfloat16(stored.segment("w"), type));
            TensorSource tensors = new RoundedTensors(stored);
            assertArrayEquals(new long[] {1, 2}, tensors.longs("n"));
            float[] moved = tensors.floats("w");
            assertEven(moved, 0, 2000, -1.5, 0x1p-8);
            assertEven(moved, 3000, 4000, 0.25, 0x1p-10);
            for (int i = 2000; i < 3000; i++) {
                assertEquals(0, moved[i]);
            }
            assertArrayEquals(moved, new RoundedTensors(stored).floats("w"));
        }
    }

    /** Within {@code half} of {@code value}, with the mean and the root mean square of an even distribution. */
    private static void assertEven(float[] moved, int from, int to, double value, double half) {
        double sum = 0;
        double squares = 0;
        for (int i = from; i < to; i++) {
            double difference = moved[i] - value;
            assertTrue(Math.abs(difference) <= half, "by " + difference);
            sum += difference;
            squares += difference * difference;
        }
        assertEquals(0, sum / (to - from), 0.1 * half);
        assertEquals(half / Math.sqrt(3), Math.sqrt(squares / (to - from)), 0.05 * half);
    }
}
