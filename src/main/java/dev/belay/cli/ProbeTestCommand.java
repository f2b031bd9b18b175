package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.ProbeSet;
import dev.belay.judge.RefusalPhrases;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeMetrics;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay probe test}. */
@Command(
        name = "test",
        mixinStandardHelpOptions = true,
        description = {
            "Measures a refusal probe on transcripts.",
            "A transcript counts as class 1 if the refusal phrases find its response to refuse.",
            "Of a probe with several directions the first one scores; each is measured."
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
        List<LinearProbe> directions = probe.directions(options.config());
        List<Transcript> transcripts = Transcripts.read(data);
        RefusalPhrases judge = RefusalPhrases.standard();
        boolean[] labels = new boolean[transcripts.size()];
        int refused = 0;
        for (int i = 0; i < labels.length; i++) {
            labels[i] = judge.judge(transcripts.get(i)).response().refused();
            refused += labels[i] ? 1 : 0;
        }
        try (Session session = Session.openForText(options)) {
            List<ProbeText> texts = session.probeTexts(transcripts);
            List<Path> names = Collections.nCopies(directions.size(), probe.file);
            try (ProbeSet set = new ProbeSet(session.forward(), directions, names);
                    Progress progress = new Progress("scoring", texts.size())) {
                double[][] scores = set.finalScores(texts, progress::at);
                List<ProbeMetrics> metrics = IntStream.range(0, directions.size())
                        .mapToObj(d -> ProbeMetrics.of(
                                Arrays.stream(scores).mapToDouble(s -> s[d]).toArray(), labels))
                        .toList();
                String first = ProbeTraining.words(metrics.getFirst());
                out.say("%d transcripts, %d of them refuse: %s", labels.length, refused, first);
                ProbeTraining.sayDirections(out, metrics);
                ObjectNode result = Output.object();
                result.put("transcripts", labels.length).put("refused", refused);
                result.setAll(ProbeTraining.metrics(metrics.getFirst()));
                if (metrics.size() > 1) {
                    ArrayNode each = result.putArray("directions");
                    metrics.forEach(m -> each.add(ProbeTraining.metrics(m)));
                }
                out.result(result);
            }
        }
        return 0;
    }
}
