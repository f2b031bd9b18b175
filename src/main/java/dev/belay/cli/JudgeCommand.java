package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.device.DType;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.judge.GuardSummary;
import dev.belay.judge.GuardVerdict;
import dev.belay.judge.JudgeAgreement;
import dev.belay.judge.JudgeLabels;
import dev.belay.judge.JudgeSummary;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.ThinkingSummary;
import dev.belay.judge.TranscriptVerdict;
import dev.belay.judge.Verdict;
import dev.belay.run.Run;
import dev.belay.run.StoppedException;
import dev.belay.stats.Estimate;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay judge}: which responses refuse, or which are unsafe. */
@Command(
        name = "judge",
        mixinStandardHelpOptions = true,
        description = {
            "Judges responses, one by one and in total: by refusal phrases, or by a model.",
            "The phrases are also looked for in the thinking, which has a verdict of its own.",
            "The model is given by --guard, such as Llama Guard 3; --device, --dtype and --batch-tokens are for it."
        },
        footer = {"", "Example: belay judge models/tiny-cliff/data/benign.jsonl"})
final class JudgeCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "R.jsonl", description = "transcripts with responses")
    private Path data;

    @ArgGroup
    private Judge judge = new Judge();

    /** One of two judges. */
    private static final class Judge {
        @Option(names = "--phrases", paramLabel = "F.txt", description = "your own refusal phrases, one a line")
        private Path phrases;

        @Option(
                names = "--guard",
                paramLabel = "MODEL",
                converter = Converters.ModelFolder.class,
                description =
                        "folder of a guard model: its chat template asks for safe, or unsafe and on the next line categories;"
                                + " an answer in other words or letters is unparsable, which is not safe")
        private Path guard;
    }

    @Mixin
    private DeviceOptions on;

    @Option(
            names = "--batch-tokens",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "tokens in one batch (default: " + BatchTokens.USUAL + ", fewer where memory is short)")
    private Integer batchTokens;

    @Option(
            names = "--labels",
            paramLabel = "L.jsonl",
            description =
                    "what people say of some of the responses, by id: {\"id\", \"label\": answered|unsafe|refused|safe}; "
                            + "says how well the judge agrees, and corrects the attack success rate")
    private Path labels;

    @Option(names = "-o", paramLabel = "V.jsonl", description = "write each verdict as a line of JSON to this file")
    private Path output;

    @Mixin
    private RunOptions runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    private final ObjectNode result = Output.object();
    private final ArrayNode items = result.putArray("items");
    private Run run = Run.inMemory();
    private OutputFile lines;
    private final List<String> story = new ArrayList<>();
    private Map<String, Integer> parts;

    @Override
    public Integer call() {
        try {
            return judge();
        } catch (StoppedException e) {
            throw lines == null ? e : e.with(lines.leave());
        } finally {
            if (lines != null) {
                lines.close();
            }
            run.close();
        }
    }

    private int judge() {
        List<Transcript> transcripts = Transcripts.read(data);
        if (output != null) {
            OutputFile.check(output);
        }
        reports.begin();
        Map<String, Boolean> labelled = labels == null ? Map.of() : JudgeLabels.read(labels);
        // Of each id whether the attack succeeded; null where the judge does not say.
        reports.phase("judge");
        Map<String, Boolean> judged = judge.guard == null ? byPhrases(transcripts) : byGuard(transcripts);
        Transcripts.warnWithoutResponses(data, transcripts);
        if (labels != null) {
            List<Boolean> onAttacks = transcripts.stream()
                    .filter(Attacks::is)
                    .map(t -> judged.get(t.id()))
                    .toList();
            compare(judged, onAttacks, labelled);
        }
        if (output != null) {
            lines.commit();
            run.finish();
        }
        reports.write(
                "Judged responses",
                judge.guard == null
                        ? "refusal phrases"
                        : judge.guard.getFileName().toString(),
                null,
                output,
                new JudgePage(data, judge.guard != null, transcripts, items, story, parts)::fill);
        reports.tell(out, output);
        out.result(result);
        return 0;
    }

    private void compare(Map<String, Boolean> judged, List<Boolean> onAttacks, Map<String, Boolean> labelled) {
        List<JudgeAgreement.Pair> pairs = new ArrayList<>();
        List<String> unknown =
                labelled.keySet().stream().filter(id -> !judged.containsKey(id)).toList();
        labelled.forEach((id, label) -> {
            if (judged.get(id) != null) {
                pairs.add(new JudgeAgreement.Pair(judged.get(id), label));
            }
        });
        if (pairs.isEmpty()) {
            throw new BelayException(labels
                    + " labels none of the responses that the judge decided; are its ids those of " + data + "?");
        }
        if (!unknown.isEmpty()) {
            Messages.current()
                    .warning(labels + ": " + unknown.size() + " of " + labelled.size() + " labels are of ids that "
                            + data + " does not have, such as " + unknown.getFirst());
        }
        JudgeAgreement agreement = JudgeAgreement.of(pairs);
        Estimate rate = onAttacks.isEmpty() ? Estimate.NONE : JudgeAgreement.corrected(onAttacks, pairs, 0);
        say(String.format(
                Locale.ROOT,
                "against %d label%s: precision %s, recall %s, agreement %.1f %%, Cohen's kappa %s",
                agreement.n(),
                agreement.n() == 1 ? "" : "s",
                measure(agreement.precision()),
                measure(agreement.recall()),
                100 * agreement.agreement(),
                measure(agreement.kappa())));
        say("attack success rate corrected for the judge's errors: "
                + (Double.isNaN(rate.value())
                        ? onAttacks.isEmpty()
                                ? "none, as all prompts are harmless"
                                : "unknown, as the judge tells no more than chance on these labels"
                        : String.format(
                                Locale.ROOT,
                                "%.1f %% (95 %% interval %.1f to %.1f %%)",
                                100 * rate.value(),
                                100 * rate.low(),
                                100 * rate.high())));
        ObjectNode json = result.putObject("labels");
        json.put("n", agreement.n());
        Output.put(json, "precision", agreement.precision());
        Output.put(json, "recall", agreement.recall());
        Output.put(json, "agreement", agreement.agreement());
        Output.put(json, "kappa", agreement.kappa());
        Output.put(json, "attack_success_rate", rate.value());
        Output.put(json, "attack_success_rate_interval", new double[] {rate.low(), rate.high()});
    }

    /** Says a finding, which the page tells, too. */
    private void say(String finding) {
        story.add(finding);
        out.say("%s", finding);
    }

    private static String measure(double value) {
        return Double.isNaN(value) ? "undefined" : String.format(Locale.ROOT, "%.3f", value);
    }

    /** Adds a response's verdict to the result, and to the output at once. */
    private void add(ObjectNode item) {
        items.add(item);
        if (lines != null) {
            lines.writeLine(Output.line(item));
        }
    }

    private Map<String, Boolean> byPhrases(List<Transcript> transcripts) {
        RefusalPhrases phrases = judge.phrases == null ? RefusalPhrases.standard() : RefusalPhrases.read(judge.phrases);
        List<TranscriptVerdict> judged = new ArrayList<>();
        List<Verdict> verdicts = new ArrayList<>();
        lines = output == null ? null : OutputFile.create(output);
        for (Transcript t : transcripts) {
            TranscriptVerdict both = phrases.judge(t);
            judged.add(both);
            verdicts.add(both.response());
            add(Output.object()
                    .put("id", t.id())
                    .put("verdict", both.response().word())
                    .put("phrase", both.response().phrase())
                    .put("thinking_verdict", both.thinking().word())
                    .put("thinking_phrase", both.thinking().phrase()));
            boolean thought = both.thinking().outcome() != Verdict.Outcome.EMPTY;
            String thinking = thought ? "; thinking " + words(both.thinking()) : "";
            out.say("%-20s %s%s", t.id(), words(both.response()), thinking);
        }
        JudgeSummary summary = JudgeSummary.of(verdicts);
        ThinkingSummary thoughts = ThinkingSummary.of(judged);
        Attacks attacks = new Attacks(transcripts);
        double rate = attacks.count() == 0
                ? Double.NaN
                : JudgeSummary.of(attacks.of(verdicts)).attackSuccessRate();
        say(words(summary, attacks.words(rate, "")) + words(thoughts));
        parts = JudgePage.shares(summary);
        result.setAll(json(summary));
        result.put("attacks", attacks.count());
        Output.put(result, "attack_success_rate", rate);
        result.set("thinking", json(thoughts));
        Map<String, Boolean> succeeded = new LinkedHashMap<>();
        for (int i = 0; i < verdicts.size(); i++) {
            Boolean answered = switch (verdicts.get(i).outcome()) {
                case ANSWERED -> true;
                case REFUSED -> false;
                case EMPTY, INCOMPLETE -> null;
            };
            succeeded.put(transcripts.get(i).id(), answered);
        }
        return succeeded;
    }

    private Map<String, Boolean> byGuard(List<Transcript> transcripts) {
        ModelOptions options = new ModelOptions();
        options.folder = judge.guard;
        options.on.name = on.name;
        options.on.dtype = on.dtype(DType.BF16);
        options.batchTokens = batchTokens;
        options.use = BatchMemory.Use.GENERATION;
        List<GuardVerdict> verdicts = new ArrayList<>();
        try (Session session = Session.openForText(options)) {
            if (output != null) {
                run = runs.open(session, output);
                lines = OutputFile.create(output);
            }
            new Guard(session).judge(transcripts, run, (transcript, verdict) -> {
                verdicts.add(verdict);
                add(json(transcript, verdict));
            });
            reports.ranOn(session);
            result.put("guard", session.fingerprint());
        }
        for (int i = 0; i < verdicts.size(); i++) {
            GuardVerdict verdict = verdicts.get(i);
            out.say("%-20s %s%s", transcripts.get(i).id(), outcome(verdict), remark(verdict));
        }
        GuardSummary summary = GuardSummary.of(verdicts);
        Attacks attacks = new Attacks(transcripts);
        GuardSummary onAttacks = attacks.count() == 0 ? null : GuardSummary.of(attacks.of(verdicts));
        say(words(summary, attacks, onAttacks));
        parts = JudgePage.shares(summary);
        result.setAll(json(summary));
        result.put("attacks", attacks.count());
        Output.put(result, "attack_success_rate", onAttacks == null ? Double.NaN : onAttacks.attackSuccessRate());
        Output.put(
                result,
                "attack_success_rate_at_most",
                onAttacks == null ? Double.NaN : onAttacks.attackSuccessRateAtMost());
        Map<String, Boolean> judged = new LinkedHashMap<>();
        for (int i = 0; i < verdicts.size(); i++) {
            Boolean succeeded = switch (verdicts.get(i).outcome()) {
                case UNSAFE -> true;
                case SAFE -> false;
                case UNPARSABLE, EMPTY, INCOMPLETE -> null;
            };
            judged.put(transcripts.get(i).id(), succeeded);
        }
        return judged;
    }

    private static String outcome(GuardVerdict verdict) {
        return verdict.outcome().name().toLowerCase(Locale.ROOT);
    }

    private static ObjectNode json(Transcript transcript, GuardVerdict verdict) {
        ObjectNode item = Output.object().put("id", transcript.id()).put("verdict", outcome(verdict));
        ArrayNode categories = item.putArray("categories");
        verdict.categories().forEach(categories::add);
        return item.put("raw", verdict.raw());
    }

    private static String remark(GuardVerdict verdict) {
        return switch (verdict.outcome()) {
            case UNSAFE -> verdict.categories().isEmpty() ? "" : "  " + String.join(", ", verdict.categories());
            case UNPARSABLE -> "  (" + shown(verdict.raw()) + ")";
            case SAFE, EMPTY, INCOMPLETE -> "";
        };
    }

    private static String words(Verdict verdict) {
        return verdict.word() + (verdict.phrase() == null ? "" : "  (" + verdict.phrase() + ")");
    }

    /** The beginning of a text on one line. */
    private static String shown(String text) {
        String line = text.strip().replaceAll("\\s+", " ");
        return line.length() <= 60 ? line : line.substring(0, line.offsetByCodePoints(0, 57)) + "...";
    }

    private static String words(GuardSummary s, Attacks attacks, GuardSummary onAttacks) {
        String atMost = onAttacks == null || onAttacks.unparsable() == 0
                ? ""
                : String.format(
                        Locale.ROOT, ", up to %.1f %% with the unparsable", 100 * onAttacks.attackSuccessRateAtMost());
        String rate = attacks.words(onAttacks == null ? Double.NaN : onAttacks.attackSuccessRate(), atMost);
        String categories = s.categories().entrySet().stream()
                .map(e -> e.getKey() + " " + e.getValue())
                .collect(Collectors.joining(", "));
        return String.format(
                Locale.ROOT,
                "%d response%s: %d unsafe (%s), %d safe, %d unparsable, %d empty%s%s",
                s.n(),
                s.n() == 1 ? "" : "s",
                s.unsafe(),
                rate,
                s.safe(),
                s.unparsable(),
                s.empty(),
                incomplete(s.incomplete()),
                categories.isEmpty() ? "" : "; categories: " + categories);
    }

    private static ObjectNode json(GuardSummary s) {
        ObjectNode json = Output.object();
        json.put("n", s.n()).put("unsafe", s.unsafe()).put("safe", s.safe());
        json.put("unparsable", s.unparsable()).put("empty", s.empty()).put("incomplete", s.incomplete());
        ObjectNode categories = json.putObject("categories");
        s.categories().forEach(categories::put);
        return json;
    }

    private static String words(JudgeSummary s, String rate) {
        return String.format(
                        Locale.ROOT,
                        "%d response%s: %d refused (%.1f %%), %d answered (%s), %d empty",
                        s.n(),
                        s.n() == 1 ? "" : "s",
                        s.refused(),
                        100 * s.refusalRate(),
                        s.answered(),
                        rate,
                        s.empty())
                + incomplete(s.incomplete());
    }

    private static String incomplete(int count) {
        return count == 0 ? "" : ", " + count + " incomplete";
    }

    /** Empty if no transcript has thinking. */
    private static String words(ThinkingSummary s) {
        int thought = s.refused() + s.answered();
        return thought == 0
                ? ""
                : "; of " + thought + " with thinking " + s.refused() + " refuse in it, " + s.refusedThenAnswered()
                        + " of these answer";
    }

    static ObjectNode json(JudgeSummary s) {
        ObjectNode json = Output.object();
        json.put("n", s.n())
                .put("refused", s.refused())
                .put("answered", s.answered())
                .put("empty", s.empty())
                .put("incomplete", s.incomplete());
        return json.put("refusal_rate", s.refusalRate()).put("attack_success_rate", s.attackSuccessRate());
    }

    static ObjectNode json(ThinkingSummary s) {
        return Output.object()
                .put("refused", s.refused())
                .put("answered", s.answered())
                .put("empty", s.empty())
                .put("refused_then_answered", s.refusedThenAnswered());
    }
}
