package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextPacker;
import dev.belay.io.FileHash;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.IntUnaryOperator;

/**
 * Texts in the batches that a forward pass takes them in.
 *
 * @param size batch tokens that a text counts for
 * @param content all of a text that results depend on, as one string
 */
record TextBatches(int count, IntUnaryOperator size, int budget, IntFunction<String> content) implements Run.Batches {
    /** Probe texts. */
    static TextBatches of(List<ProbeText> texts, ForwardPass forward) {
        return new TextBatches(texts.size(), i -> texts.get(i).ids().length, forward.maxTokens(), i -> {
            ProbeText t = texts.get(i);
            return content(t.id(), t.ids(), t.thinkingStart(), t.thinkingEnd());
        });
    }

    /** Inputs, whose results also depend on the transcript. */
    static TextBatches of(List<InputOptions.Input> inputs, IntUnaryOperator size, ForwardPass forward) {
        return new TextBatches(inputs.size(), size, forward.maxTokens(), i -> {
            InputOptions.Input input = inputs.get(i);
            int closing = input.text().span().closingStart();
            int thinking = input.text().span().thinkingStart();
            return content(input.id(), input.text().ids(), thinking, closing) + input.transcript();
        });
    }

    private static String content(String id, int[] ids, int thinking, int closing) {
        ArrayNode json = Output.object().putArray("text");
        json.add(id).add(thinking).add(closing);
        for (int token : ids) {
            json.add(token);
        }
        return json.toString();
    }

    @Override
    public int end(int from) {
        return TextPacker.end(from, count, size, budget);
    }

    @Override
    public String hash(int from, int end) {
        StringBuilder all = new StringBuilder();
        for (int i = from; i < end; i++) {
            all.append(content.apply(i)).append('\n');
        }
        return FileHash.of(all.toString());
    }
}
