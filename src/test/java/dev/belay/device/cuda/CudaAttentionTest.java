package dev.belay.device.cuda;

import static dev.belay.device.cuda.AttentionCase.addRow;
import static dev.belay.device.cuda.AttentionCase.shape;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.TokenLayout;
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
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The attention kernels against float64. A block takes up to 64 queries, a warp 16 of them, a tile of keys is 64 (32 with heads of
 * 256): lengths of 1, 15, 16, 17 hit the edges of a warp, 63, 64, 65 those of a block and of a tile, 127 to 129 those of the second.
 * Heads share keys 1, 2, 4 and 7 to one.
 */
@Tag("kernel")
class CudaAttentionTest {
    private static final int[] LENGTHS = {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129};

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
    @CsvSource({"4, 4, 32", "4, 2, 64", "2, 1, 80", "3, 3, 96", "8, 2, 128", "7, 1, 32", "2, 1, 256"})
    void wholeTexts(int heads, int kvHeads, int headSize) {
        for (int tokens : LENGTHS) {
            TokenLayout layout = new TokenLayout();
            addRow(layout, 0, 0, 3, 0, tokens);
            check(new AttentionCase(layout, shape(heads, kvHeads, headSize), 0), tokens + " tokens");
        }
    }

    @ParameterizedTest
    @CsvSource({"32, 70", "80, 0", "80, 100", "96, 64", "128, 0", "128, 100", "128, 64", "256, 0", "256, 33"})
    void aLongText(int headSize, int window) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 50, 0, 600);
        check(new AttentionCase(layout, shape(2, 1, headSize), window), "600 tokens in a window of " + window);
    }

    /** Windows that end inside the own keys, at the border to the prefix, inside the prefix, and before it. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 16, 17, 18, 33, 40, 64, 65, 1000})
    void raggedRowsWithPrefixesAndWindows(int window) {
        for (int headSize : new int[] {64, 256}) {
            check(new AttentionCase(raggedRows(), shape(4, 2, headSize), window), "window " + window);
        }
    }

    /** The other sizes of heads, whose tiles lie differently in shared memory. */
    @ParameterizedTest
    @CsvSource({"32, 0", "32, 17", "80, 0", "80, 40", "96, 0", "96, 65", "128, 0", "128, 33"})
    void raggedRowsOfEveryHeadSize(int headSize, int window) {
        check(new AttentionCase(raggedRows(), shape(2, 1, headSize), window), headSize + ", window " + window);
    }

    /** Rows with a prefix of their own or a shared one, rows that go on at a later position, one of one token, one of none. */
    static TokenLayout raggedRows() {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 100, 16, 0, 16, 20);
        addRow(layout, 0, 0, 40, 0, 33);
        addRow(layout, 100, 16, 80, 16, 1);
        addRow(layout, 0, 0, 120, 47, 1);
        layout.addRow(0, 0, 0);
        addRow(layout, 300, 1, 200, 1, 40);
        addRow(layout, 400, 130, 300, 140, 70);
        // The first token is one short of seeing the whole first tile; the last one sees all of it but the first key.
        addRow(layout, 0, 0, 480, 62, 5);
        addRow(layout, 0, 0, 560, 64, 2);
        return layout;
    }

    /** Tokens of a row may be chosen, as in an ablation sweep: positions with gaps. */
    @Test
    void chosenTokens() {
        TokenLayout all = new TokenLayout();
        addRow(all, 0, 0, 0, 0, 150);
        addRow(all, 200, 20, 300, 20, 90);
        int[] chosen = {0, 1, 63, 64, 66, 100, 148, 149, 150, 200, 239};
        TokenLayout layout = new TokenLayout();
        all.select(chosen, chosen.length, layout);
        check(new AttentionCase(layout, shape(4, 1, 64), 0), "chosen tokens");
        check(new AttentionCase(layout, shape(4, 1, 64), 50), "chosen tokens in a window");
    }

    /** The tokens that share its block do not change a bit of a token. */
    @ParameterizedTest
    @ValueSource(ints = {0, 50, 64})
    void aTokenDoesNotDependOnItsBlock(int window) {
        TokenLayout all = new TokenLayout();
        addRow(all, 0, 0, 0, 0, 150);
        AttentionCase whole = new AttentionCase(all, shape(2, 1, 64), window);
        int[] chosen = {3, 60, 61, 70, 71, 120, 149};
        TokenLayout layout = new TokenLayout();
        all.select(chosen, chosen.length, layout);
        AttentionCase part = new AttentionCase(layout, shape(2, 1, 64), window);
        for (int i = 0; i < chosen.length; i++) {
            System.arraycopy(whole.q, chosen[i] * 128, part.q, i * 128, 128);
        }
        float[] expected = run(whole).z();
        float[] actual = run(part).z();
        for (int i = 0; i < chosen.length; i++) {
            assertArrayEquals(
                    Arrays.copyOfRange(expected, chosen[i] * 128, chosen[i] * 128 + 128),
                    Arrays.copyOfRange(actual, i * 128, i * 128 + 128),
                    "token " + chosen[i]);
        }
    }

    /** A token that attends to one key returns that key's value exactly: the weight is 1. */
    @Test
    void aWindowOfOneReturnsTheTokensOwnValue() {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 7, 0, 70);
        AttentionCase text = new AttentionCase(layout, shape(2, 2, 32), 1);
        float[] values = Arrays.copyOfRange(text.own[1], 7 * 64, 77 * 64);
        Closeness.assertSame(values, run(text).z(), 0, 64, "own values");
    }

    /** What else is in the batch does not change a bit of a row's result. */
    @Test
    void aRowDoesNotDependOnTheOthers() {
        TokenLayout alone = new TokenLayout();
        addRow(alone, 400, 130, 300, 140, 70);
        Result expected = run(new AttentionCase(alone, shape(4, 2, 64), 0));
        TokenLayout batch = raggedRows();
        Result all = run(new AttentionCase(batch, shape(4, 2, 64), 0));
        // The queries differ: the row's own are put in place of those of its row in the batch.
        AttentionCase again = new AttentionCase(batch, shape(4, 2, 64), 0);
        AttentionCase single = new AttentionCase(alone, shape(4, 2, 64), 0);
        int from = batch.rowStart(6) * 256;
        System.arraycopy(single.q, 0, again.q, from, single.q.length);
        Result together = run(again);
        assertArrayEquals(expected.z(), Arrays.copyOfRange(together.z(), from, from + single.q.length));
        assertArrayEquals(Arrays.copyOf(all.z(), from), Arrays.copyOf(together.z(), from), "the other rows");
    }

    /** Factors of heads: exactly +0 for 0, the same bits for 1 and for no set, one product else; z before factors is that without. */
    @ParameterizedTest
    @ValueSource(ints = {32, 64, 80, 96, 128, 256})
    void factorsOfHeads(int headSize) {
        AttentionCase text = new AttentionCase(raggedRows(), shape(4, 2, headSize), 0);
        float[] plain = run(text).z();
        try (AttentionRun run = new AttentionRun(kernels, text, Kind.BF16, 0)) {
            KernelSignature signature = KernelCatalog.attentionOf(headSize);
            Result scaled = run.prefill(signature, Scaling.FACTORS, true);
            AttentionRun.assertScaled(text, plain, scaled.z(), Kind.BF16);
            assertArrayEquals(plain, scaled.unscaled(), "before factors");
            float[] alone = run.prefill(signature, Scaling.FACTORS, false).z();
            assertArrayEquals(scaled.z(), alone, "without those before factors");
        }
    }

    /**
     * The last block of a tile keeps the norms of its tokens: (1, 1, 32) is a part of a vector a lane, (32, 8, 128) all 16 that a lane
     * keeps, (36, 9, 128) and (68, 4, 32), which keeps 8, more than that.
     */
    @ParameterizedTest
    @CsvSource({"1, 1, 32", "68, 4, 32", "4, 2, 64", "7, 1, 80", "6, 2, 96", "32, 8, 128", "36, 9, 128", "5, 1, 256"})
    void normsOfTokens(int heads, int kvHeads, int headSize) {
        TokenLayout layout = new TokenLayout();
        addRow(layout, 0, 0, 0, 0, 70);
        addRow(layout, 400, 16, 100, 16, 1);
        addRow(layout, 0, 0, 200, 0, 5);
        AttentionCase text = new AttentionCase(layout, shape(heads, kvHeads, headSize), 0);
        KernelSignature signature = KernelCatalog.attentionOf(headSize);
        try (AttentionRun run = new AttentionRun(kernels, text, Kind.BF16, 0)) {
            normsKept(run, text, signature);
        }
    }

    /** z with norms kept, which must be that with factors, times what keeps the norm of z without. */
    private static float[] normsKept(AttentionRun run, AttentionCase text, KernelSignature signature) {
        float[] plain = run.prefill(signature, Scaling.NONE, false).z();
        float[] scaled = run.prefill(signature, Scaling.FACTORS, false).z();
        Result norms = run.prefill(signature, Scaling.NORMS, true);
        AttentionRun.assertNormsKept(text, plain, scaled, norms.z(), Kind.BF16);
        assertArrayEquals(plain, norms.unscaled(), "before factors and norms");
        return norms.z();
    }

    /** Eight tiles of eight heads, in whatever order their blocks run. */
    @Test
    void normsOfManyTiles() {
        AttentionCase text = new AttentionCase(AttentionCase.eightTiles(), shape(8, 2, 64), 0);
        KernelSignature signature = KernelCatalog.attentionOf(64);
        try (AttentionRun run = new AttentionRun(kernels, text, Kind.BF16, 0)) {
            float[] norms = normsKept(run, text, signature);
            for (int i = 1; i < 5; i++) {
                float[] again = run.prefill(signature, Scaling.NORMS, false).z();
                assertArrayEquals(norms, again, "launch " + i);
            }
        }
    }

    private static void check(AttentionCase text, String what) {
        Expected expected = text.expected(Arithmetic.TENSOR);
        expected.rounds(TestArray.BF16_UNIT);
        Result z = run(text);
        Closeness.assertClose(expected, z.z(), 0, 1, text.shape.queryWidth(), what + ", " + text.shape);
        assertArrayEquals(z.z(), z.unscaled(), what + ": before factors, where there are none");
    }

    private static Result run(AttentionCase text) {
        try (AttentionRun run = new AttentionRun(kernels, text, Kind.BF16, 0)) {
            return run.prefill(KernelCatalog.attentionOf(text.shape.headSize()), Scaling.NONE, true);
        }
    }
}
