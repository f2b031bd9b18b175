package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HookReport;
import dev.belay.text.ThinkingMarkers;
import dev.belay.text.ThinkingSplit;
import dev.belay.text.Tokenizer;
import dev.belay.text.Transcript;
import java.nio.file.Files;
import java.util.List;
import java.util.function.Consumer;

/** Continues inputs with a model and reads thinking and response from the result. */
final class Responses {
    /** A continued input; thinking and response are empty for a model without a tokenizer. */
    record Reply(InputOptions.Input input, String thinking, String response, int[] newTokens, boolean ended) {
        /** As a line of JSON: the transcript's fields and {@code new_token_ids}. */
        ObjectNode json() {
            ObjectNode json = Output.object();
            Transcript t = input.transcript();
            json.put("id", input.id()).put("prompt", t == null ? "" : t.prompt());
            json.put("thinking", thinking).put("response", response);
            if (t != null && t.harmful() != null) {
                json.put("harmful", t.harmful());
            }
            if (t != null && t.meta() != null) {
                json.set("meta", t.meta());
            }
            Output.put(json, "new_token_ids", newTokens);
            json.put("ended", ended);
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
        boolean text = Files.exists(session.folder().resolve("tokenizer.json"));
        tokenizer = text ? session.tokenizer() : null;
        closing = text && !session.markers().equals(ThinkingMarkers.NONE)
                ? new ClosingText(session.markers().close(), (ids, from, to) -> tokenizer.decode(ids, from, to, false))
                : Generator.Closing.NONE;
    }

    /**
     * Continues all inputs.
     *
     * @param mask heads to scale, or null
     * @param sink gets each reply, in order, as soon as its batch is done
     */
    HookReport run(
            String label, ForwardPass forward, List<InputOptions.Input> inputs, HeadMask mask, Consumer<Reply> sink) {
        Generator generator =
                new Generator(forward, mask, closing, options.sampling(), options.limit(session), options.ignoreEnd);
        try (Progress progress = new Progress(label, inputs.size())) {
            generator.generate(InputOptions.generatorPrompts(inputs), (prompt, continuation) -> {
                sink.accept(reply(inputs.get(prompt.number()), continuation));
                progress.at(prompt.number() + 1);
            });
        }
        return generator.report();
    }

    private Reply reply(InputOptions.Input input, Generator.Continuation continuation) {
        int[] tokens = continuation.tokens();
        if (tokenizer == null) {
            return new Reply(input, "", "", tokens, continuation.ended());
        }
        String text = tokenizer.decodeKeeping(tokens, session.markers().tags());
        Transcript given = input.transcript();
        if (given != null && options.thinking != GenerationOptions.Thinking.regenerate) {
            String thinking = options.thinking == GenerationOptions.Thinking.keep ? given.thinking() : "";
            return new Reply(input, thinking, text.strip(), tokens, continuation.ended());
        }
        ThinkingSplit split = ThinkingSplit.of(text, session.markers());
        return new Reply(input, split.thinking(), split.response().strip(), tokens, continuation.ended());
    }
}
