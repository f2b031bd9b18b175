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
import java.util.function.IntConsumer;

/** A guard model that judges responses. */
final class Guard {
    /** Room for a verdict and all categories. */
    private static final int NEW_TOKENS = 96;

    private final Session session;

    Guard(Session session) {
        this.session = session;
    }

    /** Takes verdicts, in the order of the transcripts. */
    interface Sink {
        /** Called with each transcript's verdict as soon as it and those before it are there. */
        void take(Transcript transcript, GuardVerdict verdict);
    }

    /** Judges every transcript's response; those that are empty, incomplete or too long for the guard, without asking it. */
    void judge(List<Transcript> transcripts, Run run, Sink sink) {
        GuardVerdict[] verdicts = new GuardVerdict[transcripts.size()];
        List<Generator.Prompt> prompts = prompts(transcripts, verdicts);
        int[] told = {0};
        IntConsumer tell = until -> {
            for (; told[0] < until; told[0]++) {
                sink.take(transcripts.get(told[0]), verdicts[told[0]]);
            }
        };
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
                        tell.accept(end < prompts.size() ? prompts.get(end).number() : verdicts.length);
                        progress.at(end);
                    });
        }
        tell.accept(verdicts.length);
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
