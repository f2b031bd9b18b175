package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HookReport;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay generate}: transcripts from prompts, with or without ablated heads. */
@Command(
        name = "generate",
        mixinStandardHelpOptions = true,
        description = "Continues prompts and writes transcripts, with or without ablated heads.")
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
    private Output out;

    @Override
    public Integer call() {
        generation.sampling();
        heads.settle();
        ModelConfig config = options.config();
        HeadMask mask = heads.file == null ? null : heads.mask(config, heads.chosen(config));
        input.read();
        OutputFile.check(output);
        try (Session session = input.open(options)) {
            List<InputOptions.Input> inputs = input.prompts(session, generation.thinking);
            ForwardPass forward = session.forward();
            int[] counts = new int[2];
            HookReport report;
            try (OutputFile lines = OutputFile.create(output)) {
                report = generate(new Responses(session, generation), forward, inputs, mask, lines, counts);
                lines.commit();
            }
            summary(inputs.size(), counts, mask, report);
        }
        return 0;
    }

    /** Writes each reply as soon as it is there; counts new tokens and replies that ended by themselves. */
    private static HookReport generate(
            Responses responses,
            ForwardPass forward,
            List<InputOptions.Input> inputs,
            HeadMask mask,
            OutputFile lines,
            int[] counts) {
        try {
            return responses.run("generating", forward, inputs, mask, reply -> {
                lines.writeLine(Output.line(reply.json()));
                counts[0] += reply.newTokens().length;
                counts[1] += reply.ended() ? 1 : 0;
            });
        } catch (BelayException e) {
            throw lines.interrupted(e);
        }
    }

    private void summary(int texts, int[] counts, HeadMask mask, HookReport report) {
        out.say("%d texts, %d new tokens, %d ended by themselves", texts, counts[0], counts[1]);
        if (mask != null) {
            out.say(
                    "%d heads scaled by %s at positions %s: %d head outputs changed",
                    mask.size(), heads.gamma, heads.positions, report.scaledHeadTokens());
            if (report.scaledHeadTokens() == 0) {
                out.note("no head output was changed: no position of these texts is '" + heads.positions + "'");
            }
        }
        out.say("written to %s", output);
        ObjectNode result = Output.object();
        result.put("output", output.toString()).put("texts", texts);
        result.put("new_tokens", counts[0]).put("ended", counts[1]);
        result.put("heads", mask == null ? 0 : mask.size()).put("head_outputs_changed", report.scaledHeadTokens());
        out.result(result);
    }
}
