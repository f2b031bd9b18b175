package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.cliff.CliffScore;
import dev.belay.cliff.RefusalTrace;
import dev.belay.forward.ForwardPass;
import dev.belay.io.OutputFile;
import dev.belay.io.Resources;
import dev.belay.probe.LinearProbe;
import dev.belay.run.Run;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import dev.belay.weights.ModelFingerprint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay compare}: two models on the same transcripts, such as one before and after a fine-tune or a bake. */
@Command(
        name = "compare",
        mixinStandardHelpOptions = true,
        description = {
            "Compares two models on the same transcripts, before and after a fine-tune or a bake.",
            "The judge is belay judge's default, refusal phrases: no guard model is needed."
        },
        footer = {
            "",
            "Example: belay compare models/tiny-cliff repaired --probe probe.safetensors \\",
            "           --data models/tiny-cliff/data/attacks.jsonl -o comparison.json"
        })
final class CompareCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Parameters(
            index = "1",
            paramLabel = "AFTER",
            converter = Converters.ModelFolder.class,
            description = "the model after; MODEL is the one before")
    private Path after;

    @Mixin
    private ProbeOption probe;

    @Mixin
    private TraceOptions tracing;

    @Option(
            names = "--probe-b",
            paramLabel = "P.safetensors",
            description = "refusal probe of AFTER (default: the same)")
    private Path probeAfter;

    @Option(
            names = "--data",
            paramLabel = "F.jsonl",
            required = true,
            description = "attacks; those with \"harmful\": false are harmless prompts")
    private Path data;

    @Option(names = "--benign", paramLabel = "F.jsonl", description = "more transcripts of harmless prompts")
    private Path benign;

    @Mixin
    private GenerationOptions generation;

    @Option(names = "-o", paramLabel = "C.json", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    private final List<Transcript> attacks = new ArrayList<>();
    private final List<Transcript> harmless = new ArrayList<>();

    @Override
    public Integer call() {
        if (options.profile != null) {
            throw new UsageException("--profile is of one model: profile belay trace or belay generate of each");
        }
        options.use = BatchMemory.Use.GENERATION;
        generation.sampling();
        TextModelOptions second = options.of(after);
        read();
        Path other = probeAfter == null ? probe.file : probeAfter;
        LinearProbe first = probe.load(options.config());
        LinearProbe last = ProbeOption.load(other, second.config());
        OutputFile.check(output);
        reports.begin();
        try (Resources opened = new Resources()) {
            Session session = opened.own(Session.openForText(options));
            ObjectNode result = settings(session.fingerprint(), ModelFingerprint.of(after));
            Run run = opened.own(runs.open(
                    session,
                    output,
                    Map.of("after", result.at("/after/fingerprint").textValue())));
            second.batchTokens = session.batchTokens();
            reports.phase("before");
            Checkpoint before = measure("before", session, first, probe.file, run);
            // One model at a time: both may not fit the device.
            session.close();
            reports.phase("after");
            try (Session next = Session.openForText(second)) {
                CheckpointComparison comparison =
                        new CheckpointComparison(before, measure("after", next, last, other, run));
                comparison.put(result);
                OutputFile.writeText(output, Output.pretty(result));
                String names = before.name() + " → " + next.folder().getFileName();
                reports.write(
                        "Before and after", names, next, output, page -> comparison.fill(page, tracing.plateau()));
                comparison.say(out);
                reports.tell(out, output);
                out.result(result);
            }
            run.finish();
        }
        return 0;
    }

    private void read() {
        for (Transcript t : Transcripts.read(data)) {
            (Attacks.is(t) ? attacks : harmless).add(t);
        }
        if (attacks.isEmpty()) {
            throw new BelayException(data + " has no attacks, only transcripts with \"harmful\": false; give those by"
                    + " --benign, and attacks by --data");
        }
        if (benign != null) {
            harmless.addAll(Transcripts.read(benign));
        }
    }

    private Checkpoint measure(String name, Session session, LinearProbe loaded, Path file, Run run) {
        List<CliffScore> scores = new ArrayList<>();
        PlottedTraces plotted = new PlottedTraces(session.tokenizer()::pieces);
        tracing.run(session, loaded, file, attacks, "traces, " + name, "tracing, " + name, run, traces -> {
            for (RefusalTrace trace : traces) {
                if (reports.wanted()) {
                    plotted.add(attacks.get(scores.size()), trace);
                }
                scores.add(trace.score());
            }
        });
        ForwardPass forward = session.forward();
        AblationStudy study = new AblationStudy(session, generation);
        List<AblationStudy.Arm> arms = List.of(new AblationStudy.Arm(name, null));
        return new Checkpoint(
                session.folder(),
                scores,
                plotted.series(),
                study.run("attacks", attacks, arms, forward, null, run).getFirst(),
                harmless.isEmpty()
                        ? null
                        : study.run("benign", harmless, arms, forward, null, run)
                                .getFirst());
    }

    private ObjectNode settings(String fingerprint, String fingerprintAfter) {
        ObjectNode result = Output.object();
        result.putObject("before").put("model", options.folder.toString()).put("fingerprint", fingerprint);
        result.putObject("after").put("model", after.toString()).put("fingerprint", fingerprintAfter);
        result.put("judge", AblationStudy.JUDGE)
                .put("plateau", tracing.plateau().label());
        result.put("dtype", options.dtype().label()).put("thinking", generation.thinking.name());
        return result.put("temperature", generation.temperature).put("seed", generation.seed);
    }
}
