package dev.belay.device;

import java.util.List;

/**
 * One compute device: its memory and the operations of a transformer, in float32 with products in {@link #dtype()}. Operations may
 * run late; {@link DeviceBuffer#read} waits for them. A device is used by one thread at a time.
 *
 * <p>Letters: T tokens, D hidden size, H heads, KV key/value heads, HD head size, F feed-forward size, V vocabulary.
 */
public interface Device extends AutoCloseable {
    /** What this device is, in words: processor, threads, instruction set, library versions. */
    String description();

    /** All that the bits of results depend on, in words: two devices of the same arithmetic give the same ones. */
    default String arithmetic() {
        return description();
    }

    /** Number type of matrix products. */
    DType dtype();

    /** Allocates {@code elements} float32, undefined content; {@code name} says what for. */
    DeviceBuffer allocate(String name, long elements);

    /**
     * Allocates {@code elements} numbers that only products read: float32, or rounded to {@link #dtype()} where the
     * device multiplies that.
     */
    default DeviceBuffer allocateRounded(String name, long elements) {
        return allocate(name, elements);
    }

    /** Allocates {@code elements} numbers that only attention reads, as queries: float32, or rounded where attention multiplies that. */
    default DeviceBuffer allocateQueries(String name, long elements) {
        return allocateRounded(name, elements);
    }

    /**
     * Allocates the keys and values of {@code slots} tokens of {@code width} = KV·HD numbers each, in the layout that the device's
     * attention likes; only {@link #rotate} and {@link #attention} know it.
     *
     * @param rounded whether they are better rounded to {@link #dtype()} where that makes them faster to read, as for a cache that every
     *     step of a generation reads as a whole; a device whose attention multiplies rounded numbers rounds them all
     */
    default KeyValues keyValues(String name, int slots, int width, boolean rounded) {
        long elements = (long) slots * width;
        DeviceBuffer keys = allocateRounded(name + ": keys", elements);
        try {
            return new KeyValues(keys, allocateRounded(name + ": values", elements));
        } catch (RuntimeException | Error e) {
            keys.close();
            throw e;
        }
    }

    /** Number of buffers and matrices allocated since the device was opened; constant while a decode loop runs. */
    long allocations();

    /**
     * Stacks {@code parts} (same number of columns) by rows into one weight matrix on the device, converting to {@link #dtype()}. Their
     * memory must stay readable until the matrix is closed: a device may copy it later, or never.
     */
    DeviceMatrix matrix(String name, List<HostMatrix> parts);

    /** Bytes that may still be allocated, measured now; {@link Long#MAX_VALUE} where nothing tells. */
    default long freeBytes() {
        return Long.MAX_VALUE;
    }

    /** Bytes that a weight matrix of this many elements takes on this device. */
    long matrixBytes(long elements);

    /** out[T, D] = table[id(t), :]. */
    void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out);

    /** out[T, D] = x / √(mean(x²) + eps) · weight; {@code out} may be rounded. */
    void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out);

    /**
     * out[t, 0..rows) = (or, with {@code accumulate}, +=) weights · a[t, aColumn .. aColumn + columns).
     *
     * @param a inputs [T, aStride]; rounded to {@link #dtype()} first where they are not yet
     * @param out outputs [T, rows] from element {@code outOffset}
     */
    void matmul(
            DeviceBuffer a,
            int aStride,
            int aColumn,
            int tokens,
            DeviceMatrix weights,
            DeviceBuffer out,
            long outOffset,
            boolean accumulate);

    /**
     * {@link #matmul(DeviceBuffer, int, int, int, DeviceMatrix, DeviceBuffer, long, boolean)} and {@link #addBias}.
     *
     * @param bias one number for each row of the weights; null = none
     */
    default void matmul(
            DeviceBuffer a,
            int aStride,
            int aColumn,
            int tokens,
            DeviceMatrix weights,
            DeviceBuffer bias,
            DeviceBuffer out,
            long outOffset,
            boolean accumulate) {
        matmul(a, aStride, aColumn, tokens, weights, out, outOffset, accumulate);
        if (bias != null) {
            addBias(out, outOffset, tokens, weights.rows(), bias);
        }
    }

    /**
     * What follows the product with the stacked query, key and value weights: {@code part} says which of them a row of {@code in}
     * holds, side by side in this order. The bias is added, heads are normed, and the first {@code rotarySize} dimensions of every head
     * of queries and keys are rotated by the token's angles. Queries go to q[T, H·HD], keys and values to the token's slot of the cache.
     *
     * @param rope cosines and sines, a row of {@code rotarySize} for each {@link TokenLayout#angles}; null where nothing is rotated
     * @param q null if the part has no queries
     * @param cache null if the part has no keys and values
     */
    void rotate(
            QkvPart part,
            DeviceBuffer in,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            DeviceBuffer q,
            KeyValues cache);

    /**
     * z[T, H·HD]: causal attention of each token over its row's prefix and own keys, grouped queries.
     *
     * @param q rotated queries [T, H·HD]
     * @param prefix cache of the shared prefixes; may be {@code own} where no row has one
     * @param window number of last keys that a token sees, itself included; 0 = all
     * @param scales factors for the head outputs, as {@link #scaleHeads} applies them; null = none
     * @param unscaled receives z as it is before these factors, [T, H·HD]; null = nobody asks
     */
    void attention(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            HeadScaleTable scales,
            DeviceBuffer unscaled,
            DeviceBuffer z);

    /** z[t, h, :] *= γ of the token's set; where asked, the token's whole z is rescaled to its norm before. */
    void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize);

    /** out[T, F] = silu(gateUp[:, 0..F)) · gateUp[:, F..2F). */
    void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out);

    /** Whether {@link #project} and {@link #feedForward} of as many tokens are one operation here, not the steps they stand for. */
    default boolean fuses(int tokens) {
        return false;
    }

    /**
     * Queries, keys and values of normed tokens: {@link #rmsNorm}, {@link #matmul} and {@link #rotate}.
     *
     * @param x residual stream [T, D]
     * @param norm weight of the norm [D]
     * @param qkv stacked query, key and value weights [H·HD + 2·KV·HD, D]
     */
    default void project(
            DeviceBuffer x,
            DeviceBuffer norm,
            float eps,
            DeviceMatrix qkv,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            ProjectionSpace space,
            DeviceBuffer q,
            KeyValues cache) {
        int tokens = layout.tokens();
        rmsNorm(x, norm, eps, tokens, qkv.columns(), space.normed());
        matmul(space.normed(), qkv.columns(), 0, tokens, qkv, space.qkv(), 0, false);
        rotate(QkvPart.ALL, space.qkv(), layout, shape, terms, rope, q, cache);
    }

    /**
     * x[t, :] += down · (silu(gate) ∘ up) of the normed token, for T tokens: {@link #rmsNorm}, {@link #matmul}, {@link #swiglu} and
     * {@link #matmul}.
     *
     * @param x residual stream [T, D]
     * @param norm weight of the norm [D]
     * @param gateUp stacked gate and up weights [2F, D]
     * @param down [D, F]
     */
    default void feedForward(
            DeviceBuffer x,
            DeviceBuffer norm,
            float eps,
            int tokens,
            DeviceMatrix gateUp,
            DeviceMatrix down,
            FeedForwardSpace space) {
        rmsNorm(x, norm, eps, tokens, gateUp.columns(), space.normed());
        matmul(space.normed(), gateUp.columns(), 0, tokens, gateUp, space.gateUp(), 0, false);
        swiglu(space.gateUp(), tokens, down.columns(), space.activated());
        matmul(space.activated(), down.columns(), 0, tokens, down, x, 0, true);
    }

    /**
     * x[t, :] += Σ share · down · (silu(gate) ∘ up) of the normed token over the k experts with the largest logits, of equal ones the
     * first, in order of their number. Logits are products of the router and the normed token; an expert's share is its softmax, divided
     * by the sum of the chosen where {@link Mixture#normalized}.
     *
     * @param normed [T, D], from {@link #allocateRounded}
     * @param x residual stream [T, D]
     */
    void mixture(DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, DeviceBuffer x);

    /** Rows of a {@link MixtureSpace} for as many tokens, each computed by {@code top} experts; here one expert computes at a time. */
    default int mixtureRows(int tokens, int top) {
        return tokens;
    }

    /** x[t, :] += bias for T rows of x from element {@code offset} on. */
    void addBias(DeviceBuffer x, long offset, int tokens, int width, DeviceBuffer bias);

    /** out[i, :] = in[indices[i], :] for {@code count} rows of {@code width}; both buffers hold the same type of number. */
    void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out);

    /**
     * What keeps the norm of a token's head outputs when one head more is ablated: norms[t, g] = ‖z[t]‖ / ‖z[t] ∘ γ without head
     * chosen[g]‖, or 1 where nothing is left.
     *
     * @param z head outputs [T, H, HD], before any scaling
     * @param factors γ of each of the {@code heads} heads
     * @param chosen G heads
     * @param norms receives [T, G]
     */
    void ablationNorms(
            DeviceBuffer z, float[] factors, int[] chosen, int tokens, int heads, int headSize, DeviceBuffer norms);

    /**
     * The start of an ablation sweep: out[g·T + t, :] = x[t, :] + s·(attention[t, :] − out[g·T + t, :]) where out, from element
     * {@code outOffset} on, holds the part of group g that is taken away, and s is norms[t, g], or 1 where {@code norms} is null.
     *
     * @param norms [T, G], of {@link #ablationNorms}
     */
    void ablationStart(
            DeviceBuffer x,
            DeviceBuffer attention,
            DeviceBuffer norms,
            int groups,
            int tokens,
            int width,
            DeviceBuffer out,
            long outOffset);

    /**
     * The next token of each of {@code rows} texts, or -1 where a logit is not a number or, with a temperature, the largest is
     * infinite; the choice is that of {@link Sampling}.
     *
     * @param logits [rows, vocabulary]
     * @param texts each text's number in its run
     * @param positions the position that each token will have
     * @param tokens receives the tokens
     */
    void sample(
            DeviceBuffer logits,
            int rows,
            int vocabulary,
            Sampling sampling,
            int[] texts,
            int[] positions,
            int[] tokens);

    /**
     * The log-likelihoods of given tokens: out[n] = logits[r, tokens[n]] − log Σ exp(logits[r, :]) for first[r] ≤ n &lt; first[r + 1];
     * not a number where the logits of the row overflow.
     *
     * @param logits [rows, vocabulary]
     * @param first which tokens are a row's, [rows + 1], from 0 on and rising
     * @param out receives as many numbers as there are tokens, when the result has been awaited
     */
    PendingRead logitScores(DeviceBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out);

    /**
     * Runs operations that are likely to be run again with the same shapes and buffers, a decode step for example. A device may hold
     * them back until tokens are sampled or the sequence ends, and start them as one. Numbers that go to an array are read behind the
     * sequence: a device may refuse an operation in it that returns a {@link PendingRead}, or reads a buffer, with an
     * {@link IllegalStateException}.
     */
    default void sequence(Runnable operations) {
        operations.run();
    }

    /** out[t, h] = z[t, h, :] · u[h, :] for T rows of H heads, accumulated in float64; it is there when the result has been awaited. */
    PendingRead headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out);

    /**
     * out[t, n] = x[t, :] · vectors[n, :] for T rows and {@code count} vectors, accumulated in float64; it is there when the result has
     * been awaited.
     */
    PendingRead dot(DeviceBuffer x, DeviceBuffer vectors, int tokens, int width, int count, float[] out);

    /**
     * out[t, n] = y[t, :] · vectors[n, :] of the RMS norm y of x: {@link #rmsNorm} and {@link #dot}.
     *
     * @param x residual stream [T, D]
     * @param norm weight of the norm [D]
     * @param normed room for y [T, D], which holds it afterwards or not
     * @param vectors [N, D]
     * @param out receives [T, N], when the result has been awaited
     */
    default PendingRead normedDot(
            DeviceBuffer x,
            DeviceBuffer norm,
            float eps,
            DeviceBuffer normed,
            DeviceBuffer vectors,
            int tokens,
            int width,
            int count,
            float[] out) {
        rmsNorm(x, norm, eps, tokens, width, normed);
        return dot(normed, vectors, tokens, width, count, out);
    }

    /** A clock for this device's operations. This one is for devices whose operations have ended when their call returns. */
    default DeviceClock clock() {
        return new HostClock();
    }

    @Override
    void close();
}
