package dev.belay.forward;

import dev.belay.BelayException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.Sampling;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Continues texts token by token, many at once, with or without ablated heads.
 *
 * <p>Where a mask acts on the closing tokens and these are generated too, they are recognised when the last of them appears; their
 * keys, values and everything after are then computed again with the mask on, so that the response sees exactly what it would have
 * seen had the closing tokens been given. A text that grows beyond the length at which its rotary embedding switches is computed again
 * as a whole.
 */
public final class Generator {
    /**
     * A text to continue.
     *
     * @param number the text's number in its run, for the random draws
     */
    public record Prompt(int number, int[] ids, TextSpan span) {}

    /**
     * What was generated.
     *
     * @param tokens new tokens, with the one that ended the text
     * @param ended whether the model ended the text, rather than a limit
     */
    public record Continuation(int[] tokens, boolean ended) {}

    /** Recognises the closing tokens of the thinking in generated tokens. */
    public interface Closing {
        /** Never recognises any. */
        Closing NONE = (ids, from, to) -> 0;

        /** How many tokens at the end of {@code ids[from, to)} are the closing tokens; 0 if it does not end with them. */
        int length(int[] ids, int from, int to);
    }

    private static final int SLOTS_PER_TOKEN = 4;
    private static final int MAX_LOGITS = 1 << 26;
    private static final int USUAL_LENGTH = 1024;

    private final ForwardPass forward;
    private final ModelConfig config;
    private final HeadMask mask;
    private final boolean redoClosing;
    private final Closing closing;
    private final Sampling sampling;
    private final int maxNewTokens;
    private final boolean ignoreEnd;
    private final HookReport report = new HookReport();
    private final Batch batch = new Batch();
    private int[] texts = new int[0];
    private int[] positions = new int[0];
    private int[] tokens = new int[0];

    /**
     * @param mask heads to scale, or null
     * @param closing recognises the end of the thinking
     * @param maxNewTokens most tokens to add to a text
     * @param ignoreEnd go on to the limit even after a token that ends a text
     */
    public Generator(
            ForwardPass forward,
            HeadMask mask,
            Closing closing,
            Sampling sampling,
            int maxNewTokens,
            boolean ignoreEnd) {
        if (maxNewTokens < 1) {
            throw new BelayException("max-new-tokens is " + maxNewTokens + ": use a number from 1");
        }
        this.forward = forward;
        this.mask = mask;
        redoClosing = mask != null && mask.scope().kind() == PositionScope.Kind.CLOSING;
        this.closing = closing;
        this.maxNewTokens = maxNewTokens;
        this.ignoreEnd = ignoreEnd;
        this.sampling = sampling;
        config = forward.model().config();
    }

    /** One text while it grows. */
    private static final class Row {
        private final Prompt prompt;
        private final int[] ids;
        private final int slot;
        private TextSpan span;
        private int length;
        private int cached;
        private boolean ended;

        Row(Prompt prompt, int slot, int capacity) {
            this.prompt = prompt;
            this.slot = slot;
            ids = Arrays.copyOf(prompt.ids(), capacity);
            length = prompt.ids().length;
            span = prompt.span();
        }

        Continuation continuation() {
            int from = prompt.ids().length;
            return new Continuation(Arrays.copyOfRange(ids, from, length), ended);
        }
    }

    /**
     * Continues all prompts.
     *
     * @param done called with each prompt and its continuation, in the order of the prompts, as soon as its batch is done
     * @throws BelayException if a prompt is empty or alone fills the model's positions
     */
    public void generate(List<Prompt> prompts, BiConsumer<Prompt, Continuation> done) {
        for (int from = 0; from < prompts.size(); ) {
            int end = TextPacker.end(from, prompts.size(), i -> size(prompts.get(i)), forward.maxTokens());
            List<Row> rows;
            try {
                rows = generate(prompts.subList(from, end));
            } catch (DeviceMemoryException e) {
                forward.shrink(1, e);
                continue;
            }
            rows.forEach(row -> done.accept(row.prompt, row.continuation()));
            from = end;
        }
    }

    private List<Row> generate(List<Prompt> prompts) {
        List<Row> rows = new ArrayList<>();
        int slots = 0;
        for (Prompt prompt : prompts) {
            int capacity = capacity(prompt);
            rows.add(new Row(prompt, slots, capacity));
            slots += capacity;
        }
        HookReport changed = new HookReport();
        try (KvCache cache = KvCache.generating(forward.model().device(), config, slots)) {
            generate(rows, cache, changed);
        }
        report.add(changed);
        return rows;
    }

    /** What the mask changed so far. */
    public HookReport report() {
        return report;
    }

    /**
     * Batch tokens that a text counts for: its prompt; its share of a cache of {@value #SLOTS_PER_TOKEN} slots a token; or its share
     * of {@value #MAX_LOGITS} logits a step.
     */
    public int size(Prompt prompt) {
        return size(prompt, forward.maxTokens());
    }

    /** The same where a batch has {@code batchTokens} tokens. */
    public int size(Prompt prompt, int batchTokens) {
        long logitsShare = (long) batchTokens * config.vocabulary() / MAX_LOGITS;
        return Math.max(Math.max(prompt.ids().length, capacity(prompt) / SLOTS_PER_TOKEN), (int) logitsShare);
    }

    /** Slots of the cache of a batch of {@code batchTokens} tokens. */
    public static int slots(int batchTokens) {
        return Math.clamp((long) SLOTS_PER_TOKEN * batchTokens, 1, Integer.MAX_VALUE);
    }

    /** Texts that are in a batch of {@code batchTokens} tokens when each grows to {@value #USUAL_LENGTH}. */
    public static int rows(int batchTokens) {
        return Math.max(1, slots(batchTokens) / USUAL_LENGTH);
    }

    private int capacity(Prompt prompt) {
        int length = prompt.ids().length;
        if (length == 0) {
            throw new BelayException("text " + prompt.number() + " has no tokens; there is nothing to continue");
        }
        if (length >= config.positions()) {
            throw new BelayException("text " + prompt.number() + " has " + length + " tokens; the model has room for "
                    + config.positions());
        }
        return length + Math.min(maxNewTokens, config.positions() - length);
    }

    private void generate(List<Row> rows, KvCache cache, HookReport changed) {
        Hooks hooks = new Hooks(HeadScales.shared(mask), ActivationCapture.NONE, changed);
        List<Row> active = new ArrayList<>(rows);
        while (!active.isEmpty()) {
            step(active, cache, hooks);
            active.removeIf(row -> row.ended || row.length == row.ids.length);
        }
    }

    /** One more token for every row, in as many batches as are needed when many close at once. */
    private void step(List<Row> active, KvCache cache, Hooks hooks) {
        int from = 0;
        batch.clear();
        for (int r = 0; r < active.size(); r++) {
            Row row = active.get(r);
            if (batch.tokens() + row.length - row.cached > forward.maxTokens()) {
                run(active, from, r, cache, hooks);
                from = r;
            }
            add(row);
            batch.readLast();
        }
        run(active, from, active.size(), cache, hooks);
    }

    /** Adds the tokens of a row that are not in the cache yet. */
    private void add(Row row) {
        batch.openRow(row.slot, row.span);
        for (int p = row.cached; p < row.length; p++) {
            batch.addToken(row.ids[p], p);
        }
        row.cached = row.length;
    }

    /** Runs the batch, which holds rows {@code from} to {@code to - 1}, and appends a token to each. */
    private void run(List<Row> active, int from, int to, KvCache cache, Hooks hooks) {
        int count = to - from;
        if (count == 0) {
            return;
        }
        reserve(count);
        for (int r = 0; r < count; r++) {
            Row row = active.get(from + r);
            texts[r] = row.prompt.number();
            positions[r] = row.length;
        }
        forward.model().device().sequence(() -> {
            forward.run(batch, config.layers(), cache, hooks, true);
            forward.sample(count, sampling, texts, positions, tokens);
        });
        for (int r = 0; r < count; r++) {
            append(active.get(from + r), tokens[r]);
        }
        batch.clear();
    }

    private void reserve(int count) {
        if (tokens.length < count) {
            texts = new int[count];
            positions = new int[count];
            tokens = new int[count];
        }
    }

    private void append(Row row, int token) {
        if (token < 0) {
            throw new BelayException("text " + row.prompt.number() + ": the model's logits for position " + row.length
                    + " are not numbers; its weights may be damaged: fetch them again; or try --dtype f32");
        }
        row.ids[row.length++] = token;
        row.ended = !ignoreEnd && config.isEnd(token);
        if (redoClosing && row.span.closingStart() == row.span.closingEnd()) {
            redoClosing(row);
        }
        if (config.renewsKeys(row.length)) {
            row.cached = 0;
        }
    }

    /** If the generated tokens now end with the closing tokens, has these computed again. */
    private void redoClosing(Row row) {
        int count = closing.length(row.ids, row.prompt.ids().length, row.length);
        if (count > 0) {
            int start = row.length - count;
            row.span = new TextSpan(row.span.length(), row.span.thinkingStart(), start, row.length);
            row.cached = start;
        }
    }
}
