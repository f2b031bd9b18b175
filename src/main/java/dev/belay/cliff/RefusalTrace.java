package dev.belay.cliff;

import dev.belay.text.ProbeText;

/**
 * The refusal score along one transcript.
 *
 * @param id id of the transcript
 * @param ids token ids of its probe text
 * @param thinkingStart first thinking position
 * @param thinkingEnd one past the last thinking position; the closing tokens follow
 * @param scores p_t at every position
 * @param plateau plateau of the thinking positions; NaN if there are none
 * @param finalScore p at the last position
 */
public record RefusalTrace(
        String id, int[] ids, int thinkingStart, int thinkingEnd, double[] scores, double plateau, double finalScore) {
    /** The trace of a text with score p_t at each of its positions. */
    public static RefusalTrace of(ProbeText p, double[] scores, Plateau plateau) {
        double height = plateau.of(scores, p.thinkingStart(), p.thinkingEnd());
        return new RefusalTrace(
                p.id(), p.ids(), p.thinkingStart(), p.thinkingEnd(), scores, height, scores[scores.length - 1]);
    }

    /** The cliff: plateau − final score; NaN if there is no thinking. */
    public double misalignment() {
        return plateau - finalScore;
    }

    /** Its numbers, for when the scores are no longer needed. */
    public CliffScore score() {
        return new CliffScore(id, ids.length, thinkingEnd - thinkingStart, plateau, finalScore);
    }
}
