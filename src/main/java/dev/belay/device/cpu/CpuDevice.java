package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.device.AttentionShape;
import dev.belay.device.Bounds;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.HostMatrix;
import dev.belay.device.KeyValues;
import dev.belay.device.QkvPart;
import dev.belay.device.Sampler;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** The device that is always there: oneDNN and the Vector API on a team of threads. */
public final class CpuDevice implements Device {
    private final DType dtype;
    private final boolean storeBfloat16;
    private final ThreadTeam team;
    private final OneDnn dnnl;
    private final Products.Cache products;
    private long allocations;

    private final Embedding embedding = new Embedding();
    private final RmsNorm rmsNorm = new RmsNorm();
    private final MatrixProduct matrixProduct = new MatrixProduct();
    private final RoundRows roundRows = new RoundRows();
    private final Rotary rotary = new Rotary();
    private final Attention attention = new Attention();
    private final HeadScaling headScaling = new HeadScaling();
    private final SwiGlu swiGlu = new SwiGlu();
    private final RowGather rowGather = new RowGather();
    private final AblationStart ablationStart = new AblationStart();
    private final HeadDots headDots = new HeadDots();
    private final CpuBuffer[] prefixBuffers = new CpuBuffer[2];
    private final CpuBuffer[] ownBuffers = new CpuBuffer[2];
    private CpuBuffer rounded;
    private Sampling samplerOf;
    private Sampler sampler;
    private float[] hostLogits = new float[0];

    private CpuDevice(DType dtype, int threads, boolean storeBfloat16) {
        this.dtype = dtype;
        this.storeBfloat16 = storeBfloat16;
        dnnl = new OneDnn(threads);
        team = new ThreadTeam(threads);
        products = new Products.Cache(dnnl, threads);
    }

    /**
     * Opens the device.
     *
     * @param dtype number type of products
     * @throws DeviceException if this is not Linux on x86-64 or oneDNN cannot be loaded
     */
    public static CpuDevice open(DType dtype) {
        OneDnnLibrary.load();
        int threads = Integer.getInteger("belay.threads", Runtime.getRuntime().availableProcessors());
        if (threads < 1) {
            throw new DeviceException("belay.threads is " + threads + ": use a number from 1");
        }
        // Inputs of products stay float32: rounding them too exceeds the error that transformers shows in bfloat16.
        return open(dtype, threads, false);
    }

    /** Opens the device with bfloat16 stored as such ({@code storeBfloat16}) or as rounded float32. */
    static CpuDevice open(DType dtype, int threads, boolean storeBfloat16) {
        return new CpuDevice(dtype, threads, storeBfloat16);
    }

    @Override
    public String description() {
        String bf16 = dtype == DType.F32 ? "" : storeBfloat16 ? ", bf16 products" : ", bf16 weights with f32 products";
        return "cpu (" + team.size() + (team.size() == 1 ? " thread, " : " threads, ") + 32 * RowTask.LANES
                + "-bit vectors, oneDNN " + OneDnnLibrary.version() + bf16 + ")";
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public long allocations() {
        return allocations;
    }

    @Override
    public CpuBuffer allocate(String name, long elements) {
        allocations++;
        return new CpuBuffer(name, elements);
    }

    @Override
    public long matrixBytes(long elements) {
        return elements * (storeBfloat16 ? Short.BYTES : Float.BYTES);
    }

    @Override
    public CpuMatrix matrix(String name, List<HostMatrix> parts) {
        int columns = parts.getFirst().columns();
        int rows = Bounds.stackedRows(parts);
        allocations++;
        CpuMatrix matrix = CpuMatrix.allocate(name, rows, columns, storeBfloat16, products);
        int row = 0;
        for (HostMatrix part : parts) {
            fill(matrix, row, part);
            row += part.rows();
        }
        return matrix;
    }

    private void fill(CpuMatrix matrix, int firstRow, HostMatrix part) {
        long rowBytes = (long) part.columns() * part.type().bytes();
        int rowsPerItem = (int) Math.max(1, (1 << 18) / rowBytes);
        ThreadTeam.Task task = (item, worker) -> {
            int end = Math.min(part.rows(), (item + 1) * rowsPerItem);
            for (int r = item * rowsPerItem; r < end; r++) {
                fillRow(matrix, firstRow + r, part.data().asSlice(r * rowBytes, rowBytes), part.type());
            }
        };
        team.run(task, (part.rows() + rowsPerItem - 1) / rowsPerItem);
    }

    private void fillRow(CpuMatrix matrix, int row, MemorySegment source, TensorType type) {
        MemorySegment target = matrix.segment();
        long start = matrix.rowOffset(row);
        if (storeBfloat16 && type == TensorType.BF16) {
            MemorySegment.copy(source, 0, target, start * Short.BYTES, source.byteSize());
            return;
        }
        float[] values = TensorValues.floats(source, type);
        if (storeBfloat16) {
            for (int i = 0; i < values.length; i++) {
                target.setAtIndex(JAVA_SHORT, start + i, TensorValues.floatToBfloat16(values[i]));
            }
            return;
        }
        if (dtype == DType.BF16 && type != TensorType.BF16) {
            for (int i = 0; i < values.length; i++) {
                values[i] = TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(values[i]));
            }
        }
        MemorySegment.copy(values, 0, target, JAVA_FLOAT, start * Float.BYTES, values.length);
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
        if (!storeBfloat16) {
            long source = CpuBuffer.of(a).address() + (long) aColumn * Float.BYTES;
            matrixProduct.run(team, source, aStride, Float.BYTES, tokens, w, target, accumulate);
            return;
        }
        CpuBuffer inputs = rounded(((long) tokens * columns + 1) / 2);
        roundRows.run(team, CpuBuffer.of(a), aStride, aColumn, tokens, columns, inputs);
        matrixProduct.run(team, inputs.address(), columns, Short.BYTES, tokens, w, target, accumulate);
    }

    private CpuBuffer rounded(long elements) {
        if (rounded == null || rounded.elements() < elements) {
            if (rounded != null) {
                rounded.close();
            }
            rounded = allocate("bf16 inputs", elements);
        }
        return rounded;
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
        Bounds.rotate(part, in, layout, shape, rope, q, cache);
        int stride = part.width(shape);
        if (part.queries()) {
            rotary.queries(team, CpuBuffer.of(in), stride, layout, shape, CpuBuffer.of(rope), CpuBuffer.of(q));
        }
        if (part.keyValues()) {
            int column = part.queries() ? shape.queryWidth() : 0;
            CpuBuffer keys = CpuBuffer.of(cache.keys());
            CpuBuffer values = CpuBuffer.of(cache.values());
            rotary.keyValues(team, CpuBuffer.of(in), stride, column, layout, shape, CpuBuffer.of(rope), keys, values);
        }
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
        Bounds.attention(q, layout, shape, prefix, own, z);
        prefixBuffers[0] = CpuBuffer.of(prefix.keys());
        prefixBuffers[1] = CpuBuffer.of(prefix.values());
        ownBuffers[0] = CpuBuffer.of(own.keys());
        ownBuffers[1] = CpuBuffer.of(own.values());
        attention.run(team, CpuBuffer.of(q), layout, shape, prefixBuffers, ownBuffers, window, CpuBuffer.of(z));
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
    public void gather(DeviceBuffer in, int[] indices, int count, int width, DeviceBuffer out) {
        out.check("gather", 0, (long) count * width);
        for (int i = 0; i < count; i++) {
            in.check("gather", (long) indices[i] * width, width);
        }
        rowGather.run(team, CpuBuffer.of(in), indices, count, width, CpuBuffer.of(out));
    }

    @Override
    public void ablationStart(
            DeviceBuffer x,
            DeviceBuffer attention,
            float[] norms,
            int groups,
            int tokens,
            int width,
            DeviceBuffer out) {
        x.check("ablationStart", 0, (long) tokens * width);
        attention.check("ablationStart", 0, (long) tokens * width);
        out.check("ablationStart", 0, (long) groups * tokens * width);
        ablationStart.run(
                team, CpuBuffer.of(x), CpuBuffer.of(attention), norms, groups, tokens, width, CpuBuffer.of(out));
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
    public void headDots(DeviceBuffer z, DeviceBuffer u, int tokens, int heads, int headSize, float[] out) {
        z.check("headDots", 0, (long) tokens * heads * headSize);
        u.check("headDots directions", 0, (long) heads * headSize);
        headDots.run(team, CpuBuffer.of(z), CpuBuffer.of(u), tokens, heads, headSize, out);
    }

    @Override
    public void dot(DeviceBuffer x, DeviceBuffer vector, int tokens, int width, float[] out) {
        x.check("dot", 0, (long) tokens * width);
        vector.check("dot vector", 0, width);
        // One head as wide as the row.
        headDots.run(team, CpuBuffer.of(x), CpuBuffer.of(vector), tokens, 1, width, out);
    }

    @Override
    public void close() {
        team.close();
        products.close();
        dnnl.close();
        if (rounded != null) {
            rounded.close();
        }
    }
}
