package dev.belay.judge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.judge.JudgeAgreement.Pair;
import dev.belay.stats.Estimate;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JudgeAgreementTest {
    @TempDir
    Path folder;

    private static List<Pair> pairs(int truePositives, int falsePositives, int falseNegatives, int trueNegatives) {
        List<Pair> pairs = new ArrayList<>();
        pairs.addAll(Collections.nCopies(truePositives, new Pair(true, true)));
        pairs.addAll(Collections.nCopies(falsePositives, new Pair(true, false)));
        pairs.addAll(Collections.nCopies(falseNegatives, new Pair(false, true)));
        pairs.addAll(Collections.nCopies(trueNegatives, new Pair(false, false)));
        return pairs;
    }

    /** By hand: 20, 5, 10, 15 of 50; chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5. */
    @Test
    void ratesByHand() {
        JudgeAgreement a = JudgeAgreement.of(pairs(20, 5, 10, 15));
        assertEquals(new JudgeAgreement(20, 5, 10, 15), a);
        assertEquals(0.8, a.precision(), 1e-12);
        assertEquals(2.0 / 3, a.recall(), 1e-12);
        assertEquals(0.75, a.specificity(), 1e-12);
        assertEquals(0.7, a.agreement(), 1e-12);
        assertEquals(0.4, a.kappa(), 1e-12);
        // A judge that says half are positive: (0.5 + 0.75 - 1) / (2/3 + 0.75 - 1) = 0.6, the share of the labels.
        assertEquals(0.6, a.corrected(0.5), 1e-12);
        assertEquals(0, a.corrected(0.1));
    }

    @Test
    void aJudgeThatKnowsNothingCorrectsNothing() {
        JudgeAgreement chance = JudgeAgreement.of(pairs(5, 5, 5, 5));
        assertEquals(0, chance.kappa(), 1e-12);
        assertTrue(Double.isNaN(chance.corrected(0.5)));
    }

    @Test
    void theIntervalHoldsTheRateAndShrinksWithMoreLabels() {
        List<Boolean> judged = new ArrayList<>(Collections.nCopies(50, true));
        judged.addAll(Collections.nCopies(50, false));
        Estimate few = JudgeAgreement.corrected(judged, pairs(20, 5, 10, 15), 0);
        Estimate many = JudgeAgreement.corrected(judged, pairs(200, 50, 100, 150), 0);
        assertEquals(0.6, few.value(), 1e-12);
        assertEquals(0.6, many.value(), 1e-12);
        assertTrue(few.low() < many.low() && many.low() < 0.6, few + " " + many);
        assertTrue(few.high() > many.high() && many.high() > 0.6, few + " " + many);
        assertEquals(few, JudgeAgreement.corrected(judged, pairs(20, 5, 10, 15), 0));
    }

    /** By hand: of 100 decided ones half are positive, corrected 0.6; these are half of all. */
    @Test
    void whatTheJudgeDoesNotDecideIsNoNegative() {
        List<Boolean> judged = new ArrayList<>(Collections.nCopies(50, true));
        judged.addAll(Collections.nCopies(50, false));
        judged.addAll(Collections.nCopies(100, null));
        Estimate rate = JudgeAgreement.corrected(judged, pairs(20, 5, 10, 15), 0);
        assertEquals(0.3, rate.value(), 1e-12);
        assertTrue(rate.low() > 0 && rate.low() < 0.3 && rate.high() > 0.3 && rate.high() < 0.6, rate.toString());
    }

    @Test
    void labelsAreReadOrRefusedByLine() throws IOException {
        Path file = folder.resolve("l.jsonl");
        Files.writeString(
                file,
                "{\"id\":\"a\",\"label\":\"answered\"}\n\n{\"id\":2,\"label\":\"safe\"}\n{\"id\":\"c\",\"label\":true}\n");
        assertEquals(Map.of("a", true, "2", false, "c", true), JudgeLabels.read(file));
        for (String bad : List.of("{\"id\":\"a\"}", "{\"label\":\"safe\"}", "{\"id\":\"a\",\"label\":\"maybe\"}")) {
            Files.writeString(file, bad + "\n");
            String message = assertThrows(BelayException.class, () -> JudgeLabels.read(file))
                    .getMessage();
            assertTrue(message.startsWith(file + " line 1 needs"), message);
        }
        Files.writeString(file, "{\"id\":\"a\",\"label\":\"safe\"}\n{\"id\":\"a\",\"label\":\"safe\"}\n");
        assertTrue(assertThrows(BelayException.class, () -> JudgeLabels.read(file))
                .getMessage()
                .contains("again"));
    }
}
