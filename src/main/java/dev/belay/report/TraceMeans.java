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
        return of(traces, TraceSeries::plateau, TraceSeries::finalScore, TraceSeries::cliff);
    }

    /** Those of transcripts in any form, by what gives their numbers. */
    public static <T> TraceMeans of(
            List<T> traces, ToDoubleFunction<T> plateau, ToDoubleFunction<T> finalScore, ToDoubleFunction<T> cliff) {
        return new TraceMeans(traces.size(), mean(traces, plateau), mean(traces, finalScore), mean(traces, cliff));
    }

    private static <T> double mean(List<T> traces, ToDoubleFunction<T> part) {
        return traces.stream()
                .mapToDouble(part)
                .filter(Double::isFinite)
                .average()
                .orElse(Double.NaN);
    }
}
