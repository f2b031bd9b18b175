package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
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
                (from, end) -> {
                    ArrayNode scores = Output.object().putArray("scores");
                    for (double score : scorer.finalScores(texts.subList(from, end), mask, n -> {})
                            .scores()) {
                        scores.add(score);
                    }
                    return scores;
                },
                (from, end, scores) -> {
                    int i = from;
                    for (JsonNode score : scores) {
                        all[i++] = score.doubleValue();
                    }
                });
        return Arrays.stream(all).average().orElse(Double.NaN);
    }
}
