package dev.belay.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.weights.SafetensorsFile;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BlockTypeTest {
    private static float[] unpack(BlockType type, byte[] block) {
        assertEquals(type.bytes(), block.length);
        float[] out = new float[type.elements()];
        type.unpack(MemorySegment.ofArray(block), 0, out, 0);
        return out;
    }

    /** Bytes of a block: a float16 at some places, the rest zero. */
    private static byte[] block(BlockType type, Object... placesAndHalves) {
        byte[] block = new byte[type.bytes()];
        for (int i = 0; i < placesAndHalves.length; i += 2) {
            short half = Float.floatToFloat16((Float) placesAndHalves[i + 1]);
            block[(Integer) placesAndHalves[i]] = (byte) half;
            block[(Integer) placesAndHalves[i] + 1] = (byte) (half >> 8);
        }
        return block;
    }

    /** Two random blocks of each type, unpacked by the package gguf 0.19. */
    @ParameterizedTest
    @EnumSource(names = {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"})
    void equalsThePackageGguf(BlockType type) throws URISyntaxException {
        Path golden = Path.of(getClass().getResource("/gguf/blocks.safetensors").toURI());
        try (SafetensorsFile file = SafetensorsFile.open(golden)) {
            long[] bytes = file.longs(type + ".blocks");
            byte[] blocks = new byte[bytes.length];
            for (int i = 0; i < bytes.length; i++) {
                blocks[i] = (byte) bytes[i];
            }
            float[] actual = new float[2 * type.elements()];
            type.unpack(MemorySegment.ofArray(blocks), 0, actual, 0);
            type.unpack(MemorySegment.ofArray(blocks), type.bytes(), actual, type.elements());
            assertArrayEquals(file.floats(type + ".values"), actual, 1e-6f);
        }
    }

    @Test
    void plainNumbers() {
        assertArrayEquals(new float[] {-1.5f}, unpack(BlockType.F32, new byte[] {0, 0, (byte) 0xC0, (byte) 0xBF}));
        assertArrayEquals(new float[] {-1.5f}, unpack(BlockType.F16, block(BlockType.F16, 0, -1.5f)));
        assertArrayEquals(new float[] {-1.5f}, unpack(BlockType.BF16, new byte[] {(byte) 0xC0, (byte) 0xBF}));
    }

    @Test
    void fourBits() {
        byte[] block = block(BlockType.Q4_0, 0, 2f);
        block[2] = 0x3F; // 15 and 3
        block[17] = (byte) 0x80; // 0 and 8
        float[] x = unpack(BlockType.Q4_0, block);
        assertEquals(14, x[0]);
        assertEquals(-10, x[16]);
        assertEquals(-16, x[15]);
        assertEquals(0, x[31]);
        block = block(BlockType.Q4_1, 0, 2f, 2, -1f);
        block[4] = 0x3F;
        x = unpack(BlockType.Q4_1, block);
        assertEquals(29, x[0]);
        assertEquals(5, x[16]);
        assertEquals(-1, x[1]);
    }

    @Test
    void fiveBits() {
        byte[] block = block(BlockType.Q5_0, 0, 0.5f);
        block[2] = 1; // the fifth bit of number 0
        block[5] = (byte) 0x80; // and of number 31
        block[6] = 0x21; // 1 and 2
        float[] x = unpack(BlockType.Q5_0, block);
        assertEquals(0.5f, x[0]);
        assertEquals(-7, x[16]);
        assertEquals(0, x[31]);
        assertEquals(-8, x[30]);
        block = block(BlockType.Q5_1, 0, 0.5f, 2, 3f);
        block[4] = 1;
        block[8] = 0x21;
        x = unpack(BlockType.Q5_1, block);
        assertEquals(11.5f, x[0]);
        assertEquals(4, x[16]);
    }

    @Test
    void eightBits() {
        byte[] block = block(BlockType.Q8_0, 0, 0.25f);
        block[2] = -128;
        block[33] = 127;
        float[] x = unpack(BlockType.Q8_0, block);
        assertEquals(-32, x[0]);
        assertEquals(31.75f, x[31]);
    }

    /** Group 0 has scale 3 and minimum 5; group 5 has scale 0x21 = 33 and minimum 0x12 = 18, of four low and two high bits each. */
    @Test
    void groupsWithScalesAndMinima() {
        for (BlockType type : new BlockType[] {BlockType.Q4_K, BlockType.Q5_K}) {
            int numbers = type == BlockType.Q4_K ? 16 : 48;
            byte[] block = block(type, 0, 0.5f, 2, 2f);
            block[4] = 3;
            block[4 + 4] = 5;
            block[4 + 1] = (byte) 0x80; // two high bits of group 5's scale: 2
            block[4 + 5] = 0x40; // and of its minimum: 1
            block[4 + 9] = 0x21; // low bits: 1 of the scale, 2 of the minimum
            block[numbers] = 0x0F; // number 0 of group 0 is 15, of group 1 is 0
            block[numbers + 64 + 31] = 0x70; // number 31 of group 4 is 0, of group 5 is 7
            float fifth = 0;
            if (type == BlockType.Q5_K) {
                block[16 + 31] = 1 << 5; // the fifth bit of number 31 of group 5
                fifth = 16;
            }
            float[] x = unpack(type, block);
            assertEquals(0.5f * 3 * 15 - 2 * 5, x[0]);
            assertEquals(-10, x[1]);
            assertEquals(0.5f * 33 * (7 + fifth) - 2 * 18, x[191]);
            assertEquals(-36, x[190]);
        }
    }

    @Test
    void sixBits() {
        byte[] block = block(BlockType.Q6_K, 208, 0.5f);
        block[192] = -2; // numbers 0 to 15
        block[192 + 15] = 3; // numbers 240 to 255
        block[0] = 0x05; // low bits of number 0: 5, of number 64: 0
        block[128] = 0x02; // high bits of number 0: 2
        block[64 + 63] = (byte) 0x90; // low bits of number 255: 9
        block[128 + 63] = (byte) 0xC0; // high bits of number 255: 3
        float[] x = unpack(BlockType.Q6_K, block);
        assertEquals(0.5f * -2 * (5 + 32 - 32), x[0]);
        assertEquals(0.5f * 3 * (9 + 48 - 32), x[255]);
        assertEquals(0.5f * 3 * -32, x[254]);
        assertEquals(0.5f * -2 * -32, x[1]);
    }
}
