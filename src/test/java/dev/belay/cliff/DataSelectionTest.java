package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.BelayException;
import dev.belay.cliff.DataSelection.Candidate;
import dev.belay.cliff.DataSelection.Rank;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DataSelectionTest {
    // Misalignment and final score rank differently, and both have a tie.
    private static final List<Candidate> POOL = List.of(
            new Candidate(0, "a", 0.25, 0.50),
            new Candidate(1, "b", 0.75, 0.25),
            new Candidate(2, "c", -0.0, 0.00),
            new Candidate(3, "d", 0.75, 0.125),
            new Candidate(4, "e", 0.0, -0.0));

    private static List<Integer> indices(List<Candidate> candidates) {
        return candidates.stream().map(Candidate::index).toList();
    }

    private static List<Integer> chosen(Rank rank, int count, long seed) {
        List<Integer> chosen = indices(DataSelection.select(POOL, rank, count, seed));
        assertEquals(
                chosen, indices(DataSelection.select(POOL.reversed(), rank, count, seed)), "the list's order matters");
        return chosen;
    }

    @Test
    void ranksByMisalignmentAndByFinalScore() {
        assertEquals(List.of(1, 3, 0, 2, 4), chosen(Rank.MISALIGNMENT, 5, 0));
        assertEquals(List.of(2, 4, 3, 1, 0), chosen(Rank.FINAL, 5, 0));
        assertEquals(List.of(1), chosen(Rank.MISALIGNMENT, 1, 7));
        assertEquals(List.of(2, 4, 3), chosen(Rank.FINAL, 3, 7));
    }

    @Test
    void drawsASeededSample() {
        assertEquals(List.of(0, 4, 3, 1, 2), chosen(Rank.RANDOM, 5, 0));
        assertEquals(List.of(0, 4), chosen(Rank.RANDOM, 2, 0), "a smaller sample is the beginning of a larger one");
        assertNotEquals(chosen(Rank.RANDOM, 5, 0), chosen(Rank.RANDOM, 5, 1));
    }

    @Test
    void drawsEveryExampleEquallyOften() {
        int[] times = new int[5];
        for (int seed = 0; seed < 10_000; seed++) {
            DataSelection.select(POOL, Rank.RANDOM, 2, seed).forEach(candidate -> times[candidate.index()]++);
        }
        // 4,000 expected, standard deviation 49; the seeds are fixed, so this cannot flicker.
        for (int count : times) {
            assertEquals(4_000, count, 250);
        }
    }

    @Test
    void refusesScoresThatAreNoNumbersWhereItRanksByThem() {
        List<Candidate> pool = new ArrayList<>(POOL);
        pool.add(new Candidate(5, "f", Double.NaN, 0.5));
        assertEquals(
                "the misalignment score of transcript f is not a number; check the model's weights and the probe, or leave the"
                        + " transcript out",
                assertThrows(BelayException.class, () -> DataSelection.select(pool, Rank.MISALIGNMENT, 1, 0))
                        .getMessage());
        assertEquals(1, DataSelection.select(pool, Rank.FINAL, 1, 0).size());
        assertEquals(6, DataSelection.select(pool, Rank.RANDOM, 6, 0).size());
    }

    @Test
    void refusesCountsThatDoNotFit() {
        for (int count : new int[] {-1, 0, 6}) {
            assertEquals(
                    "cannot choose " + count + " of 5 training examples; ask for a number from 1 to 5",
                    assertThrows(BelayException.class, () -> DataSelection.select(POOL, Rank.FINAL, count, 0))
                            .getMessage());
        }
    }

    @Test
    void readsRankings() {
        for (Rank rank : Rank.values()) {
            assertEquals(rank, Rank.parse(rank.toString()));
        }
        assertEquals(
                List.of("misalignment", "final", "random"),
                IntStream.range(0, 3).mapToObj(i -> Rank.values()[i].toString()).toList());
        assertEquals(
                "unknown ranking 'Final': use --rank misalignment, --rank final or --rank random",
                assertThrows(BelayException.class, () -> Rank.parse("Final")).getMessage());
    }
}
