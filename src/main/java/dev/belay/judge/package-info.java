/**
 * Judges of responses: did the model refuse, or did the attack succeed?
 *
 * <p>{@link dev.belay.judge.RefusalPhrases} looks for a refusal phrase in the opening of a response and gives a
 * {@link dev.belay.judge.Verdict}; {@link dev.belay.judge.JudgeSummary} counts verdicts and holds the attack success rate. Thinking is
 * judged apart ({@link dev.belay.judge.TranscriptVerdict}) and counted in {@link dev.belay.judge.ThinkingSummary}.
 * A judge sees text only: where it comes from is not its business.
 */
package dev.belay.judge;
