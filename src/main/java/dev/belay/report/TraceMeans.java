package dev.belay.report;

import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Means over transcripts, each over those that have the number; NaN if none has it.
 *
 * @param transcripts number of them
 * @param plateau mean level of the scores while thinking
 * @param finalScore mean score at the last token
 * @param cliff mean of plateau − final score
 */
public record TraceMeans(int transcripts, double plateau, double finalScore, double cliff) {
    static TraceMeans of(List<TraceSeries> traces) {
        return new TraceMeans(
                traces.size(),
                mean(traces, TraceSeries::plateau),
                mean(traces, TraceSeries::finalScore),
                mean(traces, TraceSeries::cliff));
    }

    private static double mean(List<TraceSeries> traces, ToDoubleFunction<TraceSeries> part) {
        return traces.stream()
                .mapToDouble(part)
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
    }
}
