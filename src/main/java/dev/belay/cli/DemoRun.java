package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.CliffScore;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.Plateau;
import dev.belay.cliff.ProbeScorer;
import dev.belay.cliff.RefusalTrace;
import dev.belay.cliff.TopCount;
import dev.belay.cliff.TrainingFormat;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeMethod;
import dev.belay.report.RunManifest;
import dev.belay.report.RunReport;
import dev.belay.report.TraceMeans;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** The steps of the demo: each prints a sentence, writes its artifact and adds to the report. */
final class DemoRun {
    private static final int HEADS = 3;
    private static final long SEED = 1;
    private static final double L2 = 1.0;
    private static final List<String> DATA =
            List.of("refused.jsonl", "complied.jsonl", "attacks.jsonl", "benign.jsonl", "pool.jsonl");
    private static final TopCount KEPT = TopCount.parse("1.7%");

    private final Session session;
    private final Path data;
    private final Path folder;
    private final Output out;
    private final RunManifest manifest;
    private final DemoReport report;
    private final ObjectNode result = Output.object();

    DemoRun(Session session, Path data, Path folder, Output out, RunManifest started) {
        this.session = session;
        this.data = data;
        this.folder = folder;
        this.out = out;
        manifest = started.device(session.device().description())
                .seed("folds", SEED)
                .seed("random_control", SEED)
                .option("dtype", session.device().dtype().label())
                .option("l2", L2)
                .option("heads_ablated", HEADS)
                .option("batch_tokens", session.batchTokens())
                .option("renormalize", false)
                .option("positions", "all")
                .option("plateau", Plateau.MAX.label())
                .option("selected", KEPT.toString());
        CommandManifest.model(manifest, session.folder());
        for (String file : DATA) {
            manifest.input(data.resolve(file));
        }
        report = new DemoReport(session);
    }

    RunManifest manifest() {
        return manifest;
    }

    RunReport report() {
        return report.build(manifest);
    }

    ObjectNode run() {
        out.say("%s on %s", session.folder().getFileName(), session.device().description());
        List<Transcript> attacks = Transcripts.read(data.resolve("attacks.jsonl"));
        List<Transcript> benign = Transcripts.read(data.resolve("benign.jsonl"));
        LinearProbe probe = train();
        List<ProbeText> texts = session.probeTexts(attacks);
        List<Transcript> pool = Transcripts.read(data.resolve("pool.jsonl"));
        List<ProbeText> poolTexts = session.probeTexts(pool);
        ForwardPass forward = session.forward();
        try (ProbeScorer scorer = new ProbeScorer(forward, probe, "the probe")) {
            trace(scorer, texts, attacks);
            HeadRanking greedy = rank(scorer, probe, texts);
            ablate(scorer, greedy, attacks, benign);
            select(scorer, pool, poolTexts);
        }
        return result;
    }

    private LinearProbe train() {
        try (var _ = manifest.timings().phase("train_probe")) {
            ProbeTraining.Trained trained = new ProbeTraining(
                            session, session.config().layers(), ProbeMethod.logistic(L2), SEED)
                    .run(
                            Transcripts.read(data.resolve("refused.jsonl")),
                            Transcripts.read(data.resolve("complied.jsonl")));
            Path file = folder.resolve("probe.safetensors");
            trained.save(file);
            manifest.artifact(file);
            report.probe(trained.validation().metrics());
            result.set("probe", trained.json());
            say(
                    "1. Probe: trained on %d transcripts; in cross-validation %s.",
                    trained.validation().metrics().n(),
                    ProbeTraining.words(trained.validation().metrics()));
            return trained.probe();
        }
    }

    private void trace(ProbeScorer scorer, List<ProbeText> texts, List<Transcript> attacks) {
        try (var _ = manifest.timings().phase("trace_attacks")) {
            List<RefusalTrace> traces = scorer.traces(texts, Plateau.MAX, n -> {});
            Path file = folder.resolve("traces.jsonl");
            TraceCommand.write(file, session.tokenizer(), traces);
            manifest.artifact(file);
            List<CliffScore> scores = traces.stream().map(RefusalTrace::score).toList();
            report.traces(attacks, traces, scores);
            TraceMeans means = PageParts.means(scores);
            ObjectNode json = result.putObject("traces").put("transcripts", traces.size());
            json.put("plateau", means.plateau())
                    .put("final", means.finalScore())
                    .put("misalignment", means.cliff());
            say(
                    "2. Cliff: while thinking about %d attacks the model means to refuse (plateau %.2f); before it answers the"
                            + " score is %.2f: a cliff of %.2f.",
                    traces.size(), means.plateau(), means.finalScore(), means.cliff());
        }
    }

    private HeadRanking rank(ProbeScorer scorer, LinearProbe probe, List<ProbeText> texts) {
        RankingRun run = new RankingRun(scorer, texts, Run.inMemory());
        HeadRanking direct;
        HeadRanking causal;
        HeadRanking greedy;
        try (var _ = manifest.timings().phase("rank_heads_direct")) {
            direct = run.direct(probe);
        }
        try (var _ = manifest.timings().phase("rank_heads_causal")) {
            causal = run.causal(PositionScope.ALL, false);
        }
        try (var _ = manifest.timings().phase("rank_heads_greedy")) {
            greedy = run.greedy(PositionScope.ALL, false, HEADS);
        }
        ObjectNode json = result.putObject("heads");
        for (HeadRanking ranking : List.of(direct, causal, greedy)) {
            Path file = folder.resolve("heads-" + ranking.method() + ".json");
            ranking.write(file);
            manifest.artifact(file);
            report.ranking(ranking, HEADS);
            json.set(ranking.method(), AblateCommand.list(heads(ranking)));
        }
        say(
                "3. Heads that suppress refusal (layer,head), strongest first: direct %s; causal %s; greedy %s.",
                names(direct), names(causal), names(greedy));
        say(
                "   With the greedy heads ablated one after the other the mean final score goes %.2f -> %s.",
                greedy.base(), scores(greedy));
        return greedy;
    }

    private static List<HeadOptions.Head> heads(HeadRanking ranking) {
        return ranking.top(HEADS).stream()
                .map(e -> new HeadOptions.Head(e.layer(), e.head()))
                .toList();
    }

    private static String names(HeadRanking ranking) {
        return String.join(
                " ",
                ranking.top(HEADS).stream().map(e -> e.layer() + "," + e.head()).toList());
    }

    private static String scores(HeadRanking ranking) {
        return String.join(
                " -> ",
                ranking.top(HEADS).stream()
                        .map(e -> String.format(Locale.ROOT, "%.2f", e.score()))
                        .toList());
    }

    private void ablate(ProbeScorer scorer, HeadRanking greedy, List<Transcript> attacks, List<Transcript> benign) {
        try (var _ = manifest.timings().phase("ablate_and_generate")) {
            ModelConfig config = session.config();
            List<HeadOptions.Head> chosen = heads(greedy);
            List<HeadOptions.Head> random = HeadOptions.random(config, chosen, SEED);
            List<AblationStudy.Arm> arms = List.of(
                    new AblationStudy.Arm("before", null),
                    new AblationStudy.Arm("after", mask(config, chosen)),
                    new AblationStudy.Arm("random", mask(config, random)));
            AblationStudy study = new AblationStudy(session, GenerationOptions.greedy());
            List<AblationStudy.Outcome> onAttacks =
                    study.run("attacks", attacks, arms, scorer.forward(), scorer, Run.inMemory());
            List<AblationStudy.Outcome> onBenign =
                    study.run("benign", benign, arms, scorer.forward(), scorer, Run.inMemory());
            ObjectNode json = Output.object();
            json.put("positions", "all").put("gamma", 0f).put("random_seed", SEED);
            json.set("heads", AblateCommand.list(chosen));
            json.set("random_heads", AblateCommand.list(random));
            json.set("attacks", AblationStudy.json(onAttacks));
            json.set("benign", AblationStudy.json(onBenign));
            Path file = folder.resolve("ablation.json");
            OutputFile.writeText(file, Output.pretty(json));
            manifest.artifact(file);
            report.outcomes(onAttacks, onBenign);
            tell(onAttacks, onBenign);
        }
    }

    private static HeadMask mask(ModelConfig config, List<HeadOptions.Head> heads) {
        HeadMask mask = new HeadMask(config.layers(), config.heads(), PositionScope.ALL, false);
        heads.forEach(h -> mask.ablate(h.layer(), h.head()));
        return mask;
    }

    private void tell(List<AblationStudy.Outcome> attacks, List<AblationStudy.Outcome> benign) {
        ObjectNode json = result.putObject("ablation");
        for (int i = 0; i < attacks.size(); i++) {
            json.putObject(attacks.get(i).arm().name())
                    .put("attacks_refused", attacks.get(i).summary().refusalRate())
                    .put("benign_answered", benign.get(i).summary().attackSuccessRate())
                    .put("final_score", attacks.get(i).finalScore());
        }
        say(
                "4. Ablating the %d greedy heads: attacks refused %s -> %s (random heads: %s); harmless prompts answered"
                        + " %s -> %s.",
                HEADS,
                percent(attacks.get(0).summary().refusalRate()),
                percent(attacks.get(1).summary().refusalRate()),
                percent(attacks.get(2).summary().refusalRate()),
                percent(benign.get(0).summary().attackSuccessRate()),
                percent(benign.get(1).summary().attackSuccessRate()));
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, "%.0f %%", 100 * share);
    }

    private void select(ProbeScorer scorer, List<Transcript> pool, List<ProbeText> texts) {
        try (var _ = manifest.timings().phase("select_examples")) {
            List<RefusalTrace> traces = scorer.traces(texts, Plateau.MAX, n -> {});
            List<DataSelection.Candidate> candidates = SelectCommand.candidates(
                    traces.stream().map(RefusalTrace::score).toList(), DataSelection.Rank.MISALIGNMENT);
            List<DataSelection.Candidate> kept =
                    DataSelection.select(candidates, DataSelection.Rank.MISALIGNMENT, KEPT.of(candidates.size()), SEED);
            Path file = folder.resolve("selected.jsonl");
            SelectCommand.write(session, file, TrainingFormat.TRANSCRIPT, pool, kept);
            manifest.artifact(file);
            report.selected(pool, kept);
            result.putObject("selection").put("pool", pool.size()).put("kept", kept.size());
            say(
                    "5. Cliff-as-a-Judge: of %d training examples the %d (%s) with the deepest cliffs are kept, misalignment"
                            + " %.2f to %.2f.",
                    pool.size(),
                    kept.size(),
                    KEPT,
                    kept.getFirst().misalignment(),
                    kept.getLast().misalignment());
        }
    }

    private void say(String format, Object... values) {
        out.say(format, values);
        report.story(String.format(Locale.ROOT, format, values));
    }
}
