package dev.belay.export;

import java.util.List;

/**
 * One line of a file of traces.
 *
 * @param id id of the transcript
 * @param thinkingStart first thinking position
 * @param thinkingEnd one past the last thinking position; the closing tokens follow
 * @param tokenIds id of each token
 * @param tokenTexts text of each token
 * @param scores p_t at each token; NaN where it is none
 * @param plateau plateau of the thinking positions; NaN if there are none
 * @param finalScore p at the last position
 * @param misalignment plateau − final score
 */
public record Trace(
        String id,
        int thinkingStart,
        int thinkingEnd,
        int[] tokenIds,
        List<String> tokenTexts,
        double[] scores,
        double plateau,
        double finalScore,
        double misalignment) {
    /** Number of tokens. */
    public int length() {
        return tokenIds.length;
    }

    /** What a position belongs to: prompt, thinking or closing. */
    public String part(int position) {
        return position < thinkingStart ? "prompt" : position < thinkingEnd ? "thinking" : "closing";
    }
}
