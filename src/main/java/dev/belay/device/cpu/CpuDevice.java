package dev.belay.device.cpu;

import dev.belay.device.AttentionShape;
import dev.belay.device.Bounds;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.FeedForwardSpace;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.HeadTerms;
import dev.belay.device.HostMatrix;
import dev.belay.device.KeyValues;
import dev.belay.device.Mixture;
import dev.belay.device.MixtureSpace;
import dev.belay.device.PendingRead;
import dev.belay.device.ProjectionSpace;
import dev.belay.device.QkvPart;
import dev.belay.device.Sampler;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import java.util.List;

/** The device that is always there: oneDNN and the Vector API on a team of threads. */
public final class CpuDevice implements Device {
    private final DType dtype;
    private final boolean bfloat16Products;
    private final ThreadTeam team;
    private final OneDnn dnnl;
    private final Products.Cache products;
    private final MemoryPool memory = new MemoryPool();
    private long allocations;

    private final Embedding embedding = new Embedding();
    private final RmsNorm rmsNorm = new RmsNorm();
    private final MatrixProduct matrixProduct = new MatrixProduct();
    private final RoundRows roundRows = new RoundRows();
    private final Rotary rotary = new Rotary();
    private final Attention attention = new Attention();
    private final HeadScaling headScaling = new HeadScaling();
    private final SwiGlu swiGlu = new SwiGlu();
    private final ExpertLoop expertLoop = new ExpertLoop(this);
    private final BiasSum biasSum = new BiasSum();
    private final RowGather rowGather = new RowGather();
    private final LogitScores logitScores = new LogitScores();
    private final AblationNorms ablationNorms = new AblationNorms();
    private final AblationStart ablationStart = new AblationStart();
    private final HeadDots headDots = new HeadDots();
    private final FusedFeedForward fusedFeedForward;
    private final FusedProjection fusedProjection;
    private CpuBuffer rounded;
    private Sampling samplerOf;
    private Sampler sampler;
    private float[] hostLogits = new float[0];

    private CpuDevice(DType dtype, int threads, boolean bfloat16Products) {
        this.dtype = dtype;
        this.bfloat16Products = bfloat16Products;
        dnnl = new OneDnn(threads);
        team = new ThreadTeam(threads);
        products = new Products.Cache(dnnl, threads, bfloat16Products, dtype == DType.BF16);
        fusedFeedForward = new FusedFeedForward(memory, bfloat16Products);
        fusedProjection = new FusedProjection(memory, rotary, bfloat16Products);
    }

    /**
     * Opens the device.
     *
     * @param dtype number type of products
     * @throws DeviceException if this is not Linux on x86-64 or oneDNN cannot be loaded
     */
    public static CpuDevice open(DType dtype) {
        OneDnnLibrary.load();
        return open(dtype, threads(), dtype == DType.BF16 && OneDnn.multipliesBfloat16());
    }

    private static int threads() {
        int threads = Integer.getInteger("belay.threads", Runtime.getRuntime().availableProcessors());
        if (threads < 1) {
            throw new DeviceException("belay.threads is " + threads + ": use a number from 1");
        }
        return threads;
    }

    /**
     * Opens the device; products multiply bfloat16 numbers ({@code bfloat16Products}) or float32 numbers, rounded as {@code dtype} says.
     */
    static CpuDevice open(DType dtype, int threads, boolean bfloat16Products) {
        return new CpuDevice(dtype, threads, bfloat16Products);
    }

    @Override
    public String description() {
        return "cpu (" + team.size() + (team.size() == 1 ? " thread, " : " threads, ") + numbers() + ")";
    }

    /** How many threads there are changes nothing: each number is summed by one, in an order of its own. */
    @Override
    public String arithmetic() {
        return "cpu (" + numbers() + ", instruction set " + Integer.toHexString(OneDnn.instructionSet()) + ")";
    }

    private String numbers() {
        String bf16 =
                dtype == DType.F32 ? "" : bfloat16Products ? ", bf16 products" : ", bf16 weights with f32 products";
        return 32 * RowTask.LANES + "-bit vectors, oneDNN " + OneDnnLibrary.version() + bf16;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public long freeBytes() {
        return new FreeMemory().bytes();
    }

    @Override
    public long allocations() {
        return allocations;
    }

    @Override
    public CpuBuffer allocate(String name, long elements) {
        return allocate(name, elements, false);
    }

    private CpuBuffer allocate(String name, long elements, boolean rounded) {
        allocations++;
        return new CpuBuffer(memory, name, elements, rounded && bfloat16Products);
    }

    @Override
    public CpuBuffer allocateRounded(String name, long elements) {
        return allocate(name, elements, true);
    }

    @Override
    public CpuBuffer allocateQueries(String name, long elements) {
        return allocate(name, elements);
    }

    @Override
    public KeyValues keyValues(String name, int slots, int width, boolean rounded) {
        CpuBuffer keys = allocate(name + ": keys", CacheLayout.keyElements(slots, width), rounded);
        try {
            return new KeyValues(keys, allocate(name + ": values", (long) slots * width, rounded));
        } catch (RuntimeException | Error e) {
            keys.close();
            throw e;
        }
    }

    @Override
    public long matrixBytes(long elements) {
        return elements * (bfloat16Products ? Short.BYTES : Float.BYTES);
    }

    @Override
    public CpuMatrix matrix(String name, List<HostMatrix> parts) {
        allocations++;
        return CpuMatrix.of(name, parts, Bounds.stackedRows(parts), products);
    }

    @Override
    public void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out) {
        out.check("embed", 0, (long) layout.tokens() * table.columns());
        Bounds.ids(table, layout);
        embedding.run(team, CpuMatrix.of(table), layout, CpuBuffer.of(out));
    }

    @Override
    public void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out) {
        x.check("rmsNorm", 0, (long) tokens * width);
        weight.check("rmsNorm weight", 0, width);
        out.check("rmsNorm", 0, (long) tokens * width);
        rmsNorm.run(team, CpuBuffer.of(x), CpuBuffer.of(weight), eps, tokens, width, CpuBuffer.of(out));
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
        if (tokens == 0) {
            return;
        }
        int columns = weights.columns();
        Bounds.product(a, aStride, aColumn, tokens, weights, out, outOffset);
        long target = CpuBuffer.of(out).address() + outOffset * Float.BYTES;
        CpuMatrix w = CpuMatrix.of(weights);
        CpuBuffer in = CpuBuffer.of(a);
        if (in.bfloat16() == bfloat16Products) {
            long source = in.address() + (long) aColumn * in.elementBytes();
            matrixProduct.run(team, source, aStride, in.elementBytes(), tokens, w, target, accumulate);
            return;
        }
        CpuBuffer inputs = rounded((long) tokens * columns);
        roundRows.run(team, in, aStride, aColumn, tokens, columns, inputs);
        matrixProduct.run(team, inputs.address(), columns, Short.BYTES, tokens, w, target, accumulate);
    }

    private CpuBuffer rounded(long elements) {
        if (rounded == null || rounded.elements() < elements) {
            if (rounded != null) {
                rounded.close();
            }
            rounded = allocateRounded("bf16 inputs", elements);
        }
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
        CpuBuffer queries = part.queries() ? CpuBuffer.of(q) : null;
        rotary.run(team, part, CpuBuffer.of(in), layout, shape, terms, rope, queries, cache);
    }

    @Override
    public boolean fuses(int tokens) {
        return FusedBlocks.suit(tokens, team);
    }

    @Override
    public void feedForward(
            DeviceBuffer x,
            DeviceBuffer norm,
            float eps,
            int tokens,
            DeviceMatrix gateUp,
            DeviceMatrix down,
            FeedForwardSpace space) {
        CpuMatrix first = CpuMatrix.of(gateUp);
        if (!fuses(tokens) || !first.cutInHalves()) {
            Device.super.feedForward(x, norm, eps, tokens, gateUp, down, space);
            return;
        }
        Bounds.feedForward(x, norm, tokens, gateUp, down);
        CpuMatrix second = CpuMatrix.of(down);
        fusedFeedForward.run(team, CpuBuffer.of(x), CpuBuffer.of(norm), eps, tokens, first, second);
    }

    @Override
    public void project(
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
        if (!fuses(layout.tokens())) {
            Device.super.project(x, norm, eps, qkv, layout, shape, terms, rope, space, q, cache);
            return;
        }
        Bounds.project(x, norm, qkv, layout, shape, terms, rope, q, cache);
        rotary.prepare(team, QkvPart.ALL, layout, shape, terms, rope, CpuBuffer.of(q), cache);
        CpuMatrix weights = CpuMatrix.of(qkv);
        fusedProjection.run(team, CpuBuffer.of(x), CpuBuffer.of(norm), eps, layout.tokens(), weights);
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
        attention.run(
                team,
                CpuBuffer.of(q),
                layout,
                shape,
                CacheLayout.of(prefix, shape),
                CacheLayout.of(own, shape),
                window,
                CpuBuffer.of(z));
        if (unscaled != null) {
            CpuBuffer.of(unscaled).fill(CpuBuffer.of(z), (long) layout.tokens() * shape.queryWidth());
        }
        if (scales != null) {
            headScaling.run(team, CpuBuffer.of(z), scales, layout.tokens(), shape.heads(), shape.headSize());
        }
    }

    @Override
    public void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        z.check("scaleHeads", 0, (long) tokens * heads * headSize);
        headScaling.run(team, CpuBuffer.of(z), table, tokens, heads, headSize);
    }

    @Override
    public void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out) {
        gateUp.check("swiglu", 0, 2L * tokens * width);
        out.check("swiglu", 0, (long) tokens * width);
        swiGlu.run(team, CpuBuffer.of(gateUp), tokens, width, CpuBuffer.of(out));
    }

    @Override
    public void addBias(DeviceBuffer x, long offset, int tokens, int width, DeviceBuffer bias) {
        x.check("addBias", offset, (long) tokens * width);
        bias.check("addBias", 0, width);
        biasSum.run(team, CpuBuffer.of(x), offset, tokens, width, CpuBuffer.of(bias));
    }

    @Override
    public void mixture(DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, DeviceBuffer x) {
        Bounds.mixture(normed, tokens, mixture, space, mixtureRows(tokens, mixture.top()), x);
        if (tokens > 0) {
            expertLoop.run(team, normed, tokens, mixture, space, CpuBuffer.of(x));
        }
    }

    @Override
    public void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out) {
        out.check("gather", 0, (long) count * width);
        for (int i = 0; i < count; i++) {
            in.check("gather", (long) indices[i] * width, width);
        }
        rowGather.run(team, CpuBuffer.of(in), indices, count, width, CpuBuffer.of(out));
    }

    @Override
    public void ablationNorms(
            DeviceBuffer z, float[] factors, int[] chosen, int tokens, int heads, int headSize, DeviceBuffer norms) {
        z.check("ablationNorms", 0, (long) tokens * heads * headSize);
        norms.check("ablationNorms", 0, (long) tokens * chosen.length);
        ablationNorms.run(team, CpuBuffer.of(z), factors, chosen, tokens, heads, headSize, CpuBuffer.of(norms));
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
        if (norms != null) {
            norms.check("ablationStart norms", 0, (long) groups * tokens);
        }
        ablationStart.run(
                team,
                CpuBuffer.of(x),
                CpuBuffer.of(attention),
                norms == null ? null : CpuBuffer.of(norms),
                groups,
                tokens,
                width,
                CpuBuffer.of(out),
                outOffset);
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
        if (!sampling.equals(samplerOf)) {
            samplerOf = sampling;
            sampler = new Sampler(sampling);
        }
        if (hostLogits.length < vocabulary) {
            hostLogits = new float[vocabulary];
        }
        for (int r = 0; r < rows; r++) {
            logits.read((long) r * vocabulary, hostLogits, 0, vocabulary);
            tokens[r] = sampler.next(hostLogits, 0, vocabulary, texts[r], positions[r]);
        }
    }

    @Override
    public PendingRead logitScores(
            DeviceBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out) {
        Bounds.logitScores(logits, rows, vocabulary, first, tokens);
        logitScores.run(team, CpuBuffer.of(logits), rows, vocabulary, first, tokens, out);
        return PendingRead.DONE;
    }

    @Override
    public PendingRead headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out) {
        z.check("headDots", 0, (long) tokens * heads * headSize);
        u.check("headDots directions", 0, (long) heads * headSize);
        headDots.run(team, CpuBuffer.of(z), CpuBuffer.of(u), tokens, heads, headSize, false, out);
        return PendingRead.DONE;
    }

    @Override
    public PendingRead dot(DeviceBuffer x, DeviceBuffer vectors, int tokens, int width, int count, float[] out) {
        x.check("dot", 0, (long) tokens * width);
        vectors.check("dot vectors", 0, (long) count * width);
        headDots.run(team, CpuBuffer.of(x), CpuBuffer.of(vectors), tokens, count, width, true, out);
        return PendingRead.DONE;
    }

    @Override
    public void close() {
        team.close();
        products.close();
        dnnl.close();
        fusedFeedForward.close();
        fusedProjection.close();
        expertLoop.close();
        if (rounded != null) {
            rounded.close();
        }
        memory.close();
    }
}
