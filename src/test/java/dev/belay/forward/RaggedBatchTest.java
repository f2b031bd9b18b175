package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.Closeness;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.TokenLayout;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** However a text is cut into batches, rows, caches and prefixes, its states are the same. */
class RaggedBatchTest {
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void resultsDoNotDependOnTheRestOfTheBatch(String name) {
        try (TestModel m = TestModel.open(name)) {
            int[] lengths = {40, 1, 17, 16, 64, 3};
            for (int shift = 0; shift < lengths.length; shift++) {
                Batch batch = new Batch();
                for (int i = 0; i < lengths.length; i++) {
                    int n = lengths[(i + shift) % lengths.length];
                    batch.addText(m.text(n, n), batch.tokens(), TextSpan.plain(n));
                }
                float[] together = m.states(batch, Hooks.none(), false);
                int from = 0;
                for (int i = 0; i < lengths.length; i++) {
                    int n = lengths[(i + shift) % lengths.length];
                    float[] alone = m.states(m.text(n, n), TextSpan.plain(n), null);
                    float[] row = Arrays.copyOfRange(together, from, from + alone.length);
                    Closeness.assertSame(alone, row, TestModel.SAME, m.config.hidden(), n + " tokens, shift " + shift);
                    from += alone.length;
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "tiny-cliff"})
    void theSameBatchTwiceGivesTheSameBits(String name) {
        for (boolean half : new boolean[] {false, true}) {
            try (TestModel m = half ? TestModel.bfloat16(name) : TestModel.open(name)) {
                Batch batch = new Batch();
                batch.addText(m.text(1, 130), 0, TextSpan.plain(130));
                batch.addText(m.text(2, 37), 130, TextSpan.plain(37));
                float[] first = m.states(batch, Hooks.none(), false);
                for (int run = 0; run < 3; run++) {
                    assertArrayEquals(first, m.states(batch, Hooks.none(), false), "run " + run);
                }
            }
        }
    }

    /** Cut in two, and token by token, with another row in the same cache; masks act on absolute positions. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void partsThatContinueACacheEqualOnePass(String name) {
        try (TestModel m = TestModel.open(name);
                KvCache cache = KvCache.keeping(m.device, m.config, 80)) {
            int[][] texts = {m.text(1, 40), m.text(2, 35)};
            HeadMask mask = m.mask(PositionScope.CLOSING, false).ablate(0, 1).ablate(1, 2);
            TextSpan span = new TextSpan(35, 4, 18, 24);
            for (int[] cuts : new int[][] {{0, 19, 35}, {0, 1, 33, 34, 35}}) {
                float[][] states = {new float[0], new float[0]};
                for (int c = 0; c + 1 < cuts.length; c++) {
                    Batch batch = new Batch();
                    for (int r = 0; r < 2; r++) {
                        batch.openRow(r * 41, span);
                        for (int p = cuts[c]; p < cuts[c + 1]; p++) {
                            batch.addToken(texts[r][p], p);
                        }
                    }
                    Hooks hooks = Hooks.scaling(HeadScales.shared(mask));
                    DeviceBuffer out = m.forward.run(batch, m.config.layers(), cache, hooks, false);
                    float[] both = TestModel.read(out, batch.tokens() * m.config.hidden());
                    states[0] = join(states[0], Arrays.copyOf(both, both.length / 2));
                    states[1] = join(states[1], Arrays.copyOfRange(both, both.length / 2, both.length));
                }
                for (int r = 0; r < 2; r++) {
                    float[] whole = m.states(Arrays.copyOf(texts[r], 35), span, mask);
                    Closeness.assertSame(whole, states[r], TestModel.SAME, m.config.hidden(), "row " + r);
                }
            }
        }
    }

    private static float[] join(float[] a, float[] b) {
        float[] joined = Arrays.copyOf(a, a.length + b.length);
        System.arraycopy(b, 0, joined, a.length, b.length);
        return joined;
    }

    /** Two prefixes in one cache, suffixes of different lengths with different masks, and one whole text among them. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void rowsOnASharedPrefixEqualWholeTexts(String name) {
        try (TestModel m = TestModel.open(name);
                KvCache prefixes = KvCache.keeping(m.device, m.config, 50);
                KvCache own = KvCache.passing(m.device, m.config, 120)) {
            int[][] shared = {m.text(1, 20), m.text(2, 27)};
            Batch prefill = new Batch();
            prefill.addText(shared[0], 3, TextSpan.plain(20));
            prefill.addText(shared[1], 23, TextSpan.plain(27));
            m.forward.run(prefill, m.config.layers(), prefixes, Hooks.none(), false);
            int[][] rows = {{1, 20, 23}, {0, 20, 26}, {0, 19, 20}, {-1, 0, 15}, {1, 27, 28}, {0, 7, 30}};
            Batch batch = new Batch();
            List<HeadMask> masks = new ArrayList<>();
            List<int[]> texts = new ArrayList<>();
            for (int[] row : rows) {
                int[] ids = m.text(100 + row[2], row[2]);
                if (row[0] >= 0) {
                    System.arraycopy(shared[row[0]], 0, ids, 0, row[1]);
                }
                int slot = 2 * batch.tokens();
                batch.addSuffix(ids, row[1], row[0] == 1 ? 23 : 3, slot, TextSpan.plain(row[2]));
                texts.add(ids);
                masks.add(m.mask(new PositionScope(PositionScope.Kind.LAST, row[2] - row[1]), false)
                        .ablate(0, texts.size() % m.config.heads()));
            }
            Hooks hooks = Hooks.scaling(HeadScales.perRow(masks));
            m.forward.embed(batch, hooks);
            TokenLayout layout = m.forward.layers(batch, 0, m.config.layers(), prefixes, own, hooks, false);
            int width = m.config.hidden();
            float[] actual = TestModel.read(m.forward.finalNorm(layout.tokens()), layout.tokens() * width);
            for (int r = 0; r < rows.length; r++) {
                float[] whole = m.states(texts.get(r), TextSpan.plain(rows[r][2]), masks.get(r));
                float[] suffix = Arrays.copyOfRange(whole, rows[r][1] * width, whole.length);
                float[] row = Arrays.copyOfRange(actual, layout.rowStart(r) * width, layout.rowEnd(r) * width);
                Closeness.assertSame(suffix, row, TestModel.SAME, width, "row " + r);
            }
        }
    }

    /** Reads of some tokens, several of one row, none of another, and with masks in the last layer. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void readingSomeTokensEqualsReadingAll(String name) {
        try (TestModel m = TestModel.open(name)) {
            Batch batch = new Batch();
            List<HeadMask> masks = new ArrayList<>();
            List<Integer> reads = new ArrayList<>();
            for (int r = 0; r < 4; r++) {
                batch.openRow(batch.tokens(), TextSpan.probe(20 + r, 3, 16 + r));
                int[] ids = m.text(r, 20 + r);
                for (int p = 0; p < ids.length; p++) {
                    batch.addToken(ids[p], p);
                    if (r != 2 && (p == 5 * r || p >= 17 + r)) {
                        batch.readLast();
                        reads.add(batch.tokens() - 1);
                    }
                }
                masks.add(m.mask(PositionScope.CLOSING, r == 1).ablate(m.config.layers() - 1, r));
            }
            int width = m.config.hidden();
            float[] all = m.states(batch, Hooks.scaling(HeadScales.perRow(masks)), false);
            float[] expected = new float[reads.size() * width];
            for (int i = 0; i < reads.size(); i++) {
                System.arraycopy(all, reads.get(i) * width, expected, i * width, width);
            }
            float[] actual = m.states(batch, Hooks.scaling(HeadScales.perRow(masks)), true);
            Closeness.assertSame(expected, actual, TestModel.SAME, width, "tokens read");
        }
    }

    @Test
    void aCacheThatIsTooSmallIsNamed() {
        try (TestModel m = TestModel.open("llama");
                KvCache cache = KvCache.keeping(m.device, m.config, 9)) {
            Batch batch = new Batch();
            batch.addText(m.text(1, 10), 0, TextSpan.plain(10));
            String message = assertThrows(
                            DeviceException.class, () -> m.forward.run(batch, 3, cache, Hooks.none(), false))
                    .getMessage();
            assertEquals(
                    "rotate slot of 32 elements at 288 is outside buffer 'cache of layer 0: values' of 288 elements",
                    message);
        }
    }
}
