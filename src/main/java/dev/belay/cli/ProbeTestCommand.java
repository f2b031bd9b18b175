package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.ProbeSet;
import dev.belay.io.OutputFile;
import dev.belay.judge.RefusalPhrases;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeMetrics;
import dev.belay.report.RunReport;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
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

    @Option(names = "-o", paramLabel = "M.json", description = "write the JSON object to this file too")
    private Path output;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        List<LinearProbe> directions = probe.directions(options.config());
        List<Transcript> transcripts = Transcripts.read(data);
        if (output != null) {
            OutputFile.check(output);
        }
        reports.begin();
        Transcripts.warnWithoutResponses(data, transcripts);
        RefusalPhrases judge = RefusalPhrases.standard();
        boolean[] labels = new boolean[transcripts.size()];
        int refused = 0;
        for (int i = 0; i < labels.length; i++) {
            labels[i] = judge.judge(transcripts.get(i)).response().refused();
            refused += labels[i] ? 1 : 0;
        }
        try (Session session = Session.openForText(options)) {
            reports.phase("score");
            List<ProbeText> texts = session.probeTexts(transcripts);
            List<Path> names = Collections.nCopies(directions.size(), probe.file);
            try (ProbeSet set = new ProbeSet(session.forward(), directions, names);
                    Progress progress = new Progress("scoring", texts.size())) {
                double[][] scores = set.finalScores(texts, progress::at);
                List<ProbeMetrics> metrics = IntStream.range(0, directions.size())
                        .mapToObj(d -> ProbeMetrics.of(column(scores, d), labels))
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
                Output.write(output, result);
                reports.write(
                        "Refusal probe, measured",
                        session,
                        output,
                        page -> fill(page, transcripts, labels, scores, metrics));
                reports.tell(out, output);
                out.result(result);
            }
        }
        return 0;
    }

    private void fill(
            RunReport.Builder page,
            List<Transcript> transcripts,
            boolean[] labels,
            double[][] scores,
            List<ProbeMetrics> metrics) {
        page.subtitle("Does the probe tell which of " + labels.length + " transcripts in " + data.getFileName()
                        + " refuse?")
                .story(String.format(
                        Locale.ROOT,
                        "It reads %.1f %% of them as the refusal phrases judge their responses.",
                        100 * metrics.getFirst().accuracy()));
        double[][] byDirection = IntStream.range(0, metrics.size())
                .mapToObj(d -> column(scores, d))
                .toArray(double[][]::new);
        new ProbePage(transcripts, labels, byDirection, metrics, List.of(), null).fill(page);
    }

    private static double[] column(double[][] scores, int direction) {
        return Arrays.stream(scores).mapToDouble(s -> s[direction]).toArray();
    }
}
