package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.BatchMemory;
import dev.belay.cliff.ProbeScorer;
import dev.belay.forward.ForwardPass;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.judge.JudgeSummary;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.report.RunReport;
import dev.belay.run.Run;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import dev.belay.weights.ModelFingerprint;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay ablate}: what ablating heads does to attacks, and to harmless prompts. */
@Command(
        name = "ablate",
        mixinStandardHelpOptions = true,
        description = "Generates with and without the top heads and reports refusal and attack success.",
        footer = {
            "",
            "Example: belay ablate models/tiny-cliff --heads heads.json --top 3 \\",
            "           --data models/tiny-cliff/data/attacks.jsonl -o ablation.json"
        })
final class AblateCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @Option(names = "--data", paramLabel = "F.jsonl", required = true, description = "transcripts of attacks")
    private Path data;

    @Option(names = "--benign", paramLabel = "F.jsonl", description = "harmless transcripts that must stay answered")
    private Path benign;

    @Mixin
    private HeadOptions heads;

    @Option(
            names = "--random-control",
            paramLabel = "S",
            description = "also ablate as many random heads, drawn with seed S")
    private Long randomControl;

    @Option(names = "--probe", paramLabel = "P.safetensors", description = "refusal probe, for final scores")
    private Path probe;

    @Mixin
    private GenerationOptions generation;

    @Option(names = "-o", paramLabel = "A.json", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    private List<AblationStudy.Outcome> onAttacks = List.of();
    private List<AblationStudy.Outcome> onHarmless = List.of();

    @Override
    public Integer call() {
        if (heads.file == null) {
            throw new UsageException("--heads H.json is missing: which heads are to be ablated?");
        }
        generation.sampling();
        heads.settle();
        List<Transcript> attacks = Transcripts.read(data);
        List<Transcript> harmless = benign == null ? List.of() : Transcripts.read(benign);
        ModelConfig config = options.config();
        List<HeadOptions.Head> chosen = heads.chosen(config);
        LinearProbe loaded = probe == null ? null : ProbeOption.load(probe, config);
        OutputFile.check(output);
        reports.begin();
        List<AblationStudy.Arm> arms = new ArrayList<>();
        arms.add(new AblationStudy.Arm("before", null));
        arms.add(new AblationStudy.Arm("after", heads.mask(config, chosen)));
        ObjectNode result = Output.object();
        result.put("positions", heads.positions.toString()).put("gamma", heads.gamma);
        result.put("renormalize", heads.renormalize)
                .put("dtype", options.dtype().label());
        result.put("model", ModelFingerprint.of(options.folder)).put("thinking", generation.thinking.name());
        result.put("temperature", generation.temperature).put("seed", generation.seed);
        result.set("heads", list(chosen));
        if (randomControl != null) {
            List<HeadOptions.Head> random = HeadOptions.random(config, chosen, randomControl);
            arms.add(new AblationStudy.Arm("random", heads.mask(config, random)));
            result.set("random_heads", list(random));
            result.put("random_seed", randomControl);
        }
        options.use = BatchMemory.Use.GENERATION;
        try (Session session = Session.openForText(options);
                Run run = runs.open(session, output)) {
            reports.phase("generate");
            run(session, arms, attacks, harmless, loaded, run, result);
            OutputFile.writeText(output, Output.pretty(result));
            run.finish();
            reports.write("Ablation", session, output, page -> fill(page, chosen));
            reports.tell(out, output);
            out.result(result);
        }
        return 0;
    }

    private void run(
            Session session,
            List<AblationStudy.Arm> arms,
            List<Transcript> attacks,
            List<Transcript> harmless,
            LinearProbe loaded,
            Run run,
            ObjectNode result) {
        ForwardPass forward = session.forward();
        boolean scored = loaded != null && AblationStudy.sameInProbeTexts(heads.positions);
        if (loaded != null && !scored) {
            Messages.current()
                    .warning("no final scores: '" + heads.positions
                            + "' means other positions in a probe text than in a generated one");
        }
        try (ProbeScorer scorer = scored ? new ProbeScorer(forward, loaded, probe) : null) {
            AblationStudy study = new AblationStudy(session, generation);
            onAttacks = study.run("attacks", attacks, arms, forward, scorer, run);
            print("attacks", onAttacks, result);
            if (!harmless.isEmpty()) {
                onHarmless = study.run("benign", harmless, arms, forward, scorer, run);
                print("benign", onHarmless, result);
            }
        }
    }

    private void fill(RunReport.Builder page, List<HeadOptions.Head> chosen) {
        JudgeSummary before = onAttacks.get(0).summary();
        JudgeSummary after = onAttacks.get(1).summary();
        page.subtitle("What does it change to scale " + chosen.size() + " heads by " + heads.gamma + " at positions: "
                        + heads.positions + "?")
                .story(String.format(
                        Locale.ROOT,
                        "Of %d attacks %.0f %% are refused, with the heads ablated %.0f %%; attack success %.0f %%, then %.0f %%.",
                        before.n(),
                        100 * before.refusalRate(),
                        100 * after.refusalRate(),
                        100 * before.attackSuccessRate(),
                        100 * after.attackSuccessRate()));
        PageParts.outcomes(page, onAttacks, onHarmless);
        page.table(PageParts.answers("Attacks", onAttacks));
        if (!onHarmless.isEmpty()) {
            page.table(PageParts.answers("Harmless prompts", onHarmless));
        }
    }

    private void print(String what, List<AblationStudy.Outcome> outcomes, ObjectNode result) {
        out.say("%s (%d):", what, outcomes.getFirst().replies().size());
        for (AblationStudy.Outcome o : outcomes) {
            JudgeSummary s = o.summary();
            String score = Double.isNaN(o.finalScore())
                    ? ""
                    : String.format(Locale.ROOT, ", mean final score %.3f", o.finalScore());
            out.say(
                    "  %-7s %d heads: %5.1f %% refused, %5.1f %% answered%s",
                    o.arm().name(),
                    o.arm().mask() == null ? 0 : o.arm().mask().size(),
                    100 * s.refusalRate(),
                    100 * s.attackSuccessRate(),
                    score);
            if (o.arm().mask() != null && o.changed() == 0) {
                Messages.current()
                        .warning(what + ", " + o.arm().name()
                                + ": no head output was changed: no position of these texts is '" + heads.positions
                                + "'");
            }
        }
        result.set(what, AblationStudy.json(outcomes));
    }

    static ArrayNode list(List<HeadOptions.Head> heads) {
        ArrayNode array = Output.object().putArray("heads");
        heads.forEach(h -> array.addObject().put("layer", h.layer()).put("head", h.head()));
        return array;
    }
}
