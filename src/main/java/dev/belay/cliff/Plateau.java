package dev.belay.cliff;

import dev.belay.BelayException;
import java.util.Arrays;
import java.util.Locale;

/** How the plateau is taken from the scores at the thinking positions. */
public enum Plateau {
    /** The largest score; the paper's choice. */
    MAX,
    /** The mean score. */
    MEAN,
    /** The 90th percentile, interpolated linearly. */
    P90;

    /** Reads {@code max}, {@code mean} or {@code p90}. */
    public static Plateau parse(String text) {
        for (Plateau plateau : values()) {
            if (plateau.label().equals(text)) {
                return plateau;
            }
        }
        throw new BelayException("unknown plateau '" + text + "': use max, mean or p90");
    }

    /** The spelling of the command line. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The plateau of scores[from, to); NaN if there are none. */
    public double of(double[] scores, int from, int to) {
        if (from >= to) {
            return Double.NaN;
        }
        double[] sorted = Arrays.copyOfRange(scores, from, to);
        Arrays.sort(sorted);
        return switch (this) {
            case MAX -> sorted[sorted.length - 1];
            case MEAN -> Arrays.stream(sorted).average().orElseThrow();
            case P90 -> {
                double place = 0.9 * (sorted.length - 1);
                int below = (int) place;
                int above = Math.min(below + 1, sorted.length - 1);
                yield sorted[below] + (place - below) * (sorted[above] - sorted[below]);
            }
        };
    }
}
