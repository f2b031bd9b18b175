package dev.belay.device.cuda;

import static dev.belay.device.cuda.AttentionCase.addRow;
import static dev.belay.device.cuda.AttentionCase.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.TokenLayout;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.AttentionCase.Arithmetic;
import dev.belay.device.cuda.AttentionRun.Result;
import dev.belay.device.cuda.AttentionRun.Scaling;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Decoding attention against float64. Query heads to a key/value head: 1, up to 4, up to 8, and more than 8 hit different code; 3, 5, 7
 * and 9 leave some of it idle. Head sizes up to 64 take 8 lanes a key, up to 128 take 16, beyond 32; those that are no multiple of 4
 * (float32) or 8 (bfloat16) are read number by number, as are all with an odd start. Key counts are around the ranges of 256.
 */
@Tag("kernel")
class CudaAttentionDecodeTest {
    private static final int[] KEYS = {1, 2, 31, 100, 255, 256, 257, 511, 513, 640};

    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "2, 2, 1, 0",
        "4, 4, 64, 0",
        "4, 4, 64, 1",
        "3, 1, 80, 0",
        "8, 2, 128, 0",
        "8, 2, 128, 1",
        "8, 1, 64, 0",
        "5, 1, 20, 0",
        "14, 2, 33, 0",
        "9, 1, 96, 0",
        "20, 1, 16, 0",
        "1, 1, 127, 0",
        "2, 1, 129, 0",
        "8, 1, 256, 0",
        "4, 2, 255, 0"
    })
    void oneTokenARow(int heads, int kvHeads, int headSize, int skip) {
        TokenLayout layout = rows();
        for (Kind kind : Kind.values()) {
            AttentionCase text = new AttentionCase(layout, shape(heads, kvHeads, headSize), 0, kind);
            check(text, kind, skip, 640, "one token a row");
        }
    }

    /** A row for each number of keys, with its own slots behind those of the row before. */
    private static TokenLayout rows() {
        TokenLayout layout = new TokenLayout();
        int slot = 0;
        for (int keys : KEYS) {
            addRow(layout, 0, 0, slot, keys - 1, 1);
            slot += keys;
        }
        return layout;
    }

    /** Borders of prefix, window and range fall together and apart; a row has several tokens, one none. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 7, 33, 255, 256, 257, 300, 1000})
    void prefixesAndWindows(int window) {
        for (int headSize : new int[] {30, 136}) {
            for (Kind kind : Kind.values()) {
                AttentionCase text = new AttentionCase(prefixes(), shape(6, 2, headSize), window, kind);
                check(text, kind, 0, 600, "window " + window);
            }
        }
    }

    private static TokenLayout prefixes() {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 20, 400, 0, 400, 1);
        addRow(layout, 20, 400, 10, 405, 3);
        layout.addRow(0, 0, 0);
        addRow(layout, 440, 256, 40, 256, 2);
        addRow(layout, 440, 255, 50, 255, 2);
        addRow(layout, 0, 0, 60, 299, 2);
        addRow(layout, 0, 1, 400, 20, 1);
        return layout;
    }

    /** More than 64 ranges of 256 keys become ranges of 512, and a range in the middle has two pieces. */
    @ParameterizedTest
    @CsvSource({"16384, 0", "16385, 0", "17001, 0", "17001, 16500"})
    void longTexts(int keys, int window) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 100, 0, keys - 1, 1);
        addRow(layout, 0, 100, keys, 280, 1);
        AttentionCase text = new AttentionCase(layout, shape(2, 1, 8), window, Kind.F32);
        float[] many = check(text, Kind.F32, 0, 20000, keys + " keys");
        assertArrayEquals(many, run(text, Kind.F32, 0, Scaling.NONE, 16385), "a smaller grid");
    }

    /** The number of keys that the grid is laid out for, and thus how blocks share the ranges, does not change a bit. */
    @Test
    void theGridDoesNotMatter() {
        for (Kind kind : Kind.values()) {
            AttentionCase text = new AttentionCase(rows(), shape(4, 2, 64), 0, kind);
            float[] expected = run(text, kind, 0, Scaling.NONE, 640);
            for (int maxKeys : new int[] {641, 1024, 16384, 131072}) {
                assertArrayEquals(expected, run(text, kind, 0, Scaling.NONE, maxKeys), kind + ", grid for " + maxKeys);
            }
            // So many tokens that a block takes all ranges of one.
            TokenLayout layout = new TokenLayout();
            int copies = 110;
            for (int i = 0; i < copies; i++) {
                addRow(layout, 0, 0, 0, 639, 1);
            }
            AttentionCase many = new AttentionCase(layout, shape(20, 20, 4), 0, kind);
            for (int i = 1; i < copies; i++) {
                System.arraycopy(many.q, 0, many.q, i * 80, 80);
            }
            assertEquals(1, KernelCatalog.decodeShape(copies, 20, 640).gridZ());
            float[] all = run(many, kind, 0, Scaling.NONE, 640);
            TokenLayout one = new TokenLayout();
            addRow(one, 0, 0, 0, 639, 1);
            AttentionCase alone = new AttentionCase(one, shape(20, 20, 4), 0, kind);
            System.arraycopy(many.q, 0, alone.q, 0, 80);
            assertEquals(3, KernelCatalog.decodeShape(1, 20, 640).gridZ());
            float[] single = run(alone, kind, 0, Scaling.NONE, 640);
            for (int i = 0; i < copies; i++) {
                assertArrayEquals(single, Arrays.copyOfRange(all, i * 80, (i + 1) * 80), kind + ", copy " + i);
            }
        }
    }

    /** Without outliers in the queries, z is within 1e-6 of the sum of its |terms|. */
    @ParameterizedTest
    @ValueSource(ints = {64, 128, 256})
    void floatIsFloat(int headSize) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 590, 4);
        AttentionCase text = new AttentionCase(layout, shape(2, 1, headSize), 0, Kind.F32);
        System.arraycopy(OpData.normal(8, text.q.length), 0, text.q, 0, text.q.length);
        Expected expected = text.expected((size, magnitude, keys) -> 1e-6);
        float[] actual = run(text, Kind.F32, 0, Scaling.NONE, 600);
        Closeness.assertClose(expected, actual, 0, 1, text.shape.queryWidth(), "heads of " + headSize);
    }

    /** A token that attends to one key returns that key's value exactly: the weight is 1. */
    @ParameterizedTest
    @EnumSource
    void aWindowOfOneReturnsTheTokensOwnValue(Kind kind) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 7, 250, 12);
        AttentionCase text = new AttentionCase(layout, shape(2, 2, 30), 1, kind);
        float[] values = Arrays.copyOfRange(text.own[1], 257 * 60, 269 * 60);
        Closeness.assertSame(values, run(text, kind, 0, Scaling.NONE, 1), 0, 60, "own values");
    }

    @Test
    void factorsOfHeads() {
        for (int headSize : new int[] {33, 160}) {
            AttentionCase text = new AttentionCase(rows(), shape(4, 2, headSize), 0, Kind.F32);
            float[] plain = run(text, Kind.F32, 0, Scaling.NONE, 640);
            Result scaled = both(text, Kind.F32, 0, Scaling.FACTORS, 640);
            AttentionRun.assertScaled(text, plain, scaled.z(), Kind.F32);
            assertArrayEquals(plain, scaled.unscaled(), "before factors");
            AttentionCase rounded = new AttentionCase(rows(), shape(4, 2, headSize), 0, Kind.BF16);
            float[] exact = run(rounded, Kind.F32, 0, Scaling.FACTORS, 640);
            assertArrayEquals(
                    OpData.rounded(exact), run(rounded, Kind.BF16, 0, Scaling.FACTORS, 640), "bfloat16 rounds once");
        }
    }

    /**
     * The last block of a token keeps its norm, whether its keys are one range or several. (2, 1, 33) is number by number, as are all with
     * an odd start; (32, 8, 128) is all that a lane keeps in bfloat16, and in float32 twice that; (20, 20, 16) has 20 blocks for each
     * range.
     */
    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 0",
        "2, 1, 33, 0",
        "4, 2, 64, 0",
        "4, 2, 64, 1",
        "20, 20, 16, 0",
        "9, 1, 96, 0",
        "32, 8, 128, 0"
    })
    void normsOfTokens(int heads, int kvHeads, int headSize, int skip) {
        for (Kind kind : Kind.values()) {
            AttentionCase text = new AttentionCase(rows(), shape(heads, kvHeads, headSize), 0, kind);
            float[] plain = run(text, kind, skip, Scaling.NONE, 640);
            float[] scaled = run(text, kind, skip, Scaling.FACTORS, 640);
            Result kept = both(text, kind, skip, Scaling.NORMS, 640);
            float[] norms = kept.z();
            AttentionRun.assertNormsKept(text, plain, scaled, norms, kind);
            assertArrayEquals(plain, kept.unscaled(), "before factors and norms");
            assertArrayEquals(norms, run(text, kind, skip, Scaling.NORMS, 131072), kind + ", a larger grid");
        }
    }

    @Test
    void theGridIsBounded() {
        assertEquals(new LaunchShape(1, 8, 64, 128), KernelCatalog.decodeShape(1, 8, 131072));
        assertEquals(new LaunchShape(64, 8, 4, 128), KernelCatalog.decodeShape(64, 8, 131072));
        assertEquals(new LaunchShape(3, 2, 1, 128), KernelCatalog.decodeShape(3, 2, 0));
        assertEquals(65L * 4 * (20 + 4) * 4 - 4 * (20 + 4) * 4, KernelCatalog.decodeWorkspaceBytes(1, 4, 17, 1 << 30));
        assertEquals(3L * 5 * 4 * (64 + 4) * 4, KernelCatalog.decodeWorkspaceBytes(5, 4, 64, 512));
        assertTrue(KernelCatalog.decodeCounters(5, 4) >= 25);
    }

    private static float[] check(AttentionCase text, Kind kind, int skip, int maxKeys, String what) {
        Expected expected = text.expected(Arithmetic.FLOAT);
        float[] z = run(text, kind, skip, Scaling.NONE, maxKeys);
        if (kind == Kind.BF16) {
            expected.rounds(TestArray.BF16_UNIT);
        }
        String all = what + ", " + text.shape + " in " + kind + ", start " + skip;
        Closeness.assertClose(expected, z, 0, 1, text.shape.queryWidth(), all);
        return z;
    }

    /** z of two launches, which must agree, the second of them with z before factors. */
    private static float[] run(AttentionCase text, Kind kind, int skip, Scaling scaling, int maxKeys) {
        Result result = both(text, kind, skip, scaling, maxKeys);
        if (scaling == Scaling.NONE) {
            assertArrayEquals(result.z(), result.unscaled(), "before factors, where there are none");
        }
        return result.z();
    }

    private static Result both(AttentionCase text, Kind kind, int skip, Scaling scaling, int maxKeys) {
        try (AttentionRun run = new AttentionRun(kernels, text, kind, skip)) {
            return run.decode(scaling, maxKeys, 2);
        }
    }
}
