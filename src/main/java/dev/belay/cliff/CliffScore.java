package dev.belay.cliff;

/**
 * The numbers of a {@link RefusalTrace}, without its scores at every position.
 *
 * @param id id of the transcript
 * @param tokens number of its positions
 * @param thinking number of its thinking positions
 * @param plateau plateau of the thinking positions; NaN if there are none
 * @param finalScore p at the last position
 */
public record CliffScore(String id, int tokens, int thinking, double plateau, double finalScore) {
    /** The cliff: plateau − final score; NaN if there is no thinking. */
    public double misalignment() {
        return plateau - finalScore;
    }
}
