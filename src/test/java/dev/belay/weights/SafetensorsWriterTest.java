package dev.belay.weights;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsWriterTest {
    @TempDir
    private Path folder;

    @Test
    void writesAnyOrderAndParts() {
        Path path = folder.resolve("sub/out.safetensors");
        float[] many = new float[600_000];
        for (int i = 0; i < many.length; i++) {
            many[i] = i * 0.5f;
        }
        try (SafetensorsWriter out = SafetensorsWriter.to(path)
                .metadata(Map.of("layer", "3", "who", "prüfung \"x\""))
                .tensor("flags", TensorType.U8, 3)
                .tensor("half", TensorType.BF16, 2, 2)
                .tensor("ids", TensorType.I32, 2)
                .tensor("many", TensorType.F32, 600_000)
                .tensor("wide", TensorType.I64, 1)
                .tensor("double", TensorType.F64)
                .open()) {
            out.write("ids", new int[] {-7, 8});
            out.write("half", new float[] {1f, -2f});
            out.write("many", Arrays.copyOf(many, 100_000));
            out.write("double", new float[] {0.25f});
            out.write("many", Arrays.copyOfRange(many, 100_000, many.length));
            out.write("half", MemorySegment.ofArray(new byte[] {0, 0x40, (byte) 0x80, 0x3F}));
            out.write("flags", MemorySegment.ofArray(new byte[] {1, 0, 1}));
            assertFalse(Files.exists(path));
            out.write("wide", new long[] {1L << 40});
        }
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertEquals(List.of("wide", "double", "ids", "many", "half", "flags"), List.copyOf(file.names()));
            assertEquals(Map.of("layer", "3", "who", "prüfung \"x\""), file.metadata());
            assertArrayEquals(new long[] {-7, 8}, file.longs("ids"));
            assertArrayEquals(new float[] {1f, -2f, 2f, 1f}, file.floats("half"));
            assertArrayEquals(many, file.floats("many"));
            assertArrayEquals(new long[] {1L << 40}, file.longs("wide"));
            assertArrayEquals(new float[] {0.25f}, file.floats("double"));
            for (TensorInfo tensor : file.tensors()) {
                assertEquals(0, tensor.offset() % tensor.type().bytes(), tensor.toString());
            }
        }
    }

    @Test
    void copiesAModelByteForByte() throws IOException {
        Path source = Path.of("models/tiny-cliff/model.safetensors");
        Path copy = folder.resolve("copy.safetensors");
        try (SafetensorsFile file = SafetensorsFile.open(source)) {
            SafetensorsWriter.Declaration declaration =
                    SafetensorsWriter.to(copy).metadata(file.metadata());
            file.tensors().forEach(t -> declaration.tensor(t.name(), t.type(), t.shape()));
            try (SafetensorsWriter out = declaration.open()) {
                file.names().forEach(name -> out.write(name, file.segment(name)));
            }
        }
        assertEquals(-1, Files.mismatch(source, copy));
    }

    @Test
    void savesSmallFiles() {
        Path path = folder.resolve("small.safetensors");
        SafetensorsWriter.to(path)
                .floats("w", new float[] {1, 2}, 1, 2)
                .longs("n", new long[] {5})
                .save();
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            file.require("w", 1, 2);
            assertArrayEquals(new long[] {5}, file.longs("n"));
        }
        SafetensorsWriter.to(path).save();
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertEquals(List.of(), file.tensors());
        }
    }

    @Test
    void doesNotCompleteAnIncompleteFile() {
        Path path = folder.resolve("part.safetensors");
        SafetensorsWriter out =
                SafetensorsWriter.to(path).tensor("w", TensorType.F32, 4).open();
        out.write("w", new float[3]);
        String message = assertThrows(BelayException.class, out::close).getMessage();
        assertTrue(message.contains("only 12 of 16 bytes of tensor \"w\""), message);
        assertFalse(Files.exists(path));
    }

    @Test
    void refusesMisuse() {
        SafetensorsWriter.Declaration declaration =
                SafetensorsWriter.to(folder.resolve("misuse.safetensors")).tensor("w", TensorType.F32, 2);
        assertThrows(IllegalArgumentException.class, () -> declaration.tensor("w", TensorType.F32, 2));
        assertThrows(IllegalArgumentException.class, () -> declaration.tensor("__metadata__", TensorType.F32, 2));
        try (SafetensorsWriter out = declaration.open()) {
            assertThrows(IllegalArgumentException.class, () -> out.write("v", new float[2]));
            assertThrows(IllegalArgumentException.class, () -> out.write("w", new long[2]));
            out.write("w", new float[2]);
            assertThrows(IllegalArgumentException.class, () -> out.write("w", new float[1]));
        }
        assertFalse(Files.exists(folder.resolve("misuse.safetensors")));
    }

    @Test
    void saysThatTheDiskIsFull() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full));
        Files.createSymbolicLink(folder.resolve("disk.safetensors.partial"), full);
        String message = assertThrows(
                        BelayException.class,
                        () -> SafetensorsWriter.to(folder.resolve("disk.safetensors"))
                                .floats("w", new float[4], 4)
                                .save())
                .getMessage();
        assertTrue(message.startsWith("cannot write " + folder.resolve("disk.safetensors")), message);
    }

    @Test
    void roundsToBfloat16LikePyTorch() {
        assertEquals((short) 0x3F80, TensorValues.floatToBfloat16(1f));
        assertEquals((short) 0x3F80, TensorValues.floatToBfloat16(Float.intBitsToFloat(0x3F80_8000)), "tie to even");
        assertEquals((short) 0x3F82, TensorValues.floatToBfloat16(Float.intBitsToFloat(0x3F81_8000)), "tie to even");
        assertEquals((short) 0x3F81, TensorValues.floatToBfloat16(Float.intBitsToFloat(0x3F80_8001)));
        assertEquals((short) 0x7F80, TensorValues.floatToBfloat16(Float.MAX_VALUE), "rounds to infinity");
        assertEquals((short) 0xFF80, TensorValues.floatToBfloat16(Float.NEGATIVE_INFINITY));
        float nan = Float.intBitsToFloat(0x7F80_0001);
        assertTrue(Float.isNaN(TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(nan))));
    }
}
