package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.ProbeScorer;
import dev.belay.judge.RefusalPhrases;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeMetrics;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay probe test}. */
@Command(
        name = "test",
        mixinStandardHelpOptions = true,
        description = {
            "Measures a refusal probe on transcripts.",
            "A transcript counts as class 1 if the refusal phrases find its response to refuse."
        },
        footer = {
            "",
            "Example: belay probe test models/tiny-cliff --probe probe.safetensors \\",
            "           --data models/tiny-cliff/data/refused.jsonl"
        })
final class ProbeTestCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Mixin
    private ProbeOption probe;

    @Option(names = "--data", paramLabel = "F.jsonl", required = true, description = "transcripts with responses")
    private Path data;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        LinearProbe loaded = probe.load(options.config());
        List<Transcript> transcripts = Transcripts.read(data);
        RefusalPhrases judge = RefusalPhrases.standard();
        boolean[] labels = new boolean[transcripts.size()];
        int refused = 0;
        for (int i = 0; i < labels.length; i++) {
            labels[i] = judge.judge(transcripts.get(i).response()).refused();
            refused += labels[i] ? 1 : 0;
        }
        try (Session session = Session.openForText(options)) {
            List<ProbeText> texts = session.probeTexts(transcripts);
            try (ProbeScorer scorer = new ProbeScorer(session.forward(), loaded, probe.file);
                    Progress progress = new Progress("scoring", texts.size())) {
                double[] scores = scorer.finalScores(texts, null, progress::at).scores();
                ProbeMetrics metrics = ProbeMetrics.of(scores, labels);
                out.say("%d transcripts, %d of them refuse: %s", labels.length, refused, ProbeTraining.words(metrics));
                ObjectNode result = Output.object();
                result.put("transcripts", labels.length).put("refused", refused);
                result.setAll(ProbeTraining.metrics(metrics));
                out.result(result);
            }
        }
        return 0;
    }
}
