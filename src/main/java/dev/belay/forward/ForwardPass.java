package dev.belay.forward;

import dev.belay.BelayException;
import dev.belay.device.AttentionShape;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.KeyValues;
import dev.belay.device.ProjectionSpace;
import dev.belay.device.QkvPart;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import dev.belay.hooks.HookPoint;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.model.ModelWeights;
import java.util.stream.IntStream;

/**
 * The forward pass of a decoder-only transformer over ragged batches, layer by layer, with hooks.
 *
 * <p>H[0] is the embeddings, H[i] the residual stream after layer i-1 (counted from 0), H[L] the final norm of the last. Letters:
 * T tokens, D hidden size, H heads, KV key/value heads, HD head size, F feed-forward size, V vocabulary. All state lives in one
 * workspace that is sized once; no step allocates on the device.
 */
public final class ForwardPass implements AutoCloseable {
    private final Model model;
    private final ModelConfig config;
    private final ModelWeights weights;
    private final Device device;
    private final AttentionShape[] attention;
    private final RopeTables ropes;
    private final ExpertRouter router;
    private Workspace work;
    private final HeadScaleTable scaleTable = new HeadScaleTable();
    private final TokenLayout readLayout = new TokenLayout();
    private final HookPoint[] residualPoints;
    private final HookPoint[] headPoints;
    private int[] identity = new int[0];
    private DeviceBuffer logits;

    /**
     * Prepares passes of at most {@code maxTokens} tokens a batch.
     *
     * @param model opened model; stays the caller's
     */
    public ForwardPass(Model model, int maxTokens) {
        this(model, maxTokens, maxTokens);
    }

    /**
     * Prepares passes of at most {@code maxTokens} tokens a batch, or half as many, and so on, where the device has no room for more.
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
        router = new ExpertRouter(device, config.experts());
        try {
            work = workspace(maxTokens, least);
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

    /** Most tokens that a batch may have. */
    public int maxTokens() {
        return work.tokens;
    }

    /**
     * Halves the most tokens that a batch may have, because the device has no room for more.
     *
     * @param least tokens that a batch must be able to have
     * @throws DeviceMemoryException if there is no room for those
     */
    public void shrink(int least, DeviceMemoryException cause) {
        int tokens = half(work.tokens, least, cause);
        releaseLogits();
        work.close();
        work = workspace(tokens, least);
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

    private static int half(int tokens, int least, DeviceMemoryException cause) {
        if (tokens / 2 < least) {
            throw new DeviceMemoryException(
                    cause.getMessage() + " (a batch of " + tokens + " tokens was too much, and the longest text has "
                            + least + ")",
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
        return work.residual;
    }

    /** Looks up the embeddings of the batch: the residual stream is H[0] then. */
    public void embed(Batch batch, Hooks hooks) {
        TokenLayout layout = batch.layout();
        checkSize(layout);
        device.embed(weights.embedding(), layout, work.residual);
        capture(hooks, residualPoints[0], work.residual, config.hidden(), layout);
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
        checkSize(layout);
        if (from == to && readsOnly) {
            return narrow(batch);
        }
        for (int l = from; l < to; l++) {
            layout = attentionBlock(batch, l, prefix, own, hooks, readsOnly && l == to - 1);
            feedForwardBlock(l, layout.tokens());
            if (l + 1 < config.layers()) {
                capture(hooks, residualPoints[l + 1], work.residual, config.hidden(), layout);
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
        boolean narrow = readsOnly && batch.readCount() < batch.tokens();
        DeviceBuffer angles = ropes.of(l, batch.layout());
        AttentionShape shape = attention[l];
        ModelWeights.Layer w = weights.layer(l);
        TokenLayout layout = batch.layout();
        DeviceBuffer x = work.residual;
        float eps = config.normEps();
        if (narrow) {
            device.rmsNorm(x, w.attentionNorm(), eps, layout.tokens(), config.hidden(), work.normed);
            project(QkvPart.KEYS_VALUES, l, work.normed, layout, angles, own.layer(l));
            layout = narrow(batch);
            project(QkvPart.QUERIES, l, work.normedRead, layout, angles, own.layer(l));
        } else {
            ProjectionSpace space = work.projectionSpace;
            DeviceBuffer norm = w.attentionNorm();
            device.project(x, norm, eps, w.qkv(), layout, shape, w.heads(), angles, space, work.queries, own.layer(l));
        }
        int tokens = layout.tokens();
        boolean scaled = hooks.scales().fill(scaleTable, l, layout, batch.spans(), hooks.report());
        // What is captured are the head outputs as they were before any scaling.
        boolean captured = hooks.capture().wants(headPoints[l]);
        KeyValues shared = (prefix == null ? own : prefix).layer(l);
        HeadScaleTable scales = scaled && !captured ? scaleTable : null;
        int window = config.kinds().get(l).window();
        device.attention(work.queries, layout, shape, shared, own.layer(l), window, scales, work.headOutputs);
        if (captured) {
            capture(hooks, headPoints[l], work.headOutputs, shape.queryWidth(), layout);
            if (scaled) {
                device.scaleHeads(work.headOutputs, scaleTable, tokens, config.heads(), config.headSize());
            }
        }
        device.matmul(work.headOutputs, shape.queryWidth(), 0, tokens, w.output(), work.residual, 0, true);
        addBias(work.residual, tokens, config.hidden(), w.outputBias());
        return layout;
    }

    /** Queries, or keys and values, of the tokens in {@code normed}, rotated and where attention reads them. */
    private void project(
            QkvPart part, int l, DeviceBuffer normed, TokenLayout layout, DeviceBuffer angles, KeyValues own) {
        ModelWeights.Layer w = weights.layer(l);
        DeviceMatrix matrix = part.queries() ? w.query() : w.keyValue();
        device.matmul(normed, config.hidden(), 0, layout.tokens(), matrix, work.qkv, 0, false);
        device.rotate(part, work.qkv, layout, attention[l], w.heads(), angles, work.queries, own);
    }

    private void addBias(DeviceBuffer x, int tokens, int width, DeviceBuffer bias) {
        if (bias != null) {
            device.addBias(x, 0, tokens, width, bias);
        }
    }

    /** Keeps only the tokens read: gathers their residual stream and normed input to the front. */
    private TokenLayout narrow(Batch batch) {
        int[] reads = batch.reads();
        int count = batch.readCount();
        device.gather(work.normed, reads, count, config.hidden(), work.normedRead);
        device.gather(work.residual, reads, count, config.hidden(), work.residualRead);
        batch.layout().select(reads, count, readLayout);
        copy(work.residualRead, count, work.residual);
        return readLayout;
    }

    private void copy(DeviceBuffer from, int tokens, DeviceBuffer to) {
        device.gather(from, identity(tokens), tokens, config.hidden(), to);
    }

    private int[] identity(int n) {
        if (identity.length < n) {
            identity = IntStream.range(0, Math.max(n, 2 * identity.length)).toArray();
        }
        return identity;
    }

    /** x += W_down · (silu(W_gate · norm(x)) ∘ W_up · norm(x)), or the layer's mixture of such experts, for the first {@code tokens} tokens of the residual stream. */
    public void feedForwardBlock(int l, int tokens) {
        ModelWeights.Layer w = weights.layer(l);
        DeviceBuffer x = work.residual;
        if (w.mixture() != null) {
            device.rmsNorm(x, w.feedForwardNorm(), config.normEps(), tokens, config.hidden(), work.normed);
            router.run(w.mixture(), work, tokens);
            return;
        }
        if (w.gateUpBias() == null) {
            device.feedForward(
                    x, w.feedForwardNorm(), config.normEps(), tokens, w.gateUp(), w.down(), work.feedForwardSpace);
            return;
        }
        int inner = config.feedForward();
        device.rmsNorm(x, w.feedForwardNorm(), config.normEps(), tokens, config.hidden(), work.normed);
        device.matmul(work.normed, config.hidden(), 0, tokens, w.gateUp(), work.gateUp, 0, false);
        addBias(work.gateUp, tokens, 2 * inner, w.gateUpBias());
        device.swiglu(work.gateUp, tokens, inner, work.activated);
        device.matmul(work.activated, inner, 0, tokens, w.down(), x, 0, true);
        addBias(x, tokens, config.hidden(), w.downBias());
    }

    /** The final norm of the first {@code tokens} tokens of the residual stream: H[L], [T, D]. */
    public DeviceBuffer finalNorm(int tokens) {
        device.rmsNorm(work.residual, weights.finalNorm(), config.normEps(), tokens, config.hidden(), work.states);
        return work.states;
    }

    /** Logits [T, V] of the tokens last normed by {@link #finalNorm}. */
    public DeviceBuffer logits(int tokens) {
        long needed = (long) tokens * config.vocabulary();
        if (logits == null || logits.elements() < needed) {
            releaseLogits();
            logits = device.allocate("logits", needed);
        }
        device.matmul(work.states, config.hidden(), 0, tokens, weights.head(), logits, 0, false);
        return logits;
    }

    /** Chooses the next token of each text whose last token was last normed by {@link #finalNorm}; see {@link Device#sample}. */
    public void sample(int rows, Sampling sampling, int[] texts, int[] positions, int[] tokens) {
        device.sample(logits(rows), rows, config.vocabulary(), sampling, texts, positions, tokens);
    }

    /** Embeds, runs layers up to H[to] and, for to = L, the final norm; returns the buffer that holds H[to]. */
    public DeviceBuffer run(Batch batch, int to, KvCache own, Hooks hooks, boolean readsOnly) {
        embed(batch, hooks);
        TokenLayout layout = layers(batch, 0, to, null, own, hooks, readsOnly);
        if (to < config.layers()) {
            return work.residual;
        }
        DeviceBuffer last = finalNorm(layout.tokens());
        capture(hooks, residualPoints[config.layers()], last, config.hidden(), layout);
        return last;
    }

    private static void capture(Hooks hooks, HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
        if (hooks.capture().wants(point)) {
            hooks.report().captured(point, hooks.capture().take(point, values, width, layout));
        }
    }

    private void checkSize(TokenLayout layout) {
        if (layout.tokens() > work.tokens) {
            throw new BelayException(
                    "a batch of " + layout.tokens() + " tokens does not fit into --batch-tokens " + work.tokens);
        }
    }

    @Override
    public void close() {
        ropes.close();
        work.close();
        releaseLogits();
    }
}
