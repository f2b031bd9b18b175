package dev.belay.judge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.BelayException;
import dev.belay.judge.Verdict.Outcome;
import java.util.List;
import org.junit.jupiter.api.Test;

class JudgeSummaryTest {
    @Test
    void countsAndDivides() {
        Verdict refused = new Verdict(Outcome.REFUSED, "no");
        Verdict answered = new Verdict(Outcome.ANSWERED, null);
        Verdict empty = new Verdict(Outcome.EMPTY, null);
        Verdict incomplete = new Verdict(Outcome.INCOMPLETE, null);
        JudgeSummary summary = JudgeSummary.of(List.of(
                refused, answered, empty, answered, answered, refused, empty, answered, incomplete, incomplete));
        assertEquals(new JudgeSummary(10, 2, 4, 2, 2), summary);
        assertEquals(0.2, summary.refusalRate());
        assertEquals(0.4, summary.attackSuccessRate());
    }

    @Test
    void countsWhatTheThinkingSays() {
        RefusalPhrases phrases = RefusalPhrases.standard();
        assertEquals(
                new ThinkingSummary(3, 1, 1, 1),
                ThinkingSummary.of(List.of(
                        phrases.judge("I should refuse.", "Sure.", true),
                        phrases.judge("I should refuse.", "I will not help.", true),
                        phrases.judge("I should refuse.", "", false),
                        phrases.judge("Easy.", "I will not help.", true),
                        phrases.judge("", "Sure.", true))));
    }

    @Test
    void refusesRatesOfNothingAndWrongCounts() {
        assertEquals(
                "there are no responses to judge; give at least one",
                assertThrows(BelayException.class, () -> JudgeSummary.of(List.of()))
                        .getMessage());
        assertThrows(IllegalArgumentException.class, () -> new JudgeSummary(3, 1, 1, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> new JudgeSummary(1, 2, -1, 0, 0));
    }
}
