package dev.belay.cli;

import dev.belay.cliff.CliffScore;
import dev.belay.cliff.RefusalTrace;
import dev.belay.report.RunReport;
import dev.belay.report.TraceSeries;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** The traces that a page plots, token by token: the first of a run, at most {@value #MOST} and of {@value #MOST_TOKENS} tokens in all. */
final class PlottedTraces {
    static final int MOST = 1000;
    static final int MOST_TOKENS = 2_000_000;

    private final Function<int[], List<String>> tokenTexts;
    /** The same text is kept once. */
    private final Map<String, String> pieces = new HashMap<>();

    private final List<TraceSeries> series = new ArrayList<>();
    private long tokens;

    /**
     * None yet.
     *
     * @param tokenTexts gives the text of each token
     */
    PlottedTraces(Function<int[], List<String>> tokenTexts) {
        this.tokenTexts = tokenTexts;
    }

    /** Keeps a trace if there is room for it and was for all before. */
    void add(Transcript transcript, RefusalTrace trace) {
        tokens += trace.ids().length;
        if (hasRoom(series.size(), tokens)) {
            series.add(series(transcript, trace));
        }
    }

    /** How many of these, from the first, are plotted. */
    static int count(List<CliffScore> scores) {
        int count = 0;
        long tokens = 0;
        for (CliffScore score : scores) {
            tokens += score.tokens();
            if (!hasRoom(count, tokens)) {
                break;
            }
            count++;
        }
        return count;
    }

    /** Whether one more may be kept, with which there are so many tokens. */
    private static boolean hasRoom(int count, long tokens) {
        return count < MOST && (count == 0 || tokens <= MOST_TOKENS);
    }

    /** A trace with its tokens and its prompt. */
    private TraceSeries series(Transcript transcript, RefusalTrace t) {
        String[] texts = tokenTexts.apply(t.ids()).stream()
                .map(text -> pieces.computeIfAbsent(text, same -> same))
                .toArray(String[]::new);
        return new TraceSeries(
                t.id(),
                transcript.prompt(),
                texts,
                t.scores(),
                t.thinkingStart(),
                t.thinkingEnd(),
                t.plateau(),
                t.finalScore());
    }

    /** Those that are kept. */
    List<TraceSeries> series() {
        return series;
    }

    /** Puts plots of the traces on a page, with the means of all that there are. */
    static void fill(RunReport.Builder page, List<TraceSeries> plotted, List<CliffScore> all) {
        plotted.forEach(page::trace);
        page.means(PageParts.means(all));
    }
}
