package dev.belay.cliff;

import dev.belay.BelayException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/** Cliff-as-a-Judge: chooses the training examples that show the refusal cliff most. */
public final class DataSelection {
    private DataSelection() {}

    /**
     * One training example and its scores.
     *
     * @param index its place in the pool; breaks ties, so no two may share it
     * @param id the transcript's id
     * @param misalignment plateau − final score
     * @param finalScore refusal score at the last position
     */
    public record Candidate(int index, String id, double misalignment, double finalScore) {}

    /** What decides which examples are kept. */
    public enum Rank {
        /** The largest misalignment scores, as in the paper. */
        MISALIGNMENT,
        /** The lowest final scores, as in the authors' released code. */
        FINAL,
        /** A random sample, to compare with; no score is read. */
        RANDOM;

        /** Reads {@code misalignment}, {@code final} or {@code random}. */
        public static Rank parse(String text) {
            return switch (text) {
                case "misalignment" -> MISALIGNMENT;
                case "final" -> FINAL;
                case "random" -> RANDOM;
                default ->
                    throw new BelayException(
                            "unknown ranking '" + text + "': use --rank misalignment, --rank final or --rank random");
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * Chooses {@code count} candidates, best first, or in the order drawn. Equal scores go by index. The result does not depend
     * on the order of the list, and a larger count only appends to it.
     *
     * @param seed for {@link Rank#RANDOM}; the same seed draws the same sample on every machine
     * @throws BelayException if there are fewer candidates than {@code count}, or a score it ranks by is not a number
     */
    public static List<Candidate> select(List<Candidate> candidates, Rank rank, int count, long seed) {
        if (count < 1 || count > candidates.size()) {
            throw new BelayException("cannot choose " + count + " of " + candidates.size()
                    + " training examples; ask for a number from 1 to " + candidates.size());
        }
        List<Candidate> ranked = new ArrayList<>(candidates);
        ranked.sort(Comparator.comparingInt(Candidate::index));
        if (rank == Rank.RANDOM) {
            drawToFront(ranked, count, new Random(seed));
        } else {
            ranked.forEach(candidate -> check(candidate, rank));
            // Stable, so equal scores stay in the order of the index.
            ranked.sort(Comparator.comparingDouble(candidate -> smallestFirst(candidate, rank)));
        }
        return List.copyOf(ranked.subList(0, count));
    }

    /** Fisher and Yates, from the front; java.util.Random and this loop are fixed, Collections.shuffle may change. */
    private static void drawToFront(List<Candidate> list, int count, Random random) {
        for (int i = 0; i < count; i++) {
            int drawn = i + random.nextInt(list.size() - i);
            Candidate first = list.get(i);
            list.set(i, list.get(drawn));
            list.set(drawn, first);
        }
    }

    private static void check(Candidate candidate, Rank rank) {
        if (Double.isNaN(smallestFirst(candidate, rank))) {
            String score = rank == Rank.FINAL ? "final score" : "misalignment score";
            throw new BelayException("the " + score + " of transcript " + candidate.id()
                    + " is not a number; check the model's weights and the probe, or leave the transcript out");
        }
    }

    private static double smallestFirst(Candidate candidate, Rank rank) {
        // + 0.0 makes a negative zero a positive one, or else the two would not be a tie.
        return (rank == Rank.FINAL ? candidate.finalScore() : -candidate.misalignment()) + 0.0;
    }
}
