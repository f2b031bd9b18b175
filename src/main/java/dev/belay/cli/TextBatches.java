package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextPacker;
import dev.belay.io.FileHash;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import java.util.List;
import java.util.function.IntBinaryOperator;
import java.util.function.IntFunction;

/**
 * Texts in the batches that a forward pass takes them in.
 *
 * @param size batch tokens that a text counts for in batches of a number of tokens
 * @param content all of a text that results depend on, as one string
 */
record TextBatches(int count, IntBinaryOperator size, ForwardPass forward, IntFunction<String> content)
        implements Run.Batches {
    /** Probe texts. */
    static TextBatches of(List<ProbeText> texts, ForwardPass forward) {
        return new TextBatches(texts.size(), (i, tokens) -> texts.get(i).ids().length, forward, i -> {
            ProbeText t = texts.get(i);
            return content(t.id(), t.ids(), t.thinkingStart(), t.thinkingEnd());
        });
    }

    /** Inputs, whose results also depend on the transcript. */
    static TextBatches of(List<InputOptions.Input> inputs, IntBinaryOperator size, ForwardPass forward) {
        return new TextBatches(inputs.size(), size, forward, i -> {
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
    public int end(int from, int tokens) {
        return TextPacker.end(from, count, i -> size.applyAsInt(i, tokens), tokens);
    }

    @Override
    public int tokens() {
        return forward.maxTokens();
    }

    @Override
    public void limit(int tokens) {
        forward.limit(tokens);
    }

    @Override
    public void halve() {
        forward.shrink(1, new OutOfMemoryError("the Java heap has no room"));
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
