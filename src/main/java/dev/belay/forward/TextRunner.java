package dev.belay.forward;

import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMemoryException;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.TextSpan;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * Runs whole texts through the layers in batches, without keeping a cache. A batch for which the device has no room is run again in
 * smaller ones.
 */
public final class TextRunner {
    /** A text as tokens, with its parts. */
    public record Text(int[] ids, TextSpan span) {}

    /** Is shown the states of each batch. */
    public interface Visitor {
        /**
         * Called after each batch; once more for some of its texts if the device had no room for what the visitor did.
         *
         * @param texts numbers of the texts in the batch
         * @param states H[to] of the batch, [T, D]: of every token, or with {@code lastOnly} of each text's last token
         */
        void batch(List<Integer> texts, DeviceBuffer states);
    }

    /** Is told of each batch whose residual stream is H[to] before any final norm; see {@link ForwardPass#dot}. */
    public interface Reader {
        /**
         * Called after each batch; once more for some of its texts if the device had no room for what the reader did.
         *
         * @param texts numbers of the texts in the batch
         * @param tokens those that the residual stream holds: all, or with {@code lastOnly} each text's last
         */
        void batch(List<Integer> texts, int tokens);
    }

    /** A forward pass over a batch and what is done with its result. */
    private interface Pass {
        void run(List<Integer> texts, KvCache cache, Hooks hooks);
    }

    private final ForwardPass forward;
    private final Batch batch = new Batch();

    public TextRunner(ForwardPass forward) {
        this.forward = forward;
    }

    /**
     * Computes H[to] of every text.
     *
     * @param mask heads to scale, or null
     * @param capture told of each batch and shown the activations; or null
     * @param lastOnly compute the last layer only for the last token of each text
     * @param progress called with the number of texts done
     */
    public HookReport run(
            List<Text> texts,
            int to,
            HeadMask mask,
            ActivationCapture capture,
            boolean lastOnly,
            Visitor visitor,
            IntConsumer progress) {
        return run(
                texts,
                mask,
                capture,
                (group, cache, hooks) -> visitor.batch(group, forward.run(batch, to, cache, hooks, lastOnly)),
                progress);
    }

    /** As {@link #run}, but leaves out the final norm, and what a capture would see of it. */
    public HookReport runUnnormed(
            List<Text> texts,
            int to,
            HeadMask mask,
            ActivationCapture capture,
            boolean lastOnly,
            Reader reader,
            IntConsumer progress) {
        return run(
                texts,
                mask,
                capture,
                (group, cache, hooks) -> reader.batch(
                        group,
                        forward.unnormed(batch, to, cache, hooks, lastOnly).tokens()),
                progress);
    }

    private HookReport run(
            List<Text> texts, HeadMask mask, ActivationCapture capture, Pass pass, IntConsumer progress) {
        HookReport report = new HookReport();
        for (int from = 0; from < texts.size(); ) {
            int end = TextPacker.end(from, texts.size(), i -> texts.get(i).ids().length, forward.maxTokens());
            List<Integer> group = IntStream.range(from, end).boxed().toList();
            try {
                report.add(run(texts, group, mask, capture, pass));
                from = end;
                progress.accept(from);
            } catch (DeviceMemoryException e) {
                forward.shrink(1, e);
            }
        }
        return report;
    }

    private HookReport run(List<Text> texts, List<Integer> group, HeadMask mask, ActivationCapture capture, Pass pass) {
        HookReport report = new HookReport();
        Hooks hooks = new Hooks(HeadScales.shared(mask), capture == null ? ActivationCapture.NONE : capture, report);
        batch.clear();
        for (int i : group) {
            Text text = texts.get(i);
            batch.addText(text.ids(), batch.tokens(), text.span());
            batch.readLast();
        }
        if (capture != null) {
            capture.nextBatch(group);
        }
        try (KvCache cache =
                KvCache.passing(forward.model().device(), forward.model().config(), batch.tokens())) {
            pass.run(group, cache, hooks);
        }
        return report;
    }
}
