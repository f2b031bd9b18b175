package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.hooks.HeadMask;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.TranscriptVerdict;
import dev.belay.run.Run;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.ThinkingSplit;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import java.util.List;
import java.util.function.Consumer;

/** Continues inputs with a model and reads thinking and response from the result. */
final class Responses {
    /**
     * A continued input; thinking and response are empty for a model without a tokenizer.
     *
     * @param ended whether the model ended it, not the limit of tokens
     * @param closed whether the model finished thinking
     */
    record Reply(
            InputOptions.Input input,
            String thinking,
            String response,
            int[] newTokens,
            boolean ended,
            boolean closed) {
        /** What a judge says of it. */
        TranscriptVerdict judged(RefusalPhrases judge) {
            return judge.judge(thinking, response, closed && (ended || !response.isBlank()));
        }

        /** As a line of JSON: the transcript's fields and {@code new_token_ids}; {@code thinking_closed} only if it is false. */
        ObjectNode json() {
            ObjectNode json = Output.object();
            Transcript t = input.transcript();
            json.put("id", input.id());
            if (t != null && !t.system().isEmpty()) {
                json.put("system", t.system());
            }
            json.put("prompt", t == null ? "" : t.prompt());
            json.put("thinking", thinking).put("response", response);
            if (t != null && t.harmful() != null) {
                json.put("harmful", t.harmful());
            }
            if (t != null && t.meta() != null) {
                json.set("meta", t.meta());
            }
            Output.put(json, "new_token_ids", newTokens);
            json.put("ended", ended);
            if (!closed) {
                json.put("thinking_closed", false);
            }
            return json;
        }
    }

    private final Session session;
    private final GenerationOptions options;
    private final Tokenizer tokenizer;
    private final Generator.Closing closing;

    Responses(Session session, GenerationOptions options) {
        this.session = session;
        this.options = options;
        boolean text = Tokenizer.isIn(session.folder());
        tokenizer = text ? session.tokenizer() : null;
        closing = text && !session.markers().equals(ThinkingMarkers.NONE)
                ? new ClosingText(session.markers().close(), (ids, from, to) -> tokenizer.decode(ids, from, to, false))
                : Generator.Closing.NONE;
    }

    /**
     * Continues all inputs.
     *
     * @param stage the stage's name in the journal of {@code run}
     * @param label what is being done
     * @param mask heads to scale, or null
     * @param sink gets each reply, in order, as soon as its batch is done
     * @return number of (layer, head, token) triples scaled
     */
    long run(
            String stage,
            String label,
            ForwardPass forward,
            List<InputOptions.Input> inputs,
            HeadMask mask,
            Run run,
            Consumer<Reply> sink) {
        Generator generator =
                new Generator(forward, mask, closing, options.sampling(), options.limit(session), options.ignoreEnd);
        List<Generator.Prompt> prompts = InputOptions.generatorPrompts(inputs);
        long[] changed = new long[1];
        try (Progress progress = new Progress(label, inputs.size())) {
            run.stage(
                    stage,
                    TextBatches.of(inputs, (i, tokens) -> generator.size(prompts.get(i), tokens), forward),
                    (from, end) -> continuations(generator, prompts.subList(from, end)),
                    (from, end, value) -> {
                        changed[0] += value.get("changed").longValue();
                        for (int i = from; i < end; i++) {
                            JsonNode text = value.get("texts").get(i - from);
                            boolean ended = text.get("ended").booleanValue();
                            sink.accept(reply(inputs.get(i), Output.ints(text.get("tokens")), ended));
                        }
                        progress.at(end);
                    });
        }
        return changed[0];
    }

    private static ObjectNode continuations(Generator generator, List<Generator.Prompt> prompts) {
        long before = generator.report().scaledHeadTokens();
        ObjectNode json = Output.object();
        ArrayNode texts = json.putArray("texts");
        generator.generate(prompts, (prompt, continuation) -> {
            ObjectNode text = texts.addObject();
            Output.put(text, "tokens", continuation.tokens());
            text.put("ended", continuation.ended());
        });
        return json.put("changed", generator.report().scaledHeadTokens() - before);
    }

    private Reply reply(InputOptions.Input input, int[] tokens, boolean ended) {
        if (tokenizer == null) {
            return new Reply(input, "", "", tokens, ended, true);
        }
        String text = tokenizer.decodeKeeping(tokens, session.markers().tags());
        Transcript given = input.transcript();
        ThinkingMarkers markers = session.markers();
        ThinkingSplit split;
        if (given != null && options.thinking != GenerationOptions.Thinking.regenerate) {
            String thinking = options.thinking == GenerationOptions.Thinking.keep ? given.thinking() : "";
            split = ThinkingSplit.ofResponse(thinking, text, markers);
        } else {
            split = ThinkingSplit.of(text, markers).andReopened(markers);
        }
        return new Reply(input, split.thinking(), split.response().strip(), tokens, ended, split.closed());
    }
}
