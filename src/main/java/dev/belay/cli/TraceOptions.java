package dev.belay.cli;

import dev.belay.cliff.Plateau;
import dev.belay.cliff.ProbeScorer;
import dev.belay.cliff.RefusalTrace;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.util.List;
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

    /** Reads the probe and checks that it fits, before anything slow is done. */
    LinearProbe load(ModelConfig config) {
        return probe.load(config);
    }

    /** The refusal traces of transcripts, with a probe that {@link #load} gave. */
    List<RefusalTrace> run(Session session, LinearProbe loaded, List<Transcript> transcripts, String label) {
        List<ProbeText> texts = session.probeTexts(transcripts);
        try (ProbeScorer scorer = new ProbeScorer(session.forward(), loaded, probe.file);
                Progress progress = new Progress(label, texts.size())) {
            return scorer.traces(texts, plateau, progress::at);
        }
    }
}
