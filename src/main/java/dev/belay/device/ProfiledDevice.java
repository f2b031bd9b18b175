package dev.belay.device;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A device that has another one do the work and records each operation: when, how long, for which layer, and what it had to do. Its
 * {@link #close()} writes the profile, see {@link ProfileTrace}.
 */
public final class ProfiledDevice implements Device {
    private static final int NO_LAYER = -1;
    private static final Pattern OF_LAYER = Pattern.compile("layers\\.(\\d{1,9})\\.(.+)");
    private static final Pattern AROUND = Pattern.compile("^model\\.|\\.weight$");
    /** Marks that the clock holds at most before they are asked for. */
    private static final int MOST_MARKS = 4096;

    private final Device device;
    private final Path file;
    private final DevicePeaks peaks;
    private final DeviceClock clock;
    private final Map<String, Weights> known = new HashMap<>();
    private final List<Pending> pending = new ArrayList<>();
    private final List<ProfiledOperation> operations = new ArrayList<>();
    private int layer = NO_LAYER;

    /** A weight matrix's place in the model. */
    private record Weights(String part, int layer) {
        static Weights of(String name) {
            String stem = AROUND.matcher(name).replaceAll("");
            Matcher matcher = OF_LAYER.matcher(stem);
            return matcher.matches()
                    ? new Weights(matcher.group(2), Integer.parseInt(matcher.group(1)))
                    : new Weights(stem, NO_LAYER);
        }
    }

    /** An operation between two marks of the clock. */
    private record Pending(String name, String weights, int layer, int rows, OperationCost cost, int start, int end) {}

    /**
     * Measures the device's peaks and begins to record.
     *
     * @param device stays the caller's, to be closed after this one
     * @param file where the profile goes
     */
    public ProfiledDevice(Device device, Path file) {
        this.device = device;
        this.file = file;
        peaks = DevicePeaks.measure(device);
        clock = device.clock();
    }

    /** Writes the profile, unless nothing was computed. */
    @Override
    public void close() {
        settle();
        if (!operations.isEmpty()) {
            new ProfileTrace(device, peaks, operations).write(file);
        }
    }

    /** Runs an operation that belongs to the layer of the latest weights. */
    private void run(String name, int rows, OperationCost cost, Runnable operation) {
        record(name, null, rows, cost, operation);
    }

    /** Runs an operation on weights. */
    private void run(String name, DeviceMatrix weights, int rows, OperationCost cost, Runnable operation) {
        Weights place = known.computeIfAbsent(weights.name(), Weights::of);
        layer = place.layer();
        record(name + " " + place.part(), weights.name(), rows, cost, operation);
    }

    private void record(String name, String weights, int rows, OperationCost cost, Runnable operation) {
        int start = clock.mark();
        operation.run();
        int end = clock.mark();
        pending.add(new Pending(name, weights, layer, rows, cost, start, end));
        if (end >= MOST_MARKS) {
            settle();
        }
    }

    /** Asks the clock for the times of what is pending. */
    private void settle() {
        double[] times = clock.milliseconds();
        for (Pending p : pending) {
            double start = times[p.start()];
            double took = times[p.end()] - start;
            operations.add(new ProfiledOperation(p.name(), p.weights(), p.layer(), p.rows(), p.cost(), start, took));
        }
        pending.clear();
    }

    @Override
    public void embed(DeviceMatrix table, TokenLayout layout, DeviceBuffer out) {
        int tokens = layout.tokens();
        OperationCost cost = OperationCost.embed(tokens, table.columns(), device.matrixBytes(table.columns()));
        run("embed", table, tokens, cost, () -> device.embed(table, layout, out));
    }

    @Override
    public void rmsNorm(DeviceBuffer x, DeviceBuffer weight, float eps, int tokens, int width, DeviceBuffer out) {
        OperationCost cost = OperationCost.rmsNorm(tokens, width);
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
                product(tokens, weights, accumulate),
                () -> device.matmul(a, aStride, aColumn, tokens, weights, out, outOffset, accumulate));
    }

    @Override
    public void rotate(
            QkvPart part,
            DeviceBuffer in,
            TokenLayout layout,
            AttentionShape shape,
            DeviceBuffer rope,
            DeviceBuffer q,
            KeyValues cache) {
        int tokens = layout.tokens();
        int heads = (part.queries() ? shape.heads() : 0) + (part.keyValues() ? shape.kvHeads() : 0);
        OperationCost cost = OperationCost.rotation(tokens, heads, part.width(shape), shape.rotarySize());
        run("rotate", tokens, cost, () -> device.rotate(part, in, layout, shape, rope, q, cache));
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
            DeviceBuffer rope,
            ProjectionSpace space,
            DeviceBuffer q,
            KeyValues cache) {
        int tokens = layout.tokens();
        if (!fuses(tokens)) {
            Device.super.project(x, norm, eps, qkv, layout, shape, rope, space, q, cache);
            return;
        }
        int heads = shape.heads() + shape.kvHeads();
        OperationCost cost = OperationCost.rmsNorm(tokens, qkv.columns())
                .plus(product(tokens, qkv, false))
                .plus(OperationCost.rotation(tokens, heads, qkv.rows(), shape.rotarySize()));
        run(
                "project",
                qkv,
                tokens,
                cost,
                () -> device.project(x, norm, eps, qkv, layout, shape, rope, space, q, cache));
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
        OperationCost cost = OperationCost.rmsNorm(tokens, gateUp.columns())
                .plus(product(tokens, gateUp, false))
                .plus(OperationCost.swiglu(tokens, down.columns()))
                .plus(product(tokens, down, true));
        run("feedForward", down, tokens, cost, () -> device.feedForward(x, norm, eps, tokens, gateUp, down, space));
    }

    private OperationCost product(int tokens, DeviceMatrix weights, boolean accumulate) {
        long weightBytes = device.matrixBytes((long) weights.rows() * weights.columns());
        return OperationCost.product(tokens, weights.rows(), weights.columns(), weightBytes, accumulate);
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
            DeviceBuffer z) {
        OperationCost cost = OperationCost.attention(layout, shape, window);
        run(
                "attention",
                layout.tokens(),
                cost,
                () -> device.attention(q, layout, shape, prefix, own, window, scales, z));
    }

    @Override
    public void scaleHeads(DeviceBuffer z, HeadScaleTable table, int tokens, int heads, int headSize) {
        OperationCost cost = OperationCost.scaleHeads(table, tokens, heads * headSize);
        run("scaleHeads", tokens, cost, () -> device.scaleHeads(z, table, tokens, heads, headSize));
    }

    @Override
    public void swiglu(DeviceBuffer gateUp, int tokens, int width, DeviceBuffer out) {
        run("swiglu", tokens, OperationCost.swiglu(tokens, width), () -> device.swiglu(gateUp, tokens, width, out));
    }

    @Override
    public void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out) {
        OperationCost cost = OperationCost.gather(count, width);
        run("gather", count, cost, () -> device.gather(in, indices, count, width, out));
    }

    @Override
    public void ablationStart(
            DeviceBuffer x,
            DeviceBuffer attention,
            float[] norms,
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
    public void headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out) {
        OperationCost cost = OperationCost.dot(tokens, heads * headSize);
        run("headDots", tokens, cost, () -> device.headDots(z, u, tokens, heads, headSize, out));
    }

    @Override
    public void dot(DeviceBuffer x, DeviceBuffer vector, int tokens, int width, float[] out) {
        run("dot", tokens, OperationCost.dot(tokens, width), () -> device.dot(x, vector, tokens, width, out));
    }

    @Override
    public DeviceClock clock() {
        return device.clock();
    }

    @Override
    public String description() {
        return device.description();
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
    public KeyValues keyValues(String name, int slots, int width) {
        return device.keyValues(name, slots, width);
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
