package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.device.Sampling;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.hooks.TextSpan;
import dev.belay.judge.GuardVerdict;
import dev.belay.judge.GuardVerdict.Outcome;
import dev.belay.run.Run;
import dev.belay.text.GuardPrompt;
import dev.belay.text.TextFormat;
import dev.belay.text.ThinkingSplit;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A guard model that judges responses. */
final class Guard {
    /** Room for a verdict and all categories. */
    private static final int NEW_TOKENS = 96;

    private final Session session;

    Guard(Session session) {
        this.session = session;
    }

    /** Judges every transcript's response; those that are empty, incomplete or too long for the guard, without asking it. */
    List<GuardVerdict> judge(List<Transcript> transcripts, Run run) {
        GuardVerdict[] verdicts = new GuardVerdict[transcripts.size()];
        List<Generator.Prompt> prompts = prompts(transcripts, verdicts);
        ForwardPass forward = session.forward();
        Generator generator = new Generator(forward, null, Generator.Closing.NONE, Sampling.GREEDY, NEW_TOKENS, false);
        try (Progress progress = new Progress("judging", prompts.size())) {
            run.stage(
                    "verdicts",
                    new TextBatches(
                            prompts.size(),
                            (i, tokens) -> generator.size(prompts.get(i), tokens),
                            forward,
                            i -> Arrays.toString(prompts.get(i).ids())),
                    (from, end) -> answers(generator, prompts.subList(from, end)),
                    (from, end, answers) -> {
                        for (int i = from; i < end; i++) {
                            verdicts[prompts.get(i).number()] =
                                    GuardVerdict.parse(answers.get(i - from).textValue());
                        }
                        progress.at(end);
                    });
        }
        return List.of(verdicts);
    }

    /** The prompts of those that are asked about; the others get their verdicts. */
    List<Generator.Prompt> prompts(List<Transcript> transcripts, GuardVerdict[] verdicts) {
        TextFormat format = session.format();
        int room = session.config().positions() - NEW_TOKENS;
        List<Generator.Prompt> prompts = new ArrayList<>();
        for (int i = 0; i < verdicts.length; i++) {
            Transcript t = transcripts.get(i);
            ThinkingSplit split = ThinkingSplit.ofResponse(t.thinking(), t.response());
            if (t.unfinished() || split.response().isBlank()) {
                boolean incomplete = t.unfinished() || !split.closed();
                verdicts[i] = GuardVerdict.notAsked(incomplete ? Outcome.INCOMPLETE : Outcome.EMPTY, "");
                continue;
            }
            int[] ids = GuardPrompt.of(format, t.answered(split.thinking(), split.response()));
            if (ids.length > room) {
                String why = "not asked: " + ids.length + " tokens, the guard has room for " + room;
                verdicts[i] = GuardVerdict.notAsked(Outcome.UNPARSABLE, why);
            } else {
                prompts.add(new Generator.Prompt(i, ids, TextSpan.plain(ids.length)));
            }
        }
        return prompts;
    }

    private ArrayNode answers(Generator generator, List<Generator.Prompt> prompts) {
        ArrayNode answers = Output.object().putArray("answers");
        generator.generate(prompts, (prompt, continuation) -> {
            int[] tokens = continuation.tokens();
            answers.add(session.tokenizer().decode(tokens, 0, tokens.length, true));
        });
        return answers;
    }
}
