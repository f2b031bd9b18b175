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

    /** Number type of matrix products. */
    DType dtype();

    /** Allocates {@code elements} float32, undefined content; {@code name} says what for. */
    DeviceBuffer allocate(String name, long elements);

    /** Number of buffers and matrices allocated since the device was opened; constant while a decode loop runs. */
    long allocations();

    /** Stacks {@code parts} (same number of columns) by rows into one weight matrix on the device, converting to {@link #dtype()}. */
    DeviceMatrix matrix(String name, List<HostMatrix> parts);

    /** Bytes that a weight matrix of this many elements takes on this device. */
    long matrixBytes(long elements);

    /** out[T, D] = table[id(t), :]. */
    void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out);

    /** out[T, D] = x / √(mean(x²) + eps) · weight. */
    void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out);

    /**
     * out[t, 0..rows) = (or, with {@code accumulate}, +=) weights · a[t, aColumn .. aColumn + columns).
     *
     * @param a inputs [T, aStride]
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

    /** Rotates the first {@code rotarySize} dimensions of every head of q[T, H·HD] by the angles of each token's position. */
    void rotateQueries(DeviceBuffer q, TokenLayout layout, AttentionShape shape, DeviceBuffer rope);

    /** Rotates the keys of kv[T, 2·KV·HD] (keys, then values) likewise and stores both in the token's slot of the cache. */
    void storeKeyValues(DeviceBuffer kv, TokenLayout layout, AttentionShape shape, DeviceBuffer rope, KeyValues cache);

    /**
     * z[T, H·HD]: causal attention of each token over its row's prefix and own keys, grouped queries.
     *
     * @param q rotated queries [T, H·HD]
     * @param prefix cache of the shared prefixes; may be {@code own} where no row has one
     * @param window number of last keys that a token sees, itself included; 0 = all
     */
    void attention(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            DeviceBuffer z);

    /** z[t, h, :] *= γ of the token's set; where asked, the token's whole z is rescaled to its norm before. */
    void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize);

    /** out[T, F] = silu(gateUp[:, 0..F)) · gateUp[:, F..2F). */
    void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out);

    /** out[i, :] = in[indices[i], :] for {@code count} rows of {@code width}. */
    void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out);

    /**
     * The start of an ablation sweep: out[g·T + t, :] = x[t, :] + s·(attention[t, :] − out[g·T + t, :]) where out holds the part of
     * group g that is taken away, and s is {@code norms[g·T + t]}, or 1 where {@code norms} is null.
     */
    void ablationStart(
            DeviceBuffer x, DeviceBuffer attention, float[] norms, int groups, int tokens, int width, DeviceBuffer out);

    /** out[t] = x[t, :] · vector for T rows, accumulated in float64. */
    void dot(DeviceBuffer x, DeviceBuffer vector, int tokens, int width, float[] out);

    /** A clock for this device's operations. This one is for devices whose operations have ended when their call returns. */
    default DeviceClock clock() {
        return new HostClock();
    }

    @Override
    void close();
}
