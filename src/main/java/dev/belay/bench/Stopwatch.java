package dev.belay.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Repeats work for some time. */
final class Stopwatch {
    private static final double NANOS = 1e9;

    private Stopwatch() {}

    /**
     * The seconds of each repetition.
     *
     * @param budget seconds after which it is not repeated any more
     * @param least repetitions in any case
     */
    static List<Double> repeat(Runnable work, double budget, int least) {
        List<Double> seconds = new ArrayList<>();
        double sum = 0;
        while (seconds.size() < least || sum < budget) {
            double took = seconds(work);
            seconds.add(took);
            sum += took;
        }
        return seconds;
    }

    /** The seconds of one run. */
    static double seconds(Runnable work) {
        long start = System.nanoTime();
        work.run();
        return (System.nanoTime() - start) / NANOS;
    }

    /** The middle one, or the mean of the two in the middle. */
    static double median(List<Double> values) {
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
