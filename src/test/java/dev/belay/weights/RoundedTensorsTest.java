package dev.belay.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights rounded to bfloat16, which has 8 significant bits. */
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
        boolean rounds = type == TensorType.F32 || type == TensorType.F16;
        try (SafetensorsFile stored = SafetensorsFile.open(path)) {
            if (type != TensorType.F64) {
                assertEquals(rounds, TensorValues.roundsToBfloat16(stored.segment("w"), type));
            }
            TensorSource tensors = new RoundedTensors(stored);
            assertEquals(rounds ? TensorType.BF16 : type, tensors.tensor("w").type());
            assertTrue(tensors.tensor("w").hasShape(5));
            assertEquals(tensors.tensor("w").bytes(), tensors.segment("w").byteSize());
            assertArrayEquals(type == TensorType.F64 ? VALUES : ROUNDED, tensors.floats("w"));
            assertEquals(List.of("w"), List.copyOf(tensors.names()));
            assertEquals(path, tensors.path());
        }
    }

    @Test
    void numbersThatAreBfloat16Already() {
        Path path = folder.resolve("t.safetensors");
        SafetensorsWriter.to(path)
                .floats("w", ROUNDED, 5)
                .longs("n", new long[] {1, 2}, 2)
                .save();
        try (SafetensorsFile stored = SafetensorsFile.open(path)) {
            assertFalse(TensorValues.roundsToBfloat16(stored.segment("w"), TensorType.F32));
            TensorSource tensors = new RoundedTensors(stored);
            assertArrayEquals(new long[] {1, 2}, tensors.longs("n"));
            assertArrayEquals(ROUNDED, tensors.floats("w"));
        }
    }
}
