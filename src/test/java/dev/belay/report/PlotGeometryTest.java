package dev.belay.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.report.HeadMap.HeadRef;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Coordinates that were worked out by hand. */
class PlotGeometryTest {
    private static TraceSeries trace(String id, double... scores) {
        String[] tokens = new String[scores.length];
        for (int i = 0; i < tokens.length; i++) {
            tokens[i] = i < tokens.length - 2 ? "t" + i : i == tokens.length - 2 ? "</think>" : "\n\n";
        }
        return new TraceSeries(id, "", tokens, scores, 0, scores.length - 2, 1, 0);
    }

    /**
     * Plot area: x 44..828, of which the right half is closing as two of four tokens are; y 344 (score 0) .. 46 (score 1).
     * Each token stands in the middle of its 196 units.
     */
    @Test
    void cliffPlot() {
        String svg = CliffPlot.render(List.of(trace("a", 1, 1, 0.5, 0)), CliffPlot.Layout.WIDE);
        String lines = "d=\"M142 46L338 46L534 195L730 344\"";
        assertTrue(svg.contains("class=\"one\" " + lines), svg);
        assertTrue(svg.contains("class=\"mean\" d=\"M142 46L338 46\""), svg);
        assertTrue(svg.contains("class=\"mean fall\" d=\"M338 46L534 195L730 344\""), svg);
        assertTrue(svg.contains("<rect class=\"closing\" x=\"436\" y=\"22\" width=\"392\" height=\"322\"/>"), svg);
        assertTrue(svg.contains(">plateau 1.00</text>") && svg.contains(">cliff 1.00</text>"), svg);
        assertTrue(svg.contains(">&lt;/think&gt;</text>") && svg.contains(">↵↵</text>"), svg);
    }

    @Test
    void meanStopsWhereLessThanHalfHaveAScore() {
        CliffCurve curve = new CliffCurve(
                List.of(trace("a", 0.2, 0.4, 1, 0), trace("b", 0.8, 1, 0.5), trace("c", 0.9, 1, Double.NaN)));
        assertEquals(1, curve.thinking());
        assertEquals(-1, curve.first());
        assertEquals(
                List.of(
                        new CliffCurve.Point(-1, (0.4 + 0.8 + 0.9) / 3),
                        new CliffCurve.Point(0, 1),
                        new CliffCurve.Point(1, 0.25)),
                curve.mean());
    }

    @Test
    void longThinkingIsBinned() {
        double[] scores = new double[1202];
        scores[0] = 4;
        CliffCurve curve = new CliffCurve(List.of(trace("a", scores)));
        assertEquals(4, curve.bin());
        assertEquals(302, curve.mean().size());
        assertEquals(new CliffCurve.Point(-1198.5, 1), curve.mean().getFirst());
        assertEquals(new CliffCurve.Point(1, 0), curve.mean().getLast());
    }

    @Test
    void closingTokensAreNamedOnlyWhereAllAgree() {
        TraceSeries other = new TraceSeries("b", "", new String[] {"x", "</t>", "\n\n"}, new double[3], 0, 1, 1, 0);
        assertEquals(List.of("", "↵↵"), new CliffCurve(List.of(trace("a", 1, 1, 0), other)).closingTokens());
    }

    /** Cells of 142 × 28 from (34, 34), one unit of gap on each side; suppressors are orange in both directions. */
    @Test
    void heatMap() {
        double[][] scores = {{0, 2}, {-4, Double.NaN}};
        String svg =
                HeatMapPlot.render(new HeadMap("direct", "", "u", 0, scores, true, List.of(new HeadRef(1, 0, -4))));
        assertTrue(svg.contains("<rect class=\"cell q10\" x=\"35\" y=\"35\" width=\"140\" height=\"26\">"), svg);
        assertTrue(svg.contains("<rect class=\"cell q15\" x=\"177\" y=\"35\" width=\"140\" height=\"26\">"), svg);
        assertTrue(svg.contains("<rect class=\"cell q0\" x=\"35\" y=\"63\""), svg);
        assertTrue(svg.contains("<rect class=\"cell qx\" x=\"177\" y=\"63\""), svg);
        assertTrue(svg.contains("<rect class=\"chosen\" x=\"34.5\" y=\"62.5\" width=\"141\" height=\"27\"/>"), svg);
        assertTrue(svg.contains("<title>layer 1, head 1: not measured</title>"), svg);
        assertTrue(svg.contains("<title>layer 1, head 0: −4.00</title>"), svg);
        String causal =
                HeatMapPlot.render(new HeadMap("causal", "", "u", 1, new double[][] {{1, 3}}, false, List.of()));
        assertTrue(causal.contains("<rect class=\"cell q0\" x=\"177\" y=\"35\""), causal);
        assertTrue(causal.contains(">no effect</text>") && causal.contains(">3.0</text>"), causal);
    }

    /** Two means on one axis: the earlier one is named when pointed at, and no single transcripts are drawn. */
    @Test
    void twoModelsInOnePlot() {
        List<TraceSeries> before = List.of(trace("a", 1, 1, 0.25), trace("b", 1, 1, 0.75));
        List<TraceSeries> after = List.of(trace("a", 1, 1, 1), trace("b", 1, 1, 1));
        String svg = CliffPlot.render(after, before, CliffPlot.Layout.WIDE);
        assertTrue(svg.contains("class=\"mean earlier\""), svg);
        assertFalse(svg.contains("class=\"one\""), svg);
        assertTrue(svg.contains("<title>before, closing token 2: 0.50</title>"), svg);
        assertTrue(svg.contains("<title>closing token 2: 1.00</title>"), svg);
        assertTrue(svg.contains("Before, it stood at"), svg);
    }

    /** Bars run from 106 to 304. */
    @Test
    void bars() {
        String svg = BarPlot.render(OutcomeBar.share("g", 0.5, 1, Double.NaN, 100));
        assertTrue(svg.contains("<rect class=\"bar-before\" x=\"106\" y=\"6\" width=\"99\" height=\"18\">"), svg);
        assertTrue(svg.contains("<rect class=\"bar-after\" x=\"106\" y=\"36\" width=\"198\" height=\"18\">"), svg);
        assertFalse(svg.contains("random"), svg);
        assertEquals(2, svg.split("whisker halo", -1).length - 1, svg);
        assertFalse(BarPlot.render(OutcomeBar.meanScore("g", 0.5, 1, 0.5, 100)).contains("whisker"));
    }

    @Test
    void ticksAndCoordinates() {
        assertEquals(1, CliffPlot.niceStep(0.3));
        assertEquals(5, CliffPlot.niceStep(2.1));
        assertEquals(200, CliffPlot.niceStep(101));
        assertEquals("0", SvgPlot.number(-0.001));
        assertEquals("1.5", SvgPlot.number(1.5));
        assertEquals("-0.25", SvgPlot.number(-0.25));
        assertThrows(IllegalArgumentException.class, () -> SvgPlot.number(Double.NaN));
    }

    @Test
    void modelRejectsWhatCannotBeDrawn() {
        String[] two = {"a", "b"};
        assertThrows(IllegalArgumentException.class, () -> new TraceSeries("x", "", two, new double[3], 0, 1, 1, 0));
        assertThrows(IllegalArgumentException.class, () -> new TraceSeries("x", "", two, new double[2], 1, 3, 1, 0));
        List<HeadRef> outside = List.of(new HeadRef(0, 1, 0));
        assertThrows(
                IllegalArgumentException.class, () -> new HeadMap("m", "", "", 0, new double[][] {{1}}, true, outside));
        assertThrows(
                IllegalArgumentException.class,
                () -> new HeadMap("m", "", "", 0, new double[][] {{1}, {1, 2}}, true, List.of()));
    }
}
