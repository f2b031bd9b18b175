package dev.belay.cli;

import dev.belay.cliff.ProbeScorer;
import dev.belay.hooks.HeadMask;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import java.util.Arrays;
import java.util.List;

/** Final scores as a stage of a run. */
final class FinalScoreStage {
    private FinalScoreStage() {}

    /** The mean final score of transcripts, with the heads of {@code mask} (or null) scaled. */
    static double mean(String stage, ProbeScorer scorer, List<ProbeText> texts, HeadMask mask, Run run) {
        double[] all = new double[texts.size()];
        run.stage(
                stage,
                TextBatches.of(texts, scorer.forward()),
                (from, end) -> Output.array(scorer.finalScores(texts.subList(from, end), mask, n -> {})
                        .scores()),
                (from, end, scores) -> System.arraycopy(Output.doubles(scores), 0, all, from, end - from));
        return Arrays.stream(all).average().orElse(Double.NaN);
    }
}
