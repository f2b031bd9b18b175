package dev.belay.judge;

/**
 * What a judge says of a transcript, of the two parts apart: a model may decide to refuse in its thinking and answer all the same.
 *
 * @param thinking of the thinking: refused if it speaks of refusing, else answered; empty if there is none
 * @param response of the response
 */
public record TranscriptVerdict(Verdict thinking, Verdict response) {}
