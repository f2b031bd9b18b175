package dev.belay.forward;

import dev.belay.BelayException;
import dev.belay.device.Device;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.PendingRead;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * The log-likelihoods of given continuations: Σ log softmax(logits)[token] over their tokens.
 *
 * <p>Continuations of one context share its keys and values: it is computed once, and so is what it says of their first tokens. Only
 * where a text grows beyond the length at which its rotary embedding switches is each computed as a whole.
 */
public final class LogLikelihoods {
    /**
     * A text and ways to go on.
     *
     * @param context tokens, at least one; for a mask it is the given text, and continuations are generated
     * @param continuations tokens of each, at least one
     */
    public record Question(int[] context, List<int[]> continuations) {
        /** Tokens of the longest continuation. */
        public int longest() {
            return continuations.stream().mapToInt(c -> c.length).max().orElse(0);
        }
    }

    /** Where the logits of a read token count: for one token of one continuation. */
    private record Target(int read, double[] sums, int continuation, int token) {}

    /** Logits that are computed at a time. */
    private static final int MAX_LOGITS = 1 << 24;

    private final ForwardPass forward;
    private final ModelConfig config;
    private final HeadMask mask;
    private final HookReport report = new HookReport();
    private final Batch batch = new Batch();
    private final List<Target> targets = new ArrayList<>();

    /** @param mask heads to scale, or null */
    public LogLikelihoods(ForwardPass forward, HeadMask mask) {
        this.forward = forward;
        this.mask = mask;
        config = forward.model().config();
    }

    /** What the mask changed so far. */
    public HookReport report() {
        return report;
    }

    /** Batch tokens that a question counts for. */
    public int size(Question q) {
        int rest = 0;
        for (int[] c : q.continuations()) {
            rest += c.length - 1;
        }
        return shared(q)
                ? Math.max(q.context().length, rest)
                : q.continuations().size() * q.context().length + rest;
    }

    /**
     * The log-likelihoods of all continuations of each question, in their order.
     *
     * @throws BelayException if one is not a number
     */
    public List<double[]> of(List<Question> questions) {
        List<double[]> all = new ArrayList<>();
        for (int from = 0; from < questions.size(); ) {
            int end = TextPacker.end(from, questions.size(), i -> size(questions.get(i)), forward.maxTokens());
            HookReport changed = new HookReport();
            try {
                all.addAll(batch(questions.subList(from, end), changed));
                from = end;
                report.add(changed);
            } catch (DeviceMemoryException e) {
                forward.shrink(1, e);
            }
        }
        return all;
    }

    /** Whether the continuations see the same keys and values of the context. */
    private boolean shared(Question q) {
        int length = q.context().length;
        return config.rotatesAlike(length, length + q.longest() - 1);
    }

    private List<double[]> batch(List<Question> questions, HookReport changed) {
        List<double[]> sums = questions.stream()
                .map(q -> new double[q.continuations().size()])
                .toList();
        Hooks hooks = new Hooks(HeadScales.shared(mask), ActivationCapture.NONE, changed);
        int[] starts = new int[questions.size()];
        begin();
        for (int i = 0; i < starts.length; i++) {
            starts[i] = batch.tokens();
            addContext(questions.get(i), sums.get(i));
        }
        try (KvCache contexts = KvCache.keeping(forward.model().device(), config, batch.tokens())) {
            forward.run(batch, config.layers(), contexts, hooks, true);
            count();
            begin();
            for (int i = 0; i < starts.length; i++) {
                addContinuations(questions.get(i), starts[i], sums.get(i));
            }
            if (batch.tokens() > 0) {
                continuations(contexts, hooks);
            }
        }
        return sums;
    }

    private void continuations(KvCache contexts, Hooks hooks) {
        try (KvCache own = KvCache.passing(forward.model().device(), config, batch.tokens())) {
            forward.embed(batch, hooks);
            forward.finalNorm(forward.layers(batch, 0, config.layers(), contexts, own, hooks, true)
                    .tokens());
            count();
        }
    }

    private void begin() {
        batch.clear();
        targets.clear();
    }

    /** Adds a context, which says of the first tokens; or if it is not shared, every continuation with a context of its own. */
    private void addContext(Question q, double[] sums) {
        int length = q.context().length;
        TextSpan span = TextSpan.plain(length);
        if (shared(q)) {
            batch.addText(q.context(), batch.tokens(), span);
            batch.readLast();
            for (int c = 0; c < sums.length; c++) {
                expect(sums, c, q.continuations().get(c)[0]);
            }
            return;
        }
        for (int c = 0; c < sums.length; c++) {
            int[] tokens = q.continuations().get(c);
            batch.addText(q.context(), batch.tokens(), span);
            batch.readLast();
            expect(sums, c, tokens[0]);
            addRest(tokens, length, sums, c);
        }
    }

    /** Adds what follows the first token of each continuation, behind its context in the cache. */
    private void addContinuations(Question q, int start, double[] sums) {
        int length = q.context().length;
        if (!shared(q)) {
            return;
        }
        for (int c = 0; c < sums.length; c++) {
            int[] tokens = q.continuations().get(c);
            if (tokens.length > 1) {
                batch.openSuffix(length, start, batch.tokens(), TextSpan.plain(length));
                addRest(tokens, length, sums, c);
            }
        }
    }

    /** Adds the tokens of a continuation to the row opened last, but the last one, which nothing follows. */
    private void addRest(int[] tokens, int position, double[] sums, int continuation) {
        for (int k = 1; k < tokens.length; k++) {
            batch.addToken(tokens[k - 1], position + k - 1);
            batch.readLast();
            expect(sums, continuation, tokens[k]);
        }
    }

    /** Says that the token read last is followed by a token of a continuation. */
    private void expect(double[] sums, int continuation, int token) {
        targets.add(new Target(batch.readCount() - 1, sums, continuation, token));
    }

    /** Adds what the tokens read say of those expected, as many at a time as there is room for. */
    private void count() {
        int width = config.vocabulary();
        int most = Math.max(1, MAX_LOGITS / width);
        Device device = forward.model().device();
        List<float[]> all = new ArrayList<>();
        PendingRead pending = PendingRead.DONE;
        int next = 0;
        for (int from = 0; from < batch.readCount(); from += most) {
            int to = Math.min(from + most, batch.readCount());
            int[] first = new int[to - from + 1];
            int end = next;
            for (int row = from; row < to; row++) {
                while (end < targets.size() && targets.get(end).read() == row) {
                    end++;
                }
                first[row - from + 1] = end - next;
            }
            int[] tokens =
                    targets.subList(next, end).stream().mapToInt(Target::token).toArray();
            float[] scores = new float[tokens.length];
            pending = device.logitScores(forward.logits(from, to), to - from, width, first, tokens, scores);
            all.add(scores);
            next = end;
        }
        pending.await();
        next = 0;
        for (float[] scores : all) {
            for (float score : scores) {
                Target t = targets.get(next++);
                if (Float.isNaN(score)) {
                    throw new BelayException("a log-likelihood is not a number: the logits overflow; the model's"
                            + " weights may be damaged: fetch them again; or try --dtype f32");
                }
                t.sums()[t.continuation()] += score;
            }
        }
    }
}
