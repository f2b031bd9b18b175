package dev.belay.device;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/** A device that stands before another one and knows what each operation costs; what becomes of the operation, a subclass says. */
abstract class CostedDevice implements Device {
    /** The device behind this one. */
    protected final Device device;

    CostedDevice(Device device) {
        this.device = device;
    }

    /**
     * Takes an operation.
     *
     * @param name what it does
     * @param weights the weights that it uses, or null
     * @param rows tokens, or rows of another kind, that it computes
     * @param operation does it on the device behind
     */
    abstract void run(String name, DeviceMatrix weights, int rows, OperationCost cost, Runnable operation);

    /** Says which vector of weights the next operation uses. */
    void usesNext(DeviceBuffer weights) {}

    /** Takes an operation whose results the host gets. */
    private PendingRead read(String name, int rows, OperationCost cost, Supplier<PendingRead> operation) {
        PendingRead[] read = {PendingRead.DONE};
        run(name, rows, cost, () -> read[0] = operation.get());
        return read[0];
    }

    private void run(String name, int rows, OperationCost cost, Runnable operation) {
        run(name, null, rows, cost, operation);
    }

    @Override
    public void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out) {
        int tokens = layout.tokens();
        OperationCost cost = OperationCost.embed(tokens, table.columns(), device.matrixBytes(table.columns()));
        run("embed", table, tokens, cost, () -> device.embed(table, layout, out));
    }

    @Override
    public void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out) {
        OperationCost cost = OperationCost.rmsNorm(tokens, width, out);
        usesNext(weight);
        run("rmsNorm", tokens, cost, () -> device.rmsNorm(x, weight, eps, tokens, width, out));
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
        run(
                "matmul",
                weights,
                tokens,
                product(a, tokens, weights, accumulate),
                () -> device.matmul(a, aStride, aColumn, tokens, weights, out, outOffset, accumulate));
    }

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
        if (bias == null) {
            matmul(a, aStride, aColumn, tokens, weights, out, outOffset, accumulate);
            return;
        }
        run(
                "matmul",
                weights,
                tokens,
                product(a, tokens, weights, accumulate).plus(OperationCost.productBias(tokens, weights.rows())),
                () -> device.matmul(a, aStride, aColumn, tokens, weights, bias, out, outOffset, accumulate));
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
        int tokens = layout.tokens();
        int heads = (part.queries() ? shape.heads() : 0) + (part.keyValues() ? shape.kvHeads() : 0);
        OperationCost cost = OperationCost.rotation(
                tokens, heads, part.width(shape), shape.rotarySize(), terms, written(part, shape, q, cache));
        run("rotate", tokens, cost, () -> device.rotate(part, in, layout, shape, terms, rope, q, cache));
    }

    @Override
    public boolean fuses(int tokens) {
        return device.fuses(tokens);
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
        int tokens = layout.tokens();
        if (!fuses(tokens)) {
            Device.super.project(x, norm, eps, qkv, layout, shape, terms, rope, space, q, cache);
            return;
        }
        int heads = shape.heads() + shape.kvHeads();
        long written = written(QkvPart.ALL, shape, q, cache);
        OperationCost cost = OperationCost.rmsNorm(tokens, qkv.columns(), space.normed())
                .plus(product(space.normed(), tokens, qkv, false))
                .plus(OperationCost.rotation(tokens, heads, qkv.rows(), shape.rotarySize(), terms, written));
        run(
                "project",
                qkv,
                tokens,
                cost,
                () -> device.project(x, norm, eps, qkv, layout, shape, terms, rope, space, q, cache));
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
        if (!fuses(tokens)) {
            Device.super.feedForward(x, norm, eps, tokens, gateUp, down, space);
            return;
        }
        OperationCost cost = OperationCost.rmsNorm(tokens, gateUp.columns(), space.normed())
                .plus(product(space.normed(), tokens, gateUp, false))
                .plus(OperationCost.swiglu(space.gateUp(), tokens, down.columns(), space.activated()))
                .plus(product(space.activated(), tokens, down, true));
        run("feedForward", down, tokens, cost, () -> device.feedForward(x, norm, eps, tokens, gateUp, down, space));
    }

    /** Bytes a token that a rotation writes. */
    private static long written(QkvPart part, AttentionShape shape, DeviceBuffer q, KeyValues cache) {
        long queries = part.queries() ? (long) shape.queryWidth() * q.elementBytes() : 0;
        long each =
                part.keyValues() ? cache.keys().elementBytes() + cache.values().elementBytes() : 0;
        return queries + shape.kvWidth() * each;
    }

    private OperationCost product(DeviceBuffer a, int tokens, DeviceMatrix weights, boolean accumulate) {
        long weightBytes = device.matrixBytes((long) weights.rows() * weights.columns());
        return OperationCost.product(a, tokens, weights.rows(), weights.columns(), weightBytes, accumulate);
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
        OperationCost cost = OperationCost.attention(q, layout, shape, own, window, unscaled, z);
        run(
                "attention",
                layout.tokens(),
                cost,
                () -> device.attention(q, layout, shape, prefix, own, window, scales, unscaled, z));
    }

    @Override
    public void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        OperationCost cost = OperationCost.scaleHeads(z, table, tokens, heads * headSize);
        run("scaleHeads", tokens, cost, () -> device.scaleHeads(z, table, tokens, heads, headSize));
    }

    @Override
    public void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out) {
        run(
                "swiglu",
                tokens,
                OperationCost.swiglu(gateUp, tokens, width, out),
                () -> device.swiglu(gateUp, tokens, width, out));
    }

    @Override
    public void addBias(DeviceBuffer x, long offset, int tokens, int width, DeviceBuffer bias) {
        OperationCost cost = OperationCost.addBias(tokens, width);
        run("addBias", tokens, cost, () -> device.addBias(x, offset, tokens, width, bias));
    }

    @Override
    public void mixture(DeviceBuffer normed, int tokens, Mixture mixture, MixtureSpace space, DeviceBuffer x) {
        long expertBytes = device.matrixBytes(3L * mixture.inner() * mixture.hidden());
        OperationCost cost = product(normed, tokens, mixture.router(), false)
                .plus(OperationCost.mixture(normed, tokens, mixture, space, expertBytes));
        run("mixture", mixture.router(), tokens, cost, () -> device.mixture(normed, tokens, mixture, space, x));
    }

    @Override
    public int mixtureRows(int tokens, int top) {
        return device.mixtureRows(tokens, top);
    }

    @Override
    public void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out) {
        OperationCost cost = OperationCost.gather(in, count, width);
        // The array is used again before what is captured is done again.
        int[] from = Arrays.copyOf(indices, count);
        run("gather", count, cost, () -> device.gather(in, from, count, width, out));
    }

    @Override
    public void ablationNorms(
            DeviceBuffer z, float[] factors, int[] chosen, int tokens, int heads, int headSize, DeviceBuffer norms) {
        OperationCost cost = OperationCost.ablationNorms(z, tokens, heads, headSize, chosen.length);
        run(
                "ablationNorms",
                tokens,
                cost,
                () -> device.ablationNorms(z, factors, chosen, tokens, heads, headSize, norms));
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
        run(
                "ablationStart",
                groups * tokens,
                OperationCost.ablationStart(groups, tokens, width),
                () -> device.ablationStart(x, attention, norms, groups, tokens, width, out, outOffset));
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
        run(
                "sample",
                rows,
                OperationCost.sample(rows, vocabulary),
                () -> device.sample(logits, rows, vocabulary, sampling, texts, positions, tokens));
    }

    @Override
    public PendingRead logitScores(
            DeviceBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out) {
        return read(
                "logitScores",
                rows,
                OperationCost.logitScores(rows, vocabulary),
                () -> device.logitScores(logits, rows, vocabulary, first, tokens, out));
    }

    @Override
    public PendingRead headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out) {
        OperationCost cost = OperationCost.dot(z, tokens, heads * headSize, 1);
        return read("headDots", tokens, cost, () -> device.headDots(z, u, tokens, heads, headSize, out));
    }

    @Override
    public PendingRead dot(DeviceBuffer x, DeviceBuffer vectors, int tokens, int width, int count, float[] out) {
        OperationCost cost = OperationCost.dot(x, tokens, width, count);
        return read("dot", tokens, cost, () -> device.dot(x, vectors, tokens, width, count, out));
    }

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
        OperationCost cost =
                OperationCost.rmsNorm(tokens, width, normed).plus(OperationCost.dot(normed, tokens, width, count));
        usesNext(norm);
        return read(
                "normedDot",
                tokens,
                cost,
                () -> device.normedDot(x, norm, eps, normed, vectors, tokens, width, count, out));
    }

    @Override
    public DeviceClock clock() {
        return device.clock();
    }

    @Override
    public long freeBytes() {
        return device.freeBytes();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public String arithmetic() {
        return device.arithmetic();
    }

    @Override
    public DType dtype() {
        return device.dtype();
    }

    @Override
    public DeviceBuffer allocate(String name, long elements) {
        return device.allocate(name, elements);
    }

    @Override
    public DeviceBuffer allocateRounded(String name, long elements) {
        return device.allocateRounded(name, elements);
    }

    @Override
    public DeviceBuffer allocateQueries(String name, long elements) {
        return device.allocateQueries(name, elements);
    }

    @Override
    public KeyValues keyValues(String name, int slots, int width, boolean rounded) {
        return device.keyValues(name, slots, width, rounded);
    }

    @Override
    public long allocations() {
        return device.allocations();
    }

    @Override
    public DeviceMatrix matrix(String name, List<HostMatrix> parts) {
        return device.matrix(name, parts);
    }

    @Override
    public long matrixBytes(long elements) {
        return device.matrixBytes(elements);
    }
}
