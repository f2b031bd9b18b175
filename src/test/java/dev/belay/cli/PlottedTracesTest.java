package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.cliff.CliffScore;
import dev.belay.cliff.RefusalTrace;
import dev.belay.report.HtmlReport;
import dev.belay.report.RunReport;
import dev.belay.report.TraceSeries;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How much of the traces of a run is kept for its page. */
class PlottedTracesTest {
    private final PlottedTraces plotted = new PlottedTraces(ids -> Collections.nCopies(ids.length, "x"));
    private final List<CliffScore> all = new ArrayList<>();

    private void add(int tokens, double score) {
        double[] scores = new double[tokens];
        Arrays.fill(scores, score);
        String id = "t" + all.size();
        RefusalTrace trace = new RefusalTrace(id, new int[tokens], 1, tokens - 1, scores, score, score);
        plotted.add(new Transcript(id, "prompt", "", "", null, null), trace);
        all.add(trace.score());
    }

    private List<String> ids() {
        return plotted.series().stream().map(TraceSeries::id).toList();
    }

    @Test
    void thereAreAtMostAThousand() {
        for (int i = 0; i < 1001; i++) {
            add(3, 0.5);
        }
        assertEquals(1000, plotted.series().size());
        assertEquals("t999", ids().getLast());
        assertEquals(1000, PlottedTraces.count(all));
    }

    /** Those that are plotted are the first: none that is short enough follows one that was too long. */
    @Test
    void longOnesAreFewer() {
        add(1_500_000, 0.5);
        add(400_000, 0.5);
        add(200_000, 0.5);
        add(3, 0.5);
        assertEquals(List.of("t0", "t1"), ids());
        assertEquals(2, PlottedTraces.count(all));
        assertEquals(1, PlottedTraces.count(all.subList(2, 3)));
        assertEquals(0, PlottedTraces.count(List.of()));
    }

    @Test
    void oneIsPlottedHoweverLong() {
        add(2_000_001, 0.5);
        add(3, 0.5);
        assertEquals(List.of("t0"), ids());
        assertEquals(1, PlottedTraces.count(all));
    }

    @Test
    void thePageHasTheMeansOfAllAndSaysWhatIsPlotted() {
        add(1_999_999, 0.25);
        add(3, 0.75);
        add(3, 0.5);
        RunReport.Builder page = RunReport.builder("title", "model");
        PlottedTraces.fill(page, plotted.series(), all);
        String html = HtmlReport.render(page.build());
        assertTrue(
                html.contains("<dt>final score</dt><dd class=\"fall\">0.50</dd>"), html.substring(html.indexOf("<dl")));
        assertTrue(html.contains("Plotted are the first 1 of 3 transcripts."));
        RunReport.Builder small = RunReport.builder("title", "model");
        PlottedTraces.fill(small, plotted.series(), all.subList(0, 1));
        assertFalse(HtmlReport.render(small.build()).contains("Plotted are"));
    }
}
