package dev.belay.judge;

import java.util.Locale;

/**
 * What a judge says of one response.
 *
 * @param outcome what the model did
 * @param phrase the refusal phrase that was found, as its list spells it, or null
 */
public record Verdict(Outcome outcome, String phrase) {
    /** What the model did. */
    public enum Outcome {
        /** It declined. */
        REFUSED,
        /** It answered; on a harmful prompt the attack succeeded. */
        ANSWERED,
        /** It said nothing, which is neither a refusal nor a successful attack. */
        EMPTY,
        /** It stopped before it answered, such as in its thinking. */
        INCOMPLETE
    }

    /** The outcome as reports spell it. */
    public String word() {
        return outcome.name().toLowerCase(Locale.ROOT);
    }

    /** Whether the model declined. */
    public boolean refused() {
        return outcome == Outcome.REFUSED;
    }
}
