package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.dataset.ChoiceTask;
import dev.belay.dataset.Question;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.LogLikelihoods;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.run.Run;
import dev.belay.stats.Change;
import dev.belay.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay eval}: does a model still know what it knew, by questions with several choices. */
@Command(
        name = "eval",
        mixinStandardHelpOptions = true,
        description = {
            "Answers questions with choices by log-likelihood; with --heads also without these.",
            "As lm-evaluation-harness does: the prompt is that of its tasks arc_challenge and leaderboard_mmlu_pro, without a chat template. acc: the right "
                    + "choice has the largest sum of log-probabilities of its tokens; acc_norm: after division by the choice's "
                    + "characters; acc_bytes: by its bytes of UTF-8. Each with its standard error and 95 %% interval (Wilson); "
                    + "p: McNemar's exact test."
        },
        footer = {
            "",
            "Example: belay eval models/tiny-cliff --task questions.jsonl \\",
            "           --heads heads.json --top 3 -o scores.json"
        })
final class EvalCommand implements Callable<Integer> {
    private static final int SHOTS = 5;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--task",
            paramLabel = "TASK",
            required = true,
            description =
                    "arc-challenge, mmlu-pro, or a file with question, choices and answer (number from 0, or text)")
    private String task;

    @Option(
            names = "--data",
            paramLabel = "F",
            description = "the task's questions as published: JSON Lines, JSON or Parquet")
    private Path data;

    @Option(
            names = "--examples",
            paramLabel = "F",
            description = "a file like --data whose first questions stand before each, with their answers")
    private Path examples;

    @Option(
            names = "--shots",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "how many of them (default 5)")
    private Integer shots;

    @Option(
            names = "--limit",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "only the first N questions")
    private Integer limit;

    @Mixin
    private HeadOptions heads;

    @Option(names = "-o", paramLabel = "E.json", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    private final List<ChoiceScores> scores = new ArrayList<>();

    @Override
    public Integer call() {
        heads.settle();
        if (shots != null && examples == null) {
            throw new UsageException("--examples F is missing: where are the " + shots + " questions to take from?");
        }
        List<Question> questions = read();
        ObjectNode result = Output.object();
        result.put("task", task).put("questions", questions.size());
        result.put("shots", examples == null ? 0 : shots());
        List<AblationStudy.Arm> arms = arms(result);
        OutputFile.check(output);
        reports.begin();
        if (kind() == ChoiceTask.FILE) {
            reports.input(Path.of(task));
        }
        QuestionTokens tokens;
        try (Tokenizer tokenizer = Tokenizer.load(options.folder)) {
            tokens = new QuestionTokens(tokenizer, options.config().positions());
            questions.forEach(tokens::add);
        }
        if (tokens.shortened() > 0) {
            Messages.current()
                    .warning(tokens.shortened() + " questions are longer than the "
                            + options.config().positions()
                            + " positions of the model and lose their beginning, as in lm-evaluation-harness");
        }
        result.put("shortened", tokens.shortened());
        try (Session session = Session.open(options);
                Run run = runs.open(session, output)) {
            result.put("model", session.fingerprint())
                    .put("dtype", options.dtype().label());
            reports.phase("answer");
            ForwardPass forward = session.forward();
            for (AblationStudy.Arm arm : arms) {
                scores.add(
                        ChoiceScores.of(arm.name(), questions, tokens.ofQuestions(compute(arm, tokens, forward, run))));
            }
            results(result, questions);
            OutputFile.writeText(output, Output.pretty(result));
            run.finish();
            reports.write("Capability check", session, output, new EvalPage(task, questions, scores)::fill);
            say(questions.size());
            out.result(result);
        }
        return 0;
    }

    private ChoiceTask kind() {
        return switch (task) {
            case "arc-challenge" -> ChoiceTask.ARC_CHALLENGE;
            case "mmlu-pro" -> ChoiceTask.MMLU_PRO;
            default -> ChoiceTask.FILE;
        };
    }

    private int shots() {
        return shots == null ? SHOTS : shots;
    }

    private List<Question> read() {
        boolean named = kind() != ChoiceTask.FILE;
        if (named == (data == null)) {
            throw new UsageException(
                    named
                            ? "--data F is missing: where are the questions of " + task + "? Nothing is downloaded"
                            : "--data is for arc-challenge and mmlu-pro; --task " + task + " names its own file");
        }
        Path file = named ? data : Path.of(task);
        if (!named && Files.notExists(file)) {
            throw new BelayException(
                    "--task " + task + ": no such file; use arc-challenge, mmlu-pro or a file of questions");
        }
        if (CommandManifest.same(output, file)) {
            throw new UsageException("-o and --task name the same file: " + output);
        }
        List<Question> questions = kind().read(file, limit == null ? Long.MAX_VALUE : limit);
        if (examples == null) {
            return questions;
        }
        List<Question> worked = kind().read(examples, shots());
        if (worked.size() < shots()) {
            throw new BelayException(
                    examples + " has only " + worked.size() + " questions; use --shots " + worked.size());
        }
        Set<String> told = worked.stream().map(Question::worked).collect(Collectors.toSet());
        questions.stream().filter(q -> told.contains(q.worked())).findFirst().ifPresent(q -> {
            throw new BelayException(examples + ": question " + q.id() + " of " + file
                    + " is one of the examples, which tell its answer; use questions that are not asked");
        });
        String before = worked.stream().map(q -> q.worked() + "\n\n").collect(Collectors.joining());
        return questions.stream().map(q -> q.after(before)).toList();
    }

    private List<AblationStudy.Arm> arms(ObjectNode result) {
        AblationStudy.Arm before = new AblationStudy.Arm("before", null);
        if (heads.file == null) {
            return List.of(before);
        }
        if (heads.positions.kind() == PositionScope.Kind.CLOSING) {
            throw new UsageException("a question has no closing tokens, so that --positions closing, where the ranking"
                    + " ablated its heads, would change nothing; use --positions all");
        }
        ModelConfig config = options.config();
        List<HeadOptions.Head> chosen = heads.chosen(config);
        result.put("positions", heads.positions.toString()).put("gamma", heads.gamma);
        result.put("renormalize", heads.renormalize);
        result.set("heads", AblateCommand.list(chosen));
        return List.of(before, new AblationStudy.Arm("after", heads.mask(config, chosen)));
    }

    private List<double[]> compute(AblationStudy.Arm arm, QuestionTokens tokens, ForwardPass forward, Run run) {
        LogLikelihoods likelihoods = new LogLikelihoods(forward, arm.mask());
        List<LogLikelihoods.Question> units = tokens.units();
        List<double[]> all = new ArrayList<>();
        try (Progress progress = new Progress("answering, " + arm.name(), units.size())) {
            run.stage(
                    arm.stage("answering"),
                    new TextBatches(
                            units.size(),
                            (i, most) -> likelihoods.size(units.get(i)),
                            forward,
                            i -> content(units.get(i))),
                    (from, end) -> Output.arrays(likelihoods.of(units.subList(from, end))),
                    (from, end, values) -> {
                        values.forEach(row -> all.add(Output.doubles(row)));
                        progress.at(end);
                    });
        }
        return all;
    }

    private static String content(LogLikelihoods.Question unit) {
        return Arrays.toString(unit.context())
                + unit.continuations().stream().map(Arrays::toString).toList();
    }

    private void results(ObjectNode result, List<Question> questions) {
        scores.forEach(s -> result.set(s.arm(), s.json()));
        if (scores.size() > 1) {
            ObjectNode changes = result.putObject("change");
            for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
                Change c = ChoiceScores.change(scores, measure);
                changes.putObject(measure.label())
                        .put("value", c.difference().value())
                        .put("low", c.difference().low())
                        .put("high", c.difference().high())
                        .put("gained", c.up())
                        .put("lost", c.down())
                        .put("p", c.p());
            }
        }
        ArrayNode items = result.putArray("items");
        for (int q = 0; q < questions.size(); q++) {
            ObjectNode item = items.addObject()
                    .put("id", questions.get(q).id())
                    .put("gold", questions.get(q).gold());
            for (ChoiceScores s : scores) {
                ObjectNode one = item.putObject(s.arm());
                Output.put(one, "log_likelihoods", s.logLikelihoods().get(q));
                for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
                    one.put(measure.label(), s.right(measure)[q]);
                }
            }
        }
    }

    private void say(int questions) {
        out.say("%d questions of %s, %s", questions, task, examples == null ? "no examples" : shots() + " examples");
        for (ChoiceScores.Measure measure : ChoiceScores.Measure.values()) {
            String before = scores.getFirst().words(measure);
            if (scores.size() == 1) {
                out.say("  %-10s %s", measure.label(), before);
                continue;
            }
            Change c = ChoiceScores.change(scores, measure);
            out.say(
                    "  %-10s %s -> %s, %d gained, %d lost, p %s",
                    measure.label(), before, scores.get(1).words(measure), c.up(), c.down(), c.pWords());
        }
        reports.tell(out, output);
    }
}
