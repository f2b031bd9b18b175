package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.ProbeScorer;
import dev.belay.cliff.RefusalTrace;
import dev.belay.forward.ForwardPass;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** How transcripts are traced: with which probe, and what their plateau is. */
final class TraceOptions {
    @Mixin
    private ProbeOption probe;

    @Option(
            names = "--plateau",
            paramLabel = "HOW",
            defaultValue = "max",
            converter = Converters.PlateauRule.class,
            description = "max (default), mean or p90")
    private Plateau plateau;

    /** The probe's file. */
    Path file() {
        return probe.file;
    }

    /** How the plateau is taken. */
    Plateau plateau() {
        return plateau;
    }

    /** Reads the probe and checks that it fits, before anything slow is done. */
    LinearProbe load(ModelConfig config) {
        return probe.load(config);
    }

    /**
     * The refusal traces of transcripts, with a probe that {@link #load} gave.
     *
     * @param stage the stage's name in the journal of {@code run}
     * @param sink gets the traces of each batch, in order, as soon as it is done
     */
    void run(
            Session session,
            LinearProbe loaded,
            List<Transcript> transcripts,
            String stage,
            String label,
            Run run,
            Consumer<List<RefusalTrace>> sink) {
        List<ProbeText> texts = session.probeTexts(transcripts);
        ForwardPass forward = session.forward();
        try (ProbeScorer scorer = new ProbeScorer(forward, loaded, probe.file);
                Progress progress = new Progress(label, texts.size())) {
            run.stage(
                    stage,
                    TextBatches.of(texts, forward),
                    (from, end) -> Output.arrays(scorer.traces(texts.subList(from, end), plateau, n -> {}).stream()
                            .map(RefusalTrace::scores)
                            .toList()),
                    (from, end, scores) -> {
                        sink.accept(traces(texts.subList(from, end), scores));
                        progress.at(end);
                    });
        }
    }

    private List<RefusalTrace> traces(List<ProbeText> texts, JsonNode scores) {
        List<RefusalTrace> traces = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            traces.add(RefusalTrace.of(texts.get(i), Output.doubles(scores.get(i)), plateau));
        }
        return traces;
    }
}
