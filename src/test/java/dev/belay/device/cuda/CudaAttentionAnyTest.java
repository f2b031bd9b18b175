package dev.belay.device.cuda;

import static dev.belay.device.cuda.AttentionCase.addRow;
import static dev.belay.device.cuda.AttentionCase.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

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
 * The attention kernels for any head size against float64. What each size of head hits:
 *
 * <pre>
 *   1, 3, 31, 33, 127   one number an access
 *   20, 100             a multiple of 4 and not of 8: 16-byte accesses in float32, single numbers in bfloat16
 *   16, 64, 80, 128     16-byte accesses, one part of 128 dimensions
 *   129, 255            one number an access, two parts: a tile in two halves of 32 queries
 *   192, 256            16-byte accesses, two parts
 * </pre>
 *
 * With an odd start, all take the accesses of one number. A tile of keys is 32; lengths are around that and around half and whole tiles
 * of queries.
 */
@Tag("kernel")
class CudaAttentionAnyTest {
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
        "1, 1, 1, 0",
        "2, 2, 3, 0",
        "4, 2, 16, 0",
        "2, 1, 20, 0",
        "3, 1, 31, 0",
        "2, 2, 33, 0",
        "4, 4, 64, 0",
        "4, 4, 64, 1",
        "2, 1, 80, 0",
        "2, 2, 100, 0",
        "1, 1, 127, 0",
        "7, 1, 128, 0",
        "2, 1, 128, 1",
        "1, 1, 129, 0",
        "2, 1, 192, 0",
        "1, 1, 255, 0",
        "2, 1, 256, 0",
        "2, 1, 256, 1"
    })
    void anyHeadSize(int heads, int kvHeads, int headSize, int skip) {
        for (int tokens : new int[] {1, 31, 33, 64, 97}) {
            TokenLayout layout = new TokenLayout();
            addRow(layout, 0, 0, 3, 0, tokens);
            for (Kind kind : Kind.values()) {
                check(
                        new AttentionCase(layout, shape(heads, kvHeads, headSize), 0, kind),
                        kind,
                        skip,
                        tokens + " tokens");
            }
        }
    }

    /** Windows that end inside the own keys, at the border to the prefix, inside the prefix, and before it. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 17, 32, 33, 40, 65, 1000})
    void raggedRowsWithPrefixesAndWindows(int window) {
        for (int headSize : new int[] {24, 136}) {
            for (Kind kind : Kind.values()) {
                AttentionCase text =
                        new AttentionCase(CudaAttentionTest.raggedRows(), shape(4, 2, headSize), window, kind);
                check(text, kind, 0, "window " + window);
            }
        }
    }

    /** Without outliers in the queries, z is within 1e-6 of the sum of its |terms|. */
    @ParameterizedTest
    @ValueSource(ints = {64, 128, 256})
    void floatIsFloat(int headSize) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 590, 10);
        AttentionCase text = new AttentionCase(layout, shape(2, 1, headSize), 0, Kind.F32);
        System.arraycopy(OpData.normal(8, text.q.length), 0, text.q, 0, text.q.length);
        Expected expected = text.expected((size, magnitude, keys) -> 1e-6);
        float[] actual = run(text, Kind.F32, 0, Scaling.NONE, false).z();
        Closeness.assertClose(expected, actual, 0, 1, text.shape.queryWidth(), "heads of " + headSize);
    }

    /** The tokens that share its block do not change a bit of a token. */
    @ParameterizedTest
    @ValueSource(ints = {0, 20, 32})
    void aTokenDoesNotDependOnItsBlock(int window) {
        for (int headSize : new int[] {36, 132}) {
            int width = 2 * headSize;
            TokenLayout all = new TokenLayout();
            addRow(all, 0, 0, 0, 0, 150);
            AttentionCase whole = new AttentionCase(all, shape(2, 1, headSize), window, Kind.F32);
            int[] chosen = {3, 30, 31, 32, 70, 71, 120, 149};
            TokenLayout layout = new TokenLayout();
            all.select(chosen, chosen.length, layout);
            AttentionCase part = new AttentionCase(layout, shape(2, 1, headSize), window, Kind.F32);
            for (int i = 0; i < chosen.length; i++) {
                System.arraycopy(whole.q, chosen[i] * width, part.q, i * width, width);
            }
            float[] expected = run(whole, Kind.F32, 0, Scaling.NONE, false).z();
            float[] actual = run(part, Kind.F32, 0, Scaling.NONE, false).z();
            for (int i = 0; i < chosen.length; i++) {
                assertArrayEquals(
                        Arrays.copyOfRange(expected, chosen[i] * width, (chosen[i] + 1) * width),
                        Arrays.copyOfRange(actual, i * width, (i + 1) * width),
                        "token " + chosen[i]);
            }
        }
    }

    /** A token that attends to one key returns that key's value exactly: the weight is 1. */
    @ParameterizedTest
    @EnumSource
    void aWindowOfOneReturnsTheTokensOwnValue(Kind kind) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 7, 0, 70);
        AttentionCase text = new AttentionCase(layout, shape(2, 2, 30), 1, kind);
        float[] values = Arrays.copyOfRange(text.own[1], 7 * 60, 77 * 60);
        Closeness.assertSame(values, run(text, kind, 0, Scaling.NONE, false).z(), 0, 60, "own values");
    }

    /** Factors of heads: exactly +0 for 0, the same bits for 1 and for no set, one product else; z before factors is that without. */
    @Test
    void factorsOfHeads() {
        for (int headSize : new int[] {33, 160}) {
            AttentionCase text = new AttentionCase(CudaAttentionTest.raggedRows(), shape(4, 2, headSize), 0, Kind.F32);
            float[] plain = run(text, Kind.F32, 0, Scaling.NONE, false).z();
            Result scaled = run(text, Kind.F32, 0, Scaling.FACTORS, true);
            AttentionRun.assertScaled(text, plain, scaled.z(), Kind.F32);
            assertArrayEquals(plain, scaled.unscaled(), "before factors");
            AttentionCase rounded = new AttentionCase(CudaAttentionTest.raggedRows(), text.shape, 0, Kind.BF16);
            float[] exact = run(rounded, Kind.F32, 0, Scaling.FACTORS, false).z();
            Result result = run(rounded, Kind.BF16, 0, Scaling.FACTORS, true);
            assertArrayEquals(OpData.rounded(exact), result.z(), "bfloat16 rounds once");
            assertArrayEquals(run(rounded, Kind.BF16, 0, Scaling.NONE, false).z(), result.unscaled(), "before factors");
        }
    }

    /**
     * The last block of a tile keeps the norms of its tokens. (40, 17) is number by number and more than a lane keeps; (3, 160) is a tile
     * in two halves; (4, 36) and (4, 64) are vectors of 16 bytes, but for bfloat16 of 36 and for an odd start.
     */
    @ParameterizedTest
    @CsvSource({"1, 1, 0", "3, 33, 0", "40, 17, 0", "3, 160, 0", "4, 36, 0", "4, 64, 0", "4, 64, 1"})
    void normsOfTokens(int heads, int headSize, int skip) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 0, 67);
        addRow(layout, 0, 0, 200, 0, 6);
        for (Kind kind : Kind.values()) {
            AttentionCase text = new AttentionCase(layout, shape(heads, 1, headSize), 0, kind);
            float[] plain = run(text, kind, skip, Scaling.NONE, false).z();
            float[] scaled = run(text, kind, skip, Scaling.FACTORS, false).z();
            Result norms = run(text, kind, skip, Scaling.NORMS, true);
            AttentionRun.assertNormsKept(text, plain, scaled, norms.z(), kind);
            assertArrayEquals(plain, norms.unscaled(), "before factors and norms");
        }
    }

    /** Eight tiles of eight heads, in whatever order their blocks run. */
    @ParameterizedTest
    @EnumSource
    void normsOfManyTiles(Kind kind) {
        AttentionCase text = new AttentionCase(AttentionCase.eightTiles(), shape(8, 2, 16), 0, kind);
        float[] plain = run(text, kind, 0, Scaling.NONE, false).z();
        float[] scaled = run(text, kind, 0, Scaling.FACTORS, false).z();
        float[] norms = run(text, kind, 0, Scaling.NORMS, false).z();
        AttentionRun.assertNormsKept(text, plain, scaled, norms, kind);
        for (int i = 1; i < 5; i++) {
            assertArrayEquals(norms, run(text, kind, 0, Scaling.NORMS, false).z(), "launch " + i);
        }
    }

    private static void check(AttentionCase text, Kind kind, int skip, String what) {
        String all = what + ", " + text.shape + " in " + kind + ", start " + skip;
        Expected expected = text.expected(Arithmetic.FLOAT);
        Result z = run(text, kind, skip, Scaling.NONE, true);
        if (kind == Kind.BF16) {
            expected.rounds(TestArray.BF16_UNIT);
        }
        Closeness.assertClose(expected, z.z(), 0, 1, text.shape.queryWidth(), all);
        assertArrayEquals(z.z(), z.unscaled(), all + ": before factors, where there are none");
    }

    private static Result run(AttentionCase text, Kind kind, int skip, Scaling scaling, boolean captured) {
        KernelSignature signature =
                kind == Kind.F32 ? KernelCatalog.ATTENTION_ANY_F32 : KernelCatalog.ATTENTION_ANY_BF16;
        try (AttentionRun run = new AttentionRun(kernels, text, kind, skip)) {
            return run.prefill(signature, scaling, captured);
        }
    }
}
