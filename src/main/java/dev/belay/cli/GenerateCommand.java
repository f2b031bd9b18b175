package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.HeadMask;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.judge.JudgeSummary;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.Verdict;
import dev.belay.model.ModelConfig;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.run.Run;
import dev.belay.run.StoppedException;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay generate}: transcripts from prompts, with or without ablated heads. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        description = "Continues prompts and writes transcripts, with or without ablated heads.",
        footer = {
            "",
            "Example: belay generate models/tiny-cliff --data models/tiny-cliff/data/attacks.jsonl \\",
            "           -o answers.jsonl"
        })
final class GenerateCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Mixin
    private HeadOptions heads;

    @Mixin
    private GenerationOptions generation;

    @Option(names = "-o", paramLabel = "F.jsonl", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    private static final String STAGE = "generating";

    private final RefusalPhrases phrases = RefusalPhrases.standard();
    private final List<Verdict> verdicts = new ArrayList<>();
    private final DataTable table = new DataTable(
                    "All responses", "What the refusal phrases say of each, and its beginning.")
            .name("id")
            .text("verdict")
            .number("new tokens", 0)
            .text("ended")
            .wide("prompt")
            .wide("response");

    @Override
    public Integer call() {
        options.use = BatchMemory.Use.GENERATION;
        generation.sampling();
        heads.settle();
        ModelConfig config = options.config();
        HeadMask mask = heads.file == null ? null : heads.mask(config, heads.chosen(config));
        input.read();
        OutputFile.check(output);
        reports.begin();
        try (Session session = input.open(options);
                Run run = runs.open(session, output)) {
            List<InputOptions.Input> inputs = input.prompts(session, generation.thinking);
            ForwardPass forward = session.forward();
            reports.phase("generate");
            Responses responses = new Responses(session, generation);
            int[] counts = new int[3];
            if (run.partOnly()) {
                responses.run(STAGE, STAGE, forward, inputs, mask, run, reply -> counts[2]++);
                return out.shard(run, output, counts[2]);
            }
            long changed;
            try (OutputFile lines = OutputFile.create(output)) {
                changed = generate(responses, forward, inputs, mask, run, lines, counts);
                lines.commit();
            }
            run.finish();
            reports.write("Generated transcripts", session, output, page -> fill(page, inputs.size(), counts, mask));
            summary(inputs.size(), counts, mask, changed);
        }
        return 0;
    }

    /** Writes each reply as soon as it is there; counts new tokens and replies that ended by themselves. */
    private long generate(
            Responses responses,
            ForwardPass forward,
            List<InputOptions.Input> inputs,
            HeadMask mask,
            Run run,
            OutputFile lines,
            int[] counts) {
        try {
            return responses.run(STAGE, STAGE, forward, inputs, mask, run, reply -> {
                lines.writeLine(Output.line(reply.json()));
                counts[0] += reply.newTokens().length;
                counts[1] += reply.ended() ? 1 : 0;
                if (reports.wanted()) {
                    add(reply);
                }
            });
        } catch (StoppedException e) {
            throw e.with(lines.leave());
        } catch (BelayException e) {
            throw lines.interrupted(e);
        }
    }

    private void add(Responses.Reply reply) {
        Verdict verdict = reply.judged(phrases).response();
        verdicts.add(verdict);
        Transcript given = reply.input().transcript();
        table.row(
                reply.input().id(),
                verdict.outcome().name().toLowerCase(Locale.ROOT),
                reply.newTokens().length,
                reply.ended() ? "yes" : "no",
                given == null ? "" : given.prompt(),
                reply.response());
    }

    private void fill(RunReport.Builder page, int texts, int[] counts, HeadMask mask) {
        JudgeSummary summary = JudgeSummary.of(verdicts);
        page.subtitle("What does the model answer to " + texts + " prompts"
                        + (mask == null
                                ? "?"
                                : " with " + mask.size() + " heads scaled by " + heads.gamma + " at positions: "
                                        + heads.positions + "?"))
                .story(String.format(
                        Locale.ROOT,
                        "By their refusal phrases %.0f %% of the responses refuse; %d of %d ended by themselves, after %d new tokens in all.",
                        100 * summary.refusalRate(),
                        counts[1],
                        texts,
                        counts[0]))
                .outcome(PageParts.shares("responses", JudgePage.shares(summary), texts))
                .table(table);
    }

    private void summary(int texts, int[] counts, HeadMask mask, long changed) {
        out.say("%d texts, %d new tokens, %d ended by themselves", texts, counts[0], counts[1]);
        if (mask != null) {
            out.say(
                    "%d heads scaled by %s at positions %s: %d head outputs changed",
                    mask.size(), heads.gamma, heads.positions, changed);
            if (changed == 0) {
                Messages.current()
                        .warning("no head output was changed: no position of these texts is '" + heads.positions + "'");
            }
        }
        reports.tell(out, output);
        ObjectNode result = Output.object();
        result.put("output", output.toString()).put("texts", texts);
        result.put("new_tokens", counts[0]).put("ended", counts[1]);
        result.put("heads", mask == null ? 0 : mask.size()).put("head_outputs_changed", changed);
        out.result(result);
    }
}
