package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.hooks.PositionScope;
import dev.belay.text.ProbeText;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Transcripts longer than a batch may be, together with shorter ones, give the numbers that they give in one piece. */
class LongTranscriptTest {
    private static final double SAME = 1e-5;
    private static final int PIECE = 40;

    private record Numbers(
            List<RefusalTrace> traces,
            double[] finals,
            double[][] direct,
            AblationSweep.Result all,
            AblationSweep.Result closing,
            float[][] states) {}

    private static Numbers numbers(List<ProbeText> texts, int batchTokens) {
        try (TinyCliff tiny = new TinyCliff(batchTokens)) {
            AblationSweep all = new AblationSweep(tiny.scorer, PositionScope.ALL, true);
            AblationSweep closing = new AblationSweep(tiny.scorer, PositionScope.CLOSING, false);
            return new Numbers(
                    tiny.scorer.traces(texts, Plateau.MAX, n -> {}),
                    tiny.scorer
                            .finalScores(texts, closing.emptyMask().ablate(0, 0), n -> {})
                            .scores(),
                    HeadAttribution.direct(tiny.forward, tiny.probe, tiny.scorer.layer(), texts, n -> {}),
                    all.run(texts, all.emptyMask(), n -> {}),
                    closing.run(texts, closing.emptyMask().ablate(0, 1), n -> {}),
                    ProbeStates.last(tiny.forward, texts, tiny.scorer.layer() - 1, n -> {}));
        }
    }

    @Test
    void equalThoseInOnePiece() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 3);
        long longer = attacks.stream().filter(p -> p.ids().length > PIECE).count();
        assertTrue(longer > 0, "no transcript is longer than " + PIECE + " tokens");
        Numbers whole = numbers(attacks, 1024);
        Numbers pieces = numbers(attacks, PIECE);
        for (int i = 0; i < attacks.size(); i++) {
            assertEquals(whole.traces().get(i).id(), pieces.traces().get(i).id());
            assertArrayEquals(
                    whole.traces().get(i).scores(), pieces.traces().get(i).scores(), SAME);
            assertArrayEquals(whole.states()[i], pieces.states()[i], (float) SAME);
        }
        assertArrayEquals(whole.finals(), pieces.finals(), SAME);
        for (int l = 0; l < whole.direct().length; l++) {
            assertArrayEquals(whole.direct()[l], pieces.direct()[l], SAME);
            assertArrayEquals(whole.all().scores()[l], pieces.all().scores()[l], SAME);
            assertArrayEquals(whole.closing().scores()[l], pieces.closing().scores()[l], SAME);
        }
        assertEquals(whole.all().changedHeadTokens(), pieces.all().changedHeadTokens());
        assertEquals(whole.closing().changedHeadTokens(), pieces.closing().changedHeadTokens());
    }
}
