package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.KeyValues;
import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;

/** The kernels of attention, which scale head outputs in their epilogue, and the one that scales those from elsewhere. */
final class AttentionLaunches {
    private final CudaDevice device;
    private final CudaStaging staging;
    /** Most bytes of partial sums of one launch of decode attention, or one token's. */
    private long mostPartialSums = 256L << 20;

    AttentionLaunches(CudaDevice device, CudaStaging staging) {
        this.device = device;
        this.staging = staging;
    }

    /** Bounds the workspace of decode attention to {@code bytes}, but for one token. */
    void boundPartialSums(long bytes) {
        mostPartialSums = bytes;
    }

    /** As {@link dev.belay.device.Device#attention}, of at least one token. */
    void run(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            HeadScaleTable scales,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        int tokens = layout.tokens();
        long extra = scales == null ? 0 : tableBytes(scales, tokens, shape.heads());
        LayoutMirror mirror = device.mirror(layout, extra);
        Scales sent = scales == null ? Scales.NONE : send(scales, tokens, shape.heads());
        if (layout.rows() == tokens) {
            decode(q, mirror, tokens, shape, prefix, own, window, sent, unscaled, z);
        } else {
            prefill(q, mirror, shape, prefix, own, window, sent, unscaled, z);
        }
    }

    /** Every row has one token. Many are computed some at a time, to bound the workspace; that changes no bit. */
    private void decode(
            DeviceBuffer q,
            LayoutMirror mirror,
            int tokens,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            Scales scales,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        int keys = mirror.keysBound();
        long perToken = KernelCatalog.decodeWorkspaceBytes(1, shape.heads(), shape.headSize(), keys);
        int step = Math.clamp(mostPartialSums / perToken, 1, tokens);
        long workspace = device.scratch("partial sums of attention", step * perToken);
        long counterBytes = KernelCatalog.decodeCounters(step, shape.kvHeads()) * (long) Integer.BYTES;
        long counters = device.counters(counterBytes);
        long rowBytes = (long) shape.queryWidth() * device.dtype().bytes();
        for (int first = 0; first < tokens; first += step) {
            int count = Math.min(step, tokens - first);
            long skipped = (long) first * Integer.BYTES;
            CudaKernel kernel = device.kernel(
                    device.dtype() == DType.F32
                            ? KernelCatalog.ATTENTION_DECODE_F32
                            : KernelCatalog.ATTENTION_DECODE_BF16);
            kernel.pointer(device.rounded(q).address() + first * rowBytes);
            keys(kernel, prefix, own, mirror, mirror.rowOfToken() + skipped, mirror.positions() + skipped)
                    .i32(shape.heads())
                    .i32(shape.kvHeads())
                    .i32(shape.headSize())
                    .i32(window)
                    .f32(shape.scale())
                    .pointer(scales.sets() == 0 ? 0 : scales.sets() + skipped)
                    .pointer(scales.factors())
                    .pointer(scales.renormalize())
                    .pointer(workspace)
                    .pointer(counters)
                    .pointer(unscaled == null ? 0 : device.rounded(unscaled).address() + first * rowBytes)
                    .pointer(device.rounded(z).address() + first * rowBytes);
            device.queue().launch(kernel, KernelCatalog.decodeShape(count, shape.kvHeads(), keys));
        }
    }

    private void prefill(
            DeviceBuffer q,
            LayoutMirror mirror,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            Scales scales,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        boolean tensorCores = device.dtype() == DType.BF16 && KernelCatalog.hasAttentionOf(shape.headSize());
        CudaKernel kernel = device.kernel(
                tensorCores
                        ? KernelCatalog.attentionOf(shape.headSize())
                        : device.dtype() == DType.F32
                                ? KernelCatalog.ATTENTION_ANY_F32
                                : KernelCatalog.ATTENTION_ANY_BF16);
        long tiles = mirror.tiles(window);
        long counters = scales.renormalize() == 0 ? 0 : device.counters(mirror.tileCount() * (long) Integer.BYTES);
        kernel.pointer(device.rounded(q).address());
        keys(kernel, prefix, own, mirror, mirror.rowStart(), mirror.positions())
                .pointer(tiles)
                .i32(shape.heads())
                .i32(shape.kvHeads());
        if (!tensorCores) {
            kernel.i32(shape.headSize());
        }
        kernel.i32(window)
                .f32(shape.scale())
                .pointer(scales.sets())
                .pointer(scales.factors())
                .pointer(scales.renormalize())
                .pointer(counters)
                .pointer(unscaled == null ? 0 : device.rounded(unscaled).address())
                .pointer(device.rounded(z).address());
        device.queue().launch(kernel, KernelCatalog.attentionShape(mirror.tileCount(), shape.heads()));
    }

    /** The arguments that say which keys and values a token sees; {@code rows} and {@code positions} are addresses. */
    private CudaKernel keys(
            CudaKernel kernel, KeyValues prefix, KeyValues own, LayoutMirror mirror, long rows, long positions) {
        return kernel.pointer(device.rounded(prefix.keys()).address())
                .pointer(device.rounded(prefix.values()).address())
                .pointer(device.rounded(own.keys()).address())
                .pointer(device.rounded(own.values()).address())
                .pointer(rows)
                .pointer(positions)
                .pointer(mirror.prefixStart())
                .pointer(mirror.prefixLength())
                .pointer(mirror.ownStart());
    }

    /** The arrays of a {@link HeadScaleTable} on the device; 0 = there is none. */
    private record Scales(long sets, long factors, long renormalize) {
        static final Scales NONE = new Scales(0, 0, 0);
    }

    private Scales send(HeadScaleTable table, int tokens, int heads) {
        return new Scales(setsOf(table, tokens), factorsOf(table, heads), renormalizeOf(table));
    }

    private static long tableBytes(HeadScaleTable table, int tokens, int heads) {
        return (tokens + (heads + 1L) * table.sets() + 64) * Integer.BYTES;
    }

    /** The set of each token, on the device. */
    private long setsOf(HeadScaleTable table, int tokens) {
        long bytes = (long) tokens * Integer.BYTES;
        long place = staging.reserve(bytes);
        MemorySegment host = staging.host(place, bytes);
        for (int t = 0; t < tokens; t++) {
            host.setAtIndex(JAVA_INT, t, table.setOf(t));
        }
        return staging.send(place, bytes);
    }

    /** The factors of all sets, [sets, H], on the device. */
    private long factorsOf(HeadScaleTable table, int heads) {
        long bytes = Math.max(1L, table.sets()) * heads * Float.BYTES;
        long place = staging.reserve(bytes);
        MemorySegment host = staging.host(place, bytes);
        for (int s = 0; s < table.sets(); s++) {
            for (int h = 0; h < heads; h++) {
                host.setAtIndex(JAVA_FLOAT, (long) s * heads + h, table.factor(s, h));
            }
        }
        return staging.send(place, bytes);
    }

    /** Which sets keep norms, on the device; 0 where none does. */
    private long renormalizeOf(HeadScaleTable table) {
        int[] renormalize = new int[table.sets()];
        boolean any = false;
        for (int s = 0; s < renormalize.length; s++) {
            renormalize[s] = table.renormalize(s) ? 1 : 0;
            any |= table.renormalize(s);
        }
        return any ? staging.ints(renormalize, renormalize.length) : 0;
    }

    /** As {@link dev.belay.device.Device#scaleHeads}, of at least one token and one set. */
    void scale(CudaBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        staging.room(tableBytes(table, tokens, heads));
        Scales scales = send(table, tokens, heads);
        CudaKernel kernel =
                device.kernel(z.type() == DType.F32 ? KernelCatalog.SCALE_HEADS_F32 : KernelCatalog.SCALE_HEADS_BF16);
        kernel.pointer(z.address())
                .pointer(scales.sets())
                .pointer(scales.factors())
                .pointer(scales.renormalize())
                .i32(heads)
                .i32(headSize);
        device.queue().launch(kernel, KernelCatalog.scaleHeadsShape(tokens, heads, headSize));
    }
}
