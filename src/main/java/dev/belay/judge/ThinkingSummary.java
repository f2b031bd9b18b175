package dev.belay.judge;

import dev.belay.judge.Verdict.Outcome;
import java.util.List;

/**
 * Counts of what the thinking of transcripts says.
 *
 * @param refused how many refuse in their thinking
 * @param answered how many do not
 * @param empty how many have no thinking
 * @param refusedThenAnswered how many refuse in their thinking, and answer
 */
public record ThinkingSummary(int refused, int answered, int empty, int refusedThenAnswered) {
    /** Counts verdicts. */
    public static ThinkingSummary of(List<TranscriptVerdict> verdicts) {
        int[] counts = new int[Outcome.values().length];
        int turned = 0;
        for (TranscriptVerdict verdict : verdicts) {
            counts[verdict.thinking().outcome().ordinal()]++;
            turned += verdict.thinking().refused() && verdict.response().outcome() == Outcome.ANSWERED ? 1 : 0;
        }
        return new ThinkingSummary(
                counts[Outcome.REFUSED.ordinal()],
                counts[Outcome.ANSWERED.ordinal()],
                counts[Outcome.EMPTY.ordinal()],
                turned);
    }
}
