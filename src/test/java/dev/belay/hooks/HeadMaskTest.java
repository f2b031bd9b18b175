package dev.belay.hooks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.TokenLayout;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeadMaskTest {
    private final HeadMask mask = new HeadMask(3, 4, PositionScope.ALL, false);

    @ParameterizedTest
    @CsvSource({"3, 0", "-1, 0", "0, 4", "2, -1", "0, 2147483647"})
    void anUnknownHeadIsAnError(int layer, int head) {
        String expected = "there is no head (" + layer + ", " + head + "): the model has layers 0..2 with heads 0..3";
        for (int i = 0; i < 2; i++) {
            boolean ablate = i == 0;
            String message = assertThrows(BelayException.class, () -> {
                        if (ablate) {
                            mask.ablate(layer, head);
                        } else {
                            mask.scale(layer, head, 0.5f);
                        }
                    })
                    .getMessage();
            assertEquals(expected, message);
        }
        assertEquals(0, mask.size());
    }

    @Test
    void namesHeadsOnce() {
        assertSame(mask, mask.ablate(1, 2));
        mask.ablate(1, 2).scale(1, 0, 0.5f).scale(1, 0, -2f);
        assertEquals(2, mask.size());
        assertEquals(0f, mask.factor(1, 2));
        assertEquals(-2f, mask.factor(1, 0));
        assertEquals(1f, mask.factor(1, 1));
        assertEquals(1f, mask.factor(0, 2));
        assertTrue(mask.touches(1));
        assertFalse(mask.touches(0));
    }

    /** Two masks have the same text only if they do the same. */
    @Test
    void theTextTellsMasksApart() {
        mask.ablate(1, 2).scale(1, 0, 0.5f).scale(2, 3, 1f);
        assertEquals("all, layer 1: 0 x 0.5 2 x 0.0, layer 2:", mask.toString());
        PositionScope last = new PositionScope(PositionScope.Kind.LAST, 3);
        assertEquals("last:3, renormalized", new HeadMask(3, 4, last, true).toString());
    }

    /** A factor of 1 changes nothing, so it does not count, and setting a head back to 1 takes it out. */
    @Test
    void sizeCountsHeadsThatAreChanged() {
        mask.scale(0, 0, 1f).scale(0, 0, 1f);
        assertEquals(0, mask.size());
        mask.ablate(0, 0).scale(0, 0, 1f);
        assertEquals(0, mask.size());
        mask.ablate(0, 0);
        assertEquals(1, mask.size());
    }

    @Test
    void aCopyIsItsOwn() {
        mask.ablate(0, 1);
        HeadMask copy = mask.copy().ablate(0, 2).ablate(2, 2);
        assertEquals(1, mask.size());
        assertEquals(1f, mask.factor(0, 2));
        assertFalse(mask.touches(2));
        assertEquals(3, copy.size());
        assertEquals(0f, copy.factor(0, 1));
        assertSame(mask.scope(), copy.scope());
        assertTrue(new HeadMask(1, 1, PositionScope.ALL, true).copy().renormalize());
    }

    /** Rows: a mask, none, one that leaves the layer alone, the first mask again with no token in its scope, another. */
    @Test
    void fillsATableWithASetForEachMaskOfTheLayer() {
        HeadMask closing = new HeadMask(3, 4, PositionScope.CLOSING, true).ablate(0, 1);
        HeadMask other = new HeadMask(3, 4, PositionScope.ALL, false).ablate(1, 1);
        HeadMask half =
                new HeadMask(3, 4, PositionScope.ALL, false).scale(0, 3, 0.5f).scale(0, 0, 1f);
        TokenLayout layout = new TokenLayout();
        for (int r = 0; r < 5; r++) {
            layout.addRow(0, 0, 3 * r);
            for (int p = 0; p < 3; p++) {
                layout.addToken(0, p);
            }
        }
        TextSpan closes = TextSpan.probe(3, 0, 1);
        List<TextSpan> spans = List.of(closes, closes, closes, TextSpan.plain(3), closes);
        HeadScales scales = HeadScales.perRow(Arrays.asList(closing, null, other, closing, half));
        HeadScaleTable table = new HeadScaleTable();
        HookReport report = new HookReport();
        assertTrue(scales.fill(table, 0, layout, spans, report));
        int[] sets = new int[15];
        Arrays.setAll(sets, table::setOf);
        assertEquals("[-1, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 1, 1]", Arrays.toString(sets));
        assertEquals(0f, table.factor(0, 1));
        assertTrue(table.renormalize(0));
        assertEquals(0.5f, table.factor(1, 3));
        assertFalse(table.renormalize(1));
        assertEquals(2 + 3, report.scaledHeadTokens());
        assertEquals(2, report.heads());
        assertEquals(1, report.layers());
        assertFalse(scales.fill(table, 2, layout, spans, report), "no mask names layer 2");
        assertEquals(5, report.scaledHeadTokens());
    }

    @Test
    void oneMaskForAllRowsOrNone() {
        assertSame(mask, HeadScales.shared(mask).of(17));
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        layout.addToken(0, 0);
        List<TextSpan> spans = List.of(TextSpan.plain(1));
        HeadScaleTable table = new HeadScaleTable();
        HookReport report = new HookReport();
        assertFalse(HeadScales.none().fill(table, 0, layout, spans, report));
        assertFalse(HeadScales.shared(null).fill(table, 0, layout, spans, report));
        assertFalse(HeadScales.shared(mask.ablate(1, 1)).fill(table, 0, layout, spans, report));
        assertTrue(HeadScales.shared(mask).fill(table, 1, layout, spans, report));
        assertEquals(1, report.scaledHeadTokens());
    }
}
