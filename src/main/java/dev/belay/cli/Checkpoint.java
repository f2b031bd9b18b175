package dev.belay.cli;

import dev.belay.cliff.CliffScore;
import dev.belay.report.TraceSeries;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What was measured of one of two models.
 *
 * @param folder the model's
 * @param scores of the attacks, by this model's probe
 * @param series traces of the first of them, for a page; empty if there is none
 * @param attacks what it answers to attacks
 * @param harmless what it answers to harmless prompts; null if there are none
 */
record Checkpoint(
        Path folder,
        List<CliffScore> scores,
        List<TraceSeries> series,
        AblationStudy.Outcome attacks,
        AblationStudy.Outcome harmless) {
    /** One number of every attack. */
    double[] scores(ToDoubleFunction<CliffScore> number) {
        return scores.stream().mapToDouble(number).toArray();
    }

    /** The model's name. */
    String name() {
        return folder.getFileName().toString();
    }
}
