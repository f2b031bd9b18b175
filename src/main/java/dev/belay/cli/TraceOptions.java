package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.ProbeSet;
import dev.belay.cliff.RefusalTrace;
import dev.belay.forward.ForwardPass;
import dev.belay.probe.LinearProbe;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Option;

/** How transcripts are traced: what their plateau is. */
final class TraceOptions {
    @Option(
            names = "--plateau",
            paramLabel = "RULE",
            defaultValue = "max",
            converter = Converters.PlateauRule.class,
            completionCandidates = Choices.PlateauRules.class,
            description = "max (default), mean or p90")
    private Plateau plateau;

    /** How the plateau is taken. */
    Plateau plateau() {
        return plateau;
    }

    /**
     * The refusal traces of transcripts by one probe.
     *
     * @param name the probe's name for errors
     * @param stage the stage's name in the journal of {@code run}
     * @param sink gets the traces of each batch, in order, as soon as it is done
     */
    void run(
            Session session,
            LinearProbe probe,
            Path name,
            List<Transcript> transcripts,
            String stage,
            String label,
            Run run,
            Consumer<List<RefusalTrace>> sink) {
        run(
                session,
                List.of(probe),
                List.of(name),
                transcripts,
                stage,
                label,
                run,
                traces -> sink.accept(traces.stream().map(List::getFirst).toList()));
    }

    /**
     * The refusal traces of transcripts.
     *
     * @param names the probes' names for errors
     * @param stage the stage's name in the journal of {@code run}
     * @param sink gets the traces of each batch, in order, as soon as it is done: of each transcript one for each probe
     */
    void run(
            Session session,
            List<LinearProbe> probes,
            List<Path> names,
            List<Transcript> transcripts,
            String stage,
            String label,
            Run run,
            Consumer<List<List<RefusalTrace>>> sink) {
        List<ProbeText> texts = session.probeTexts(transcripts);
        ForwardPass forward = session.forward();
        try (ProbeSet set = new ProbeSet(forward, probes, names);
                Progress progress = new Progress(label, texts.size())) {
            run.stage(
                    stage,
                    TextBatches.of(texts, forward),
                    (from, end) -> json(set.scores(texts.subList(from, end), n -> {})),
                    (from, end, scores) -> {
                        sink.accept(traces(texts.subList(from, end), scores));
                        progress.at(end);
                    });
        }
    }

    /** An array of the scores of each text, or where there are several probes of arrays of each probe's. */
    private static ArrayNode json(double[][][] scores) {
        if (scores[0].length == 1) {
            return Output.arrays(Arrays.stream(scores).map(text -> text[0]).toList());
        }
        ArrayNode all = Output.object().putArray("scores");
        Arrays.stream(scores).forEach(text -> all.add(Output.arrays(List.of(text))));
        return all;
    }

    private List<List<RefusalTrace>> traces(List<ProbeText> texts, JsonNode scores) {
        List<List<RefusalTrace>> traces = new ArrayList<>();
        for (int i = 0; i < texts.size(); i++) {
            ProbeText text = texts.get(i);
            List<RefusalTrace> own = new ArrayList<>();
            if (scores.get(i).path(0).isArray()) {
                scores.get(i).forEach(probe -> own.add(RefusalTrace.of(text, Output.doubles(probe), plateau)));
            } else {
                own.add(RefusalTrace.of(text, Output.doubles(scores.get(i)), plateau));
            }
            traces.add(own);
        }
        return traces;
    }
}
