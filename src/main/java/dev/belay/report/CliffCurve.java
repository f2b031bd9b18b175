package dev.belay.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToIntFunction;

/**
 * Refusal scores of many transcripts on one axis: position 0 is the first closing token, −1 the last thinking token.
 *
 * <p>The axis begins where half of the transcripts have begun, and shows at most half as much prompt as thinking. Where it
 * has more than {@value #MAX_POINTS} positions before the closing tokens, a point is the mean of several of them.
 */
final class CliffCurve {
    private static final int MAX_POINTS = 300;

    /** A place on the axis and a score. */
    record Point(double position, double score) {}

    private final List<TraceSeries> traces;
    private final int thinking;
    private final int prompt;
    private final int closing;
    private final int bin;

    CliffCurve(List<TraceSeries> traces) {
        this.traces = traces;
        this.thinking = median(TraceSeries::thinking);
        int wanted = thinking == 0 ? 40 : (thinking + 1) / 2;
        this.prompt = Math.min(median(TraceSeries::thinkingStart), wanted);
        this.closing = traces.stream().mapToInt(TraceSeries::closing).max().orElse(0);
        this.bin = Math.max(1, Math.ceilDiv(thinking + prompt, MAX_POINTS));
    }

    /** The first position shown: zero or negative. */
    int first() {
        return -(thinking + prompt);
    }

    /** Thinking tokens of the median transcript. */
    int thinking() {
        return thinking;
    }

    /** Closing tokens of the transcript that has most of them. */
    int closing() {
        return closing;
    }

    /** Positions behind one point to the left of the closing tokens. */
    int bin() {
        return bin;
    }

    /** One transcript; points that it does not have are NaN. */
    List<Point> of(TraceSeries trace) {
        List<Point> points = new ArrayList<>();
        for (int from = first(); from < 0; from += bin) {
            int to = Math.min(from + bin, 0);
            points.add(new Point((from + to - 1) / 2.0, mean(trace, from, to)));
        }
        for (int position = 0; position < closing; position++) {
            points.add(new Point(position, mean(trace, position, position + 1)));
        }
        return points;
    }

    /** The mean over transcripts, NaN where less than half of them have a score. */
    List<Point> mean() {
        return mean(traces);
    }

    /** The mean over some of the transcripts, at least one. */
    List<Point> mean(List<TraceSeries> some) {
        List<List<Point>> all = some.stream().map(this::of).toList();
        List<Point> mean = new ArrayList<>();
        for (int i = 0; i < all.getFirst().size(); i++) {
            int column = i;
            double[] scores = all.stream()
                    .mapToDouble(points -> points.get(column).score())
                    .filter(Double::isFinite)
                    .toArray();
            double score = 2 * scores.length < some.size()
                    ? Double.NaN
                    : Arrays.stream(scores).average().orElse(Double.NaN);
            mean.add(new Point(all.getFirst().get(i).position(), score));
        }
        return mean;
    }

    /** The closing tokens if all transcripts have the same, else empty strings. */
    List<String> closingTokens() {
        List<String> tokens = new ArrayList<>();
        for (int position = 0; position < closing; position++) {
            int column = position;
            List<String> distinct = traces.stream()
                    .filter(trace -> column < trace.closing())
                    .map(trace -> trace.tokens()[trace.thinkingEnd() + column])
                    .distinct()
                    .toList();
            tokens.add(distinct.size() == 1 ? HtmlText.visible(distinct.getFirst()) : "");
        }
        return tokens;
    }

    private static double mean(TraceSeries trace, int from, int to) {
        double sum = 0;
        int count = 0;
        for (int position = from; position < to; position++) {
            int index = trace.thinkingEnd() + position;
            if (index >= 0 && index < trace.length() && Double.isFinite(trace.scores()[index])) {
                sum += trace.scores()[index];
                count++;
            }
        }
        return count == 0 ? Double.NaN : sum / count;
    }

    private int median(ToIntFunction<TraceSeries> length) {
        int[] sorted = traces.stream().mapToInt(length).sorted().toArray();
        return sorted.length == 0 ? 0 : sorted[sorted.length / 2];
    }
}
