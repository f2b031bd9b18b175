package dev.belay.forward;

import dev.belay.device.AttentionShape;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.KeyValues;
import dev.belay.device.PendingRead;
import dev.belay.device.QkvPart;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import dev.belay.hooks.HookPoint;
import dev.belay.io.Messages;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelWeights;
import java.util.stream.IntStream;

/**
 * The forward pass of a decoder-only transformer over ragged batches, layer by layer, with hooks.
 *
 * <p>H[0] is the embeddings, H[i] the residual stream after layer i-1 (counted from 0), H[L] the final norm of the last. Letters:
 * T tokens, D hidden size, H heads, KV key/value heads, HD head size, F feed-forward size, V vocabulary.
 *
 * <p>All state lives in one workspace that is sized once; no step allocates on the device. A text that is longer than a batch may be
 * passes each layer in pieces: only its residual stream and one layer's keys and values are there as a whole, and the numbers are
 * those of the text in one piece.
 */
public final class ForwardPass implements AutoCloseable {
    private final Model model;
    private final ModelConfig config;
    private final ModelWeights weights;
    private final Device device;
    private final AttentionShape[] attention;
    private final RopeTables ropes;
    private Workspace work;
    private final HeadScaleTable scaleTable = new HeadScaleTable();
    private final TokenLayout readLayout = new TokenLayout();
    private final Pieces pieces = new Pieces();
    private final HookPoint[] residualPoints;
    private final HookPoint[] headPoints;
    private int[] identity = new int[0];
    private DeviceBuffer logits;

    /**
     * Prepares passes of {@code maxTokens} tokens a batch.
     *
     * @param model opened model; stays the caller's
     */
    public ForwardPass(Model model, int maxTokens) {
        this(model, maxTokens, maxTokens);
    }

    /**
     * Prepares passes of {@code maxTokens} tokens a batch, or half as many, and so on, where the device has no room for more.
     *
     * @param model opened model; stays the caller's
     * @param least tokens that a batch must be able to have
     * @throws DeviceMemoryException if there is no room for those
     */
    public ForwardPass(Model model, int maxTokens, int least) {
        this.model = model;
        config = model.config();
        weights = model.weights();
        device = model.device();
        attention =
                IntStream.range(0, config.layers()).mapToObj(config::attention).toArray(AttentionShape[]::new);
        ropes = new RopeTables(device, config);
        try {
            work = workspace(maxTokens, least);
            if (work.tokens < maxTokens) {
                tellShrunk(maxTokens, new DeviceMemoryException("there was no room for the buffers of a batch"));
            }
        } catch (RuntimeException | Error e) {
            ropes.close();
            throw e;
        }
        residualPoints = IntStream.rangeClosed(0, config.layers())
                .mapToObj(HookPoint::residual)
                .toArray(HookPoint[]::new);
        headPoints = IntStream.range(0, config.layers())
                .mapToObj(HookPoint::headOutput)
                .toArray(HookPoint[]::new);
    }

    /** The model. */
    public Model model() {
        return model;
    }

    /** Tokens that a batch should have at most; one with more is computed in pieces of as many. */
    public int maxTokens() {
        return work.tokens;
    }

    /**
     * Halves {@link #maxTokens}, because there is no room for more, and says so.
     *
     * @param least tokens that a batch must be able to have
     * @throws DeviceMemoryException if there is no room for those
     */
    public void shrink(int least, Throwable cause) {
        int before = work.tokens;
        limit(half(before, least, cause), least);
        tellShrunk(before, cause);
    }

    /** Lowers {@link #maxTokens} to {@code tokens}, if it is more. */
    public void limit(int tokens) {
        if (tokens < work.tokens) {
            limit(tokens, 1);
        }
    }

    private void limit(int tokens, int least) {
        releaseLogits();
        // Computed anew: what was to be written there may be lost with the batch that had no room.
        ropes.close();
        work.close();
        work = workspace(tokens, least);
    }

    private void tellShrunk(int before, Throwable cause) {
        Messages.current()
                .warning("out of memory with batches of " + before + " tokens: going on with batches of " + work.tokens
                        + " (" + DeviceMemoryException.problem(cause) + ")");
    }

    /** A workspace for {@code tokens}, or half as many, and so on, where there is no room for more. */
    private Workspace workspace(int tokens, int least) {
        int fits = tokens;
        while (true) {
            try {
                return new Workspace(device, config, fits);
            } catch (DeviceMemoryException e) {
                if (fits == least) {
                    throw e;
                }
                fits = half(fits, least, e);
            }
        }
    }

    private static int half(int tokens, int least, Throwable cause) {
        if (tokens / 2 < least) {
            throw new DeviceMemoryException(
                    DeviceMemoryException.problem(cause) + " (a batch of " + tokens + " tokens was too much, and "
                            + (least == 1
                                    ? "it is the longest text that has no room: leave it out, or use --device cpu)"
                                    : "the fewest allowed are " + least + ")"),
                    cause);
        }
        return tokens / 2;
    }

    private void releaseLogits() {
        if (logits != null) {
            logits.close();
            logits = null;
        }
    }

    /** The residual stream [T, D] of the batch; H[from] before {@link #layers}, H[to] after it. */
    public DeviceBuffer residual() {
        return work.residual();
    }

    /**
     * Makes room for the residual stream of {@code tokens} tokens, which forgets it.
     *
     * @throws DeviceMemoryException if there is none
     */
    public void reserve(int tokens) {
        work.reserve(tokens);
    }

    /**
     * Makes room for capturing the head outputs of a batch that are scaled.
     *
     * @throws DeviceMemoryException if there is none
     */
    public void reserveUnscaled() {
        work.unscaledHeadOutputs();
    }

    /** Looks up the embeddings of the batch: the residual stream is H[0] then. */
    public void embed(Batch batch, Hooks hooks) {
        TokenLayout layout = batch.layout();
        reserve(layout.tokens());
        device.embed(weights.embedding(), layout, work.residual());
        capture(hooks, residualPoints[0], work.residual(), config.hidden(), layout);
    }

    /**
     * Runs layers {@code from} to {@code to - 1} on the residual stream.
     *
     * @param prefix cache of the shared prefixes, or null where no row has one
     * @param own cache that the batch's keys and values are written to
     * @param readsOnly in the last of these layers, compute only the tokens that the batch marks as read; the residual stream then
     *     holds those, in order
     * @return the layout of the tokens that the residual stream holds
     */
    public TokenLayout layers(
            Batch batch, int from, int to, KvCache prefix, KvCache own, Hooks hooks, boolean readsOnly) {
        TokenLayout layout = batch.layout();
        if (from == to && readsOnly) {
            return keepReads(batch);
        }
        for (int l = from; l < to; l++) {
            layout = attentionBlock(batch, l, prefix, own, hooks, readsOnly && l == to - 1);
            feedForwardBlock(l, layout.tokens());
            if (l + 1 < config.layers()) {
                capture(hooks, residualPoints[l + 1], work.residual(), config.hidden(), layout);
            }
        }
        return layout;
    }

    /**
     * x += W_O · attention(norm(x)) of layer {@code l}, without its feed-forward block; parameters as those of {@link #layers}.
     *
     * @return the layout of the tokens that the residual stream holds
     */
    public TokenLayout attentionBlock(Batch batch, int l, KvCache prefix, KvCache own, Hooks hooks, boolean readsOnly) {
        DeviceBuffer angles = ropes.of(l, batch.layout());
        pieces.split(batch.layout(), work.tokens);
        if (readsOnly && batch.readCount() < batch.tokens()) {
            TokenLayout layout = narrow(batch, l, angles, own.layer(l));
            project(QkvPart.QUERIES, l, work.normedRead, layout, angles, own.layer(l));
            attend(batch, layout, work.residual(), l, prefix, own, hooks);
            return layout;
        }
        ModelWeights.Layer w = weights.layer(l);
        for (int i = 0; i < pieces.count(); i++) {
            TokenLayout layout = pieces.layout(i);
            DeviceBuffer x = work.residual(i, batch.tokens());
            device.project(
                    x,
                    w.attentionNorm(),
                    config.normEps(),
                    w.qkv(),
                    layout,
                    attention[l],
                    w.heads(),
                    angles,
                    work.projectionSpace,
                    work.queries,
                    own.layer(l));
            attend(batch, layout, x, l, prefix, own, hooks);
        }
        return batch.layout();
    }

    /** x += W_O · attention of the tokens of {@code layout}, whose queries are in the workspace. */
    private void attend(
            Batch batch, TokenLayout layout, DeviceBuffer x, int l, KvCache prefix, KvCache own, Hooks hooks) {
        AttentionShape shape = attention[l];
        ModelWeights.Layer w = weights.layer(l);
        int tokens = layout.tokens();
        boolean scaled = hooks.scales().fill(scaleTable, l, layout, batch.spans(), hooks.report());
        // What is captured are the head outputs as they were before any scaling.
        DeviceBuffer unscaled = scaled && hooks.capture().wants(headPoints[l]) ? work.unscaledHeadOutputs() : null;
        KeyValues shared = (prefix == null ? own : prefix).layer(l);
        HeadScaleTable scales = scaled ? scaleTable : null;
        int window = config.kinds().get(l).window();
        device.attention(work.queries, layout, shape, shared, own.layer(l), window, scales, unscaled, work.headOutputs);
        DeviceBuffer captured = unscaled == null ? work.headOutputs : unscaled;
        capture(hooks, headPoints[l], captured, shape.queryWidth(), layout);
        device.matmul(work.headOutputs, shape.queryWidth(), 0, tokens, w.output(), w.outputBias(), x, 0, true);
    }

    /** Queries, or keys and values, of the tokens in {@code normed}, rotated and where attention reads them. */
    private void project(
            QkvPart part, int l, DeviceBuffer normed, TokenLayout layout, DeviceBuffer angles, KeyValues own) {
        ModelWeights.Layer w = weights.layer(l);
        DeviceMatrix matrix = part.queries() ? w.query() : w.keyValue();
        device.matmul(normed, config.hidden(), 0, layout.tokens(), matrix, work.qkv, 0, false);
        device.rotate(part, work.qkv, layout, attention[l], w.heads(), angles, work.queries, own);
    }

    /** Computes the keys and values of all tokens, and keeps only the residual stream and the normed inputs of the tokens read. */
    private TokenLayout narrow(Batch batch, int l, DeviceBuffer angles, KeyValues own) {
        int[] reads = batch.reads();
        int count = batch.readCount();
        int width = config.hidden();
        ModelWeights.Layer w = weights.layer(l);
        int done = 0;
        for (int i = 0; i < pieces.count(); i++) {
            TokenLayout layout = pieces.layout(i);
            DeviceBuffer x = work.residual(i, batch.tokens());
            device.rmsNorm(x, w.attentionNorm(), config.normEps(), layout.tokens(), width, work.normed);
            project(QkvPart.KEYS_VALUES, l, work.normed, layout, angles, own);
            int end = pieces.within(i, reads, done, count);
            device.gather(work.normed, pieces.within(), end - done, width, part(work.normedRead, done, end));
            done = end;
        }
        return keepReads(batch);
    }

    /** Keeps only the tokens read: gathers their residual stream to the front. */
    private TokenLayout keepReads(Batch batch) {
        int[] reads = batch.reads();
        int count = batch.readCount();
        device.gather(work.residual(), reads, count, config.hidden(), work.residualRead);
        batch.layout().select(reads, count, readLayout);
        device.gather(work.residualRead, identity(count), count, config.hidden(), work.residual());
        return readLayout;
    }

    /** Rows {@code from} to {@code to - 1} of a buffer [T, D]. */
    private DeviceBuffer part(DeviceBuffer buffer, int from, int to) {
        long width = config.hidden();
        return from == 0 ? buffer : buffer.slice(from * width, (to - from) * width);
    }

    private int[] identity(int n) {
        if (identity.length < n) {
            identity = IntStream.range(0, Math.max(n, 2 * identity.length)).toArray();
        }
        return identity;
    }

    /**
     * x += W_down · (silu(W_gate · norm(x)) ∘ W_up · norm(x)), or the layer's mixture of such experts, for the first {@code tokens} tokens
     * of the residual stream.
     */
    public void feedForwardBlock(int l, int tokens) {
        for (int i = 0, from = 0; from < tokens; i++, from += work.tokens) {
            int count = Math.min(work.tokens, tokens - from);
            feedForward(l, work.residual(i, tokens), count);
        }
    }

    private void feedForward(int l, DeviceBuffer x, int tokens) {
        ModelWeights.Layer w = weights.layer(l);
        if (w.mixture() != null) {
            device.rmsNorm(x, w.feedForwardNorm(), config.normEps(), tokens, config.hidden(), work.normed);
            device.mixture(work.normed, tokens, w.mixture(), work.mixtureSpace, x);
            return;
        }
        if (w.gateUpBias() == null) {
            device.feedForward(
                    x, w.feedForwardNorm(), config.normEps(), tokens, w.gateUp(), w.down(), work.feedForwardSpace);
            return;
        }
        int inner = config.feedForward();
        device.rmsNorm(x, w.feedForwardNorm(), config.normEps(), tokens, config.hidden(), work.normed);
        device.matmul(work.normed, config.hidden(), 0, tokens, w.gateUp(), w.gateUpBias(), work.gateUp, 0, false);
        device.swiglu(work.gateUp, tokens, inner, work.activated);
        device.matmul(work.activated, inner, 0, tokens, w.down(), w.downBias(), x, 0, true);
    }

    /** The final norm of the first {@code tokens} tokens of the residual stream: H[L], [T, D]. */
    public DeviceBuffer finalNorm(int tokens) {
        device.rmsNorm(work.residual(), weights.finalNorm(), config.normEps(), tokens, config.hidden(), work.states());
        return work.states();
    }

    /** Logits [T, V] of the tokens last normed by {@link #finalNorm}. */
    public DeviceBuffer logits(int tokens) {
        return logits(0, tokens);
    }

    /** Logits [to − from, V] of some of the tokens last normed by {@link #finalNorm}. */
    public DeviceBuffer logits(int from, int to) {
        int tokens = to - from;
        long needed = (long) tokens * config.vocabulary();
        if (logits == null || logits.elements() < needed) {
            releaseLogits();
            logits = device.allocate("logits", needed);
        }
        device.matmul(part(work.states(), from, to), config.hidden(), 0, tokens, weights.head(), logits, 0, false);
        return logits;
    }

    /** Chooses the next token of each text whose last token was last normed by {@link #finalNorm}; see {@link Device#sample}. */
    public void sample(int rows, Sampling sampling, int[] texts, int[] positions, int[] tokens) {
        device.sample(logits(rows), rows, config.vocabulary(), sampling, texts, positions, tokens);
    }

    /** Embeds, runs layers up to H[to] and, for to = L, the final norm; returns the buffer that holds H[to]. */
    public DeviceBuffer run(Batch batch, int to, KvCache own, Hooks hooks, boolean readsOnly) {
        TokenLayout layout = unnormed(batch, to, own, hooks, readsOnly);
        if (to < config.layers()) {
            return work.residual();
        }
        DeviceBuffer last = finalNorm(layout.tokens());
        capture(hooks, residualPoints[config.layers()], last, config.hidden(), layout);
        return last;
    }

    /**
     * As {@link #run}, but without the final norm, and without capturing what is after it.
     *
     * @return the layout of the tokens that the residual stream holds
     */
    public TokenLayout unnormed(Batch batch, int to, KvCache own, Hooks hooks, boolean readsOnly) {
        embed(batch, hooks);
        return layers(batch, 0, to, null, own, hooks, readsOnly);
    }

    /**
     * out[t, n] = H[layer][t, :] · vectors[n, :] for the first {@code tokens} tokens of the residual stream, as it is after that layer; for
     * the last layer with the final norm, whose states are kept nowhere.
     *
     * @param vectors [N, D]
     * @param out receives [T, N], when the result has been awaited
     */
    public PendingRead dot(int layer, DeviceBuffer vectors, int tokens, int count, float[] out) {
        if (layer < config.layers()) {
            return device.dot(work.residual(), vectors, tokens, config.hidden(), count, out);
        }
        return device.normedDot(
                work.residual(),
                weights.finalNorm(),
                config.normEps(),
                work.states(),
                vectors,
                tokens,
                config.hidden(),
                count,
                out);
    }

    private static void capture(Hooks hooks, HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
        if (hooks.capture().wants(point)) {
            hooks.report().captured(point, hooks.capture().take(point, values, width, layout));
        }
    }

    @Override
    public void close() {
        ropes.close();
        work.close();
        releaseLogits();
    }
}
