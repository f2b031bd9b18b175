package dev.belay.cli;

import dev.belay.cliff.RefusalTrace;
import dev.belay.report.TraceSeries;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What was measured of one of two models.
 *
 * @param folder the model's
 * @param traces of the attacks, by this model's probe
 * @param series the same with their tokens, for a page
 * @param attacks what it answers to attacks
 * @param harmless what it answers to harmless prompts; null if there are none
 */
record Checkpoint(
        Path folder,
        List<RefusalTrace> traces,
        List<TraceSeries> series,
        AblationStudy.Outcome attacks,
        AblationStudy.Outcome harmless) {
    /** One number of every trace. */
    double[] scores(ToDoubleFunction<RefusalTrace> number) {
        return traces.stream().mapToDouble(number).toArray();
    }

    /** The model's name. */
    String name() {
        return folder.getFileName().toString();
    }
}
