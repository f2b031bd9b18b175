package dev.belay.device.cuda;

import dev.belay.device.AttentionShape;
import dev.belay.device.Bounds;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceClock;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.HeadTerms;
import dev.belay.device.HostMatrix;
import dev.belay.device.KeyValues;
import dev.belay.device.Mixture;
import dev.belay.device.MixtureSpace;
import dev.belay.device.PendingRead;
import dev.belay.device.QkvPart;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import dev.belay.io.Resources;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * One GPU. All work goes to one stream and runs late; only sampling, and who awaits a read, wait for it. With {@link DType#BF16},
 * weights, inputs of products, keys and values are bfloat16; the residual stream, sums, norms and logits are float32.
 */
public final class CudaDevice implements Device {
    private static final int MIRRORS = 4;
    private static final long LEAST_SCRATCH = 1 << 16;
    private static final String COUNTERS = "counters of attention";

    private final DType dtype;
    private final Resources owned = new Resources();
    private final CudaContext context;
    private final int multiprocessors;
    private final CudaModule module;
    private final CudaPool pool;
    private final CudaQueue queue;
    private final CudaStaging staging;
    private final CudaReadback readback;
    private final CudaUploader uploader;
    private final CudaProducts products;
    private final Map<KernelSignature, CudaKernel> kernels = new HashMap<>();
    private final ExpertLaunches expertLaunches = new ExpertLaunches(this);
    private final AttentionLaunches attentionLaunches;
    private final ScoreLaunches scoreLaunches;
    private final LayoutMirror[] mirrors = new LayoutMirror[MIRRORS];
    private final Map<String, CudaPool.Block> scratch = new HashMap<>();
    private int nextMirror;
    private long allocations;

    private CudaDevice(DType dtype, CudaContext opened) {
        this.dtype = dtype;
        context = owned.own(opened);
        try {
            multiprocessors = context.multiprocessors();
            module = owned.own(context.loadKernels());
            pool = owned.own(new CudaPool(context));
            queue = owned.own(new CudaQueue());
            pool.beforeFreeing(queue::dropGraphs);
            queue.afterLoss(this::forget);
            staging = owned.own(new CudaStaging(pool, queue));
            readback = owned.own(new CudaReadback(queue));
            uploader = owned.own(new CudaUploader(queue));
            attentionLaunches = new AttentionLaunches(this, staging);
            scoreLaunches = new ScoreLaunches(this, staging, readback);
            products = owned.own(CudaProducts.open(context, module));
            for (int i = 0; i < MIRRORS; i++) {
                mirrors[i] = new LayoutMirror(staging);
            }
        } catch (RuntimeException | Error e) {
            owned.close();
            throw e;
        }
    }

    /**
     * Opens a GPU.
     *
     * @param dtype number type of products
     * @param which {@code cuda}, {@code cuda:n} or {@code cuda:UUID}
     * @throws DeviceException if it is not available, with the reason
     */
    public static CudaDevice open(DType dtype, String which) {
        return new CudaDevice(dtype, CudaContext.open(which));
    }

    @Override
    public String description() {
        int capability = context.computeCapability();
        return "cuda (" + context.name() + ", compute capability " + capability / 10 + "." + capability % 10 + ", "
                + products.description() + (dtype == DType.F32 ? ")" : ", bf16 products)");
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public long allocations() {
        return allocations;
    }

    /** Bounds the workspace of decode attention to {@code bytes}, but for one token. */
    void boundPartialSums(long bytes) {
        attentionLaunches.boundPartialSums(bytes);
    }

    /** Multiprocessors of the GPU. */
    int multiprocessors() {
        return multiprocessors;
    }

    /** The stream and what went to it. */
    CudaQueue queue() {
        return queue;
    }

    @Override
    public CudaBuffer allocate(String name, long elements) {
        return allocate(name, elements, DType.F32);
    }

    @Override
    public CudaBuffer allocateRounded(String name, long elements) {
        return allocate(name, elements, dtype);
    }

    private CudaBuffer allocate(String name, long elements, DType type) {
        allocations++;
        return new CudaBuffer(name, elements, type, pool, queue, staging, readback);
    }

    /** What the driver says is free, and what the pool keeps for later. */
    @Override
    public long freeBytes() {
        CudaMemoryInfo memory = CudaMemoryInfo.ofCurrent();
        return memory.problem() == null ? memory.free() + pool.keptBytes() : Long.MAX_VALUE;
    }

    @Override
    public long matrixBytes(long elements) {
        return elements * dtype.bytes();
    }

    @Override
    public CudaMatrix matrix(String name, List<HostMatrix> parts) {
        int columns = parts.getFirst().columns();
        int rows = Bounds.stackedRows(parts);
        allocations++;
        CudaMatrix matrix;
        try {
            matrix = CudaMatrix.allocate(name, rows, columns, dtype, pool);
        } catch (DeviceMemoryException e) {
            throw CudaErrors.noRoomForWeights(name, (long) rows * columns * dtype.bytes(), dtype, e);
        }
        long target = matrix.address();
        for (HostMatrix part : parts) {
            uploader.upload(part.data(), part.type(), target, dtype);
            target += (long) part.rows() * columns * dtype.bytes();
        }
        return matrix;
    }

    /** A kernel, ready for its arguments. */
    CudaKernel kernel(KernelSignature signature) {
        CudaKernel kernel = kernels.get(signature);
        if (kernel == null) {
            kernel = module.kernel(signature);
            kernels.put(signature, kernel);
        }
        return kernel.reset();
    }

    /** The layout's arrays on the device, with room in the staging memory for {@code extra} bytes more of the same generation. */
    LayoutMirror mirror(TokenLayout layout, long extra) {
        LayoutMirror mirror = mirrorFor(layout);
        if (mirror.current(layout)) {
            staging.room(LayoutMirror.tileBytes(layout) + extra);
        }
        // Without room the staging memory has begun again, and the arrays are to be sent again.
        if (!mirror.current(layout)) {
            staging.room(LayoutMirror.bytes(layout) + extra);
        }
        return mirror.of(layout);
    }

    private LayoutMirror mirrorFor(TokenLayout layout) {
        for (LayoutMirror mirror : mirrors) {
            if (mirror.holds(layout)) {
                return mirror;
            }
        }
        LayoutMirror mirror = mirrors[nextMirror];
        nextMirror = (nextMirror + 1) % MIRRORS;
        return mirror;
    }

    /** Memory between operations or within one; its content is good until the next use of the same name. */
    long scratch(String name, long bytes) {
        return scratch(name, bytes, false);
    }

    private long scratch(String name, long bytes, boolean zero) {
        CudaPool.Block block = scratch.get(name);
        if (block == null || block.bytes() < bytes) {
            release(name);
            block = pool.allocate(name, Math.max(bytes, LEAST_SCRATCH));
            allocations++;
            if (zero) {
                zero(block);
            }
            scratch.put(name, block);
        }
        return block.address();
    }

    private void zero(CudaPool.Block block) {
        try {
            queue.zero(block.address(), block.bytes());
        } catch (DeviceException e) {
            block.close();
            throw e;
        }
    }

    private void release(String name) {
        CudaPool.Block block = scratch.remove(name);
        if (block != null) {
            block.close();
        }
    }

    /** Counters that are zero, and that each launch leaves so. */
    long counters(long bytes) {
        return scratch(COUNTERS, bytes, true);
    }

    /** What relies on commands that may not have run: counters on having been zeroed, small arrays on having been copied. */
    private void forget() {
        release(COUNTERS);
        staging.forget();
    }

    @Override
    public void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out) {
        out.check("embed", 0, (long) layout.tokens() * table.columns());
        Bounds.ids(table, layout);
        if (layout.tokens() == 0) {
            return;
        }
        CudaMatrix matrix = CudaMatrix.of(table);
        // Before the kernel's arguments: where staging memory begins anew, what is held back runs, perhaps on the same
        // kernel.
        long ids = mirror(layout, 0).ids();
        CudaKernel kernel = kernel(matrix.type() == DType.F32 ? KernelCatalog.EMBED_F32 : KernelCatalog.EMBED_BF16_F32);
        kernel.pointer(matrix.address())
                .pointer(ids)
                .i32(table.columns())
                .pointer(CudaBuffer.of(out).address());
        queue.launch(kernel, KernelCatalog.embedShape(layout.tokens(), table.columns()));
    }

    @Override
    public void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out) {
        x.check("rmsNorm", 0, (long) tokens * width);
        weight.check("rmsNorm weight", 0, width);
        out.check("rmsNorm", 0, (long) tokens * width);
        if (tokens == 0) {
            return;
        }
        CudaBuffer target = CudaBuffer.of(out);
        CudaKernel kernel =
                kernel(target.type() == DType.F32 ? KernelCatalog.RMSNORM_F32 : KernelCatalog.RMSNORM_F32_BF16);
        kernel.pointer(CudaBuffer.of(x).address())
                .pointer(CudaBuffer.of(weight).address())
                .f32(eps)
                .i32(width)
                .pointer(target.address());
        queue.launch(kernel, KernelCatalog.rmsNormShape(tokens, width));
    }

    @Override
    public void matmul(
            DeviceBuffer a,
            int aStride,
            int aColumn,
            int tokens,
            DeviceMatrix weights,
            DeviceBuffer out,
            long outOffset,
            boolean accumulate) {
        matmul(a, aStride, aColumn, tokens, weights, null, out, outOffset, accumulate);
    }

    /** One launch: the products add the bias. */
    @Override
    public void matmul(
            DeviceBuffer a,
            int aStride,
            int aColumn,
            int tokens,
            DeviceMatrix weights,
            DeviceBuffer bias,
            DeviceBuffer out,
            long outOffset,
            boolean accumulate) {
        if (tokens == 0) {
            return;
        }
        int columns = weights.columns();
        Bounds.product(a, aStride, aColumn, tokens, weights, out, outOffset);
        if (bias != null) {
            bias.check("matmul bias of ", weights, 0, weights.rows());
        }
        CudaBuffer input = CudaBuffer.of(a);
        CudaMatrix matrix = CudaMatrix.of(weights);
        long source = input.address() + (long) aColumn * input.type().bytes();
        int stride = aStride;
        if (input.type() != matrix.type()) {
            source = round(source, aStride, tokens, columns);
            stride = columns;
        }
        long target = CudaBuffer.of(out).address() + outOffset * Float.BYTES;
        CudaProducts.Shape shape = new CudaProducts.Shape(
                tokens, weights.rows(), columns, stride, matrix.stride(), weights.rows(), matrix.type(), accumulate);
        long added = address(bias);
        CudaProducts.Plan plan = products.plan(shape, source, matrix.address(), added, target);
        queue.product(plan, source, matrix.address(), added, target);
    }

    private long round(long source, int stride, int tokens, int columns) {
        long rounded = scratch("rounded inputs", (long) tokens * columns * Short.BYTES);
        CudaKernel kernel = kernel(KernelCatalog.ROUND_F32_BF16);
        kernel.pointer(source).i32(stride).i32(columns).pointer(rounded);
        queue.launch(kernel, KernelCatalog.roundShape(tokens, columns));
        return rounded;
    }

    @Override
    public void rotate(
            QkvPart part,
            DeviceBuffer in,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            DeviceBuffer q,
            KeyValues cache) {
        Bounds.rotate(part, in, layout, shape, terms, rope, q, cache);
        if (layout.tokens() == 0) {
            return;
        }
        LayoutMirror mirror = mirror(layout, 0);
        int heads = part.queries() ? shape.heads() : 0;
        int kvHeads = part.keyValues() ? shape.kvHeads() : 0;
        CudaKernel kernel = kernel(dtype == DType.F32 ? KernelCatalog.QKV_F32 : KernelCatalog.QKV_F32_BF16);
        kernel.pointer(CudaBuffer.of(in).address())
                .i32(part.width(shape))
                .pointer(terms.bias() == null ? 0 : address(terms.bias()) + (long) part.first(shape) * Float.BYTES)
                .pointer(address(terms.queryNorm()))
                .pointer(address(terms.keyNorm()))
                .f32(terms.eps())
                .pointer(shape.rotarySize() == 0 ? 0 : address(rope))
                .pointer(mirror.angles())
                .pointer(part.keyValues() ? mirror.slots() : 0)
                .i32(heads)
                .i32(kvHeads)
                .i32(shape.headSize())
                .i32(shape.rotarySize())
                .pointer(part.queries() ? rounded(q).address() : 0)
                .pointer(part.keyValues() ? rounded(cache.keys()).address() : 0)
                .pointer(part.keyValues() ? rounded(cache.values()).address() : 0);
        queue.launch(kernel, KernelCatalog.qkvShape(layout.tokens(), heads, kvHeads, shape.headSize()));
    }

    /** Where a buffer is; 0 = there is none. */
    private static long address(DeviceBuffer buffer) {
        return buffer == null ? 0 : CudaBuffer.of(buffer).address();
    }

    /** A buffer that must hold numbers of {@link #dtype}. */
    CudaBuffer rounded(DeviceBuffer buffer) {
        CudaBuffer cuda = CudaBuffer.of(buffer);
        if (cuda.type() != dtype) {
            throw new DeviceException("buffer '" + cuda.name() + "' holds "
                    + cuda.type().label() + ", but this operation takes " + dtype.label()
                    + ": allocate it with allocateRounded");
        }
        return cuda;
    }

    @Override
    public void attention(
            DeviceBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            KeyValues prefix,
            KeyValues own,
            int window,
            HeadScaleTable scales,
            DeviceBuffer unscaled,
            DeviceBuffer z) {
        Bounds.attention(q, layout, shape, prefix, own, unscaled, z);
        if (layout.tokens() > 0) {
            attentionLaunches.run(q, layout, shape, prefix, own, window, scales, unscaled, z);
        }
    }

    @Override
    public void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        z.check("scaleHeads", 0, (long) tokens * heads * headSize);
        if (tokens == 0 || table.sets() == 0) {
            return;
        }
        attentionLaunches.scale(CudaBuffer.of(z), table, tokens, heads, headSize);
    }

    @Override
    public void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out) {
        gateUp.check("swiglu", 0, 2L * tokens * width);
        out.check("swiglu", 0, (long) tokens * width);
        if (tokens == 0) {
            return;
        }
        CudaBuffer target = CudaBuffer.of(out);
        CudaKernel kernel =
                kernel(target.type() == DType.F32 ? KernelCatalog.SWIGLU_F32 : KernelCatalog.SWIGLU_F32_BF16);
        kernel.pointer(CudaBuffer.of(gateUp).address()).i32(width).pointer(target.address());
        queue.launch(kernel, KernelCatalog.swigluShape(tokens, width));
    }

    @Override
    public void mixture(DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, DeviceBuffer x) {
        Bounds.mixture(normed, tokens, mixture, space, mixtureRows(tokens, mixture.top()), x);
        if (tokens == 0) {
            return;
        }
        matmul(normed, mixture.hidden(), 0, tokens, mixture.router(), space.logits(), 0, false);
        expertLaunches.run(
                CudaBuffer.of(space.logits()),
                rounded(normed),
                tokens,
                mixture,
                CudaBuffer.of(space.gateUp()),
                rounded(space.activated()),
                CudaBuffer.of(space.outputs()),
                CudaBuffer.of(x));
    }

    /** All experts compute at a time. */
    @Override
    public int mixtureRows(int tokens, int top) {
        return Math.multiplyExact(tokens, top);
    }

    @Override
    public void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out) {
        out.check("gather", 0, (long) count * width);
        boolean adjacent = true;
        for (int i = 0; i < count; i++) {
            in.check("gather", (long) indices[i] * width, width);
            adjacent &= indices[i] == indices[0] + i;
        }
        CudaBuffer source = CudaBuffer.of(in);
        CudaBuffer target = CudaBuffer.of(out);
        if (source.type() != target.type()) {
            throw new DeviceException("gather from buffer '" + source.name() + "' of "
                    + source.type().label() + " to '" + target.name() + "' of "
                    + target.type().label());
        }
        if (count == 0) {
            return;
        }
        long rowBytes = (long) width * source.type().bytes();
        if (adjacent) {
            queue.copy(target.address(), source.address() + indices[0] * rowBytes, count * rowBytes);
            return;
        }
        long rows = staging.ints(indices, count);
        CudaKernel kernel = kernel(source.type() == DType.F32 ? KernelCatalog.GATHER_F32 : KernelCatalog.GATHER_BF16);
        kernel.pointer(source.address()).pointer(rows).i32(width).pointer(target.address());
        queue.launch(kernel, KernelCatalog.gatherShape(count, width));
    }

    @Override
    public void ablationNorms(
            DeviceBuffer z, float[] factors, int[] chosen, int tokens, int heads, int headSize, DeviceBuffer norms) {
        z.check("ablationNorms", 0, (long) tokens * heads * headSize);
        norms.check("ablationNorms", 0, (long) tokens * chosen.length);
        if (tokens == 0 || chosen.length == 0) {
            return;
        }
        staging.room((long) (heads + chosen.length) * Integer.BYTES + 512);
        CudaBuffer source = CudaBuffer.of(z);
        CudaKernel kernel = kernel(
                source.type() == DType.F32 ? KernelCatalog.ABLATION_NORMS_F32 : KernelCatalog.ABLATION_NORMS_BF16);
        kernel.pointer(source.address())
                .pointer(staging.floats(factors, heads))
                .pointer(staging.ints(chosen, chosen.length))
                .i32(chosen.length)
                .i32(heads)
                .i32(headSize)
                .pointer(CudaBuffer.of(norms).address());
        queue.launch(kernel, KernelCatalog.ablationNormsShape(tokens, heads));
    }

    @Override
    public void ablationStart(
            DeviceBuffer x,
            DeviceBuffer attention,
            DeviceBuffer norms,
            int groups,
            int tokens,
            int width,
            DeviceBuffer out,
            long outOffset) {
        x.check("ablationStart", 0, (long) tokens * width);
        attention.check("ablationStart", 0, (long) tokens * width);
        out.check("ablationStart", outOffset, (long) groups * tokens * width);
        if (groups == 0 || tokens == 0) {
            return;
        }
        long factors = 0;
        if (norms != null) {
            norms.check("ablationStart norms", 0, (long) groups * tokens);
            factors = CudaBuffer.of(norms).address();
        }
        CudaKernel kernel = kernel(KernelCatalog.ABLATION_START_F32);
        kernel.pointer(CudaBuffer.of(x).address())
                .pointer(CudaBuffer.of(attention).address())
                .pointer(factors)
                .i32(groups)
                .i32(tokens)
                .i32(width)
                .pointer(CudaBuffer.of(out).address() + outOffset * Float.BYTES);
        queue.launch(kernel, KernelCatalog.ablationStartShape(groups, tokens, width));
    }

    @Override
    public void addBias(DeviceBuffer x, long offset, int tokens, int width, DeviceBuffer bias) {
        x.check("addBias", offset, (long) tokens * width);
        bias.check("addBias", 0, width);
        if (tokens == 0) {
            return;
        }
        CudaKernel kernel = kernel(KernelCatalog.ADD_BIAS_F32);
        kernel.pointer(CudaBuffer.of(x).address() + offset * Float.BYTES)
                .pointer(CudaBuffer.of(bias).address())
                .i32(width);
        queue.launch(kernel, KernelCatalog.addBiasShape(tokens, width));
    }

    @Override
    public void sample(
            DeviceBuffer logits,
            int rows,
            int vocabulary,
            Sampling sampling,
            int[] texts,
            int[] positions,
            int[] tokens) {
        logits.check("sample", 0, (long) rows * vocabulary);
        if (rows == 0) {
            return;
        }
        scoreLaunches.sample(CudaBuffer.of(logits), rows, vocabulary, sampling, texts, positions, tokens);
    }

    @Override
    public PendingRead logitScores(
            DeviceBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out) {
        Bounds.logitScores(logits, rows, vocabulary, first, tokens);
        int count = first[rows];
        if (count == 0) {
            return PendingRead.DONE;
        }
        return scoreLaunches.logitScores(CudaBuffer.of(logits), rows, vocabulary, first, tokens, out);
    }

    @Override
    public void sequence(Runnable operations) {
        staging.restart();
        queue.begin();
        try {
            operations.run();
        } catch (RuntimeException | Error e) {
            try {
                // What was held back is still due: later operations rely on it.
                queue.end();
            } catch (RuntimeException also) {
                e.addSuppressed(also);
            }
            throw e;
        }
        queue.end();
    }

    @Override
    public PendingRead headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out) {
        z.check("headDots", 0, (long) tokens * heads * headSize);
        u.check("headDots directions", 0, (long) heads * headSize);
        if (tokens == 0) {
            return PendingRead.DONE;
        }
        return scoreLaunches.headDots(CudaBuffer.of(z), CudaBuffer.of(u), tokens, heads, headSize, out);
    }

    @Override
    public PendingRead dot(DeviceBuffer x, DeviceBuffer vectors, int tokens, int width, int count, float[] out) {
        return probe(x, 0, 0, vectors, tokens, width, count, out);
    }

    /** One kernel, which stores no states: {@code normed} stays as it is. */
    @Override
    public PendingRead normedDot(
            DeviceBuffer x,
            DeviceBuffer norm,
            float eps,
            DeviceBuffer normed,
            DeviceBuffer vectors,
            int tokens,
            int width,
            int count,
            float[] out) {
        norm.check("dot norm", 0, width);
        return probe(x, CudaBuffer.of(norm).address(), eps, vectors, tokens, width, count, out);
    }

    private PendingRead probe(
            DeviceBuffer x, long norm, float eps, DeviceBuffer vectors, int tokens, int width, int count, float[] out) {
        x.check("dot", 0, (long) tokens * width);
        vectors.check("dot vectors", 0, (long) count * width);
        if (tokens == 0) {
            return PendingRead.DONE;
        }
        return scoreLaunches.dots(CudaBuffer.of(x), norm, eps, CudaBuffer.of(vectors), tokens, width, count, out);
    }

    @Override
    public DeviceClock clock() {
        return owned.own(new CudaClock(queue));
    }

    @Override
    public void close() {
        queue.drain();
        scratch.values().forEach(CudaPool.Block::close);
        scratch.clear();
        owned.close();
    }
}
