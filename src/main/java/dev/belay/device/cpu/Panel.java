package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.device.HostMatrix;
import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A block of one matrix in the model file, packed as oneDNN's products like it when the first of them needs it. The layout is
 * oneDNN's own choice for the shape.
 */
final class Panel {
    /** A block of rows and columns of {@code matrix}. */
    record Source(HostMatrix matrix, int row, int rows, int column, int columns) {}

    /** What was read ahead; of no meaning. */
    private static int touched;

    private final Source source;
    private final Products products;
    private WeightMemory.Block block;
    private long address;

    Panel(Source source, Products.Cache cache) {
        this.source = source;
        products = cache.of(source.rows(), source.columns());
    }

    /** Output features. */
    int rows() {
        return source.rows();
    }

    /** Makes the primitives that {@link #multiply} of as many tokens needs; not while products run. */
    void prepare(int tokens, int aStride, int outStride, boolean accumulate) {
        for (int done = 0; done < tokens; done += Products.cut(tokens - done)) {
            int size = Products.cut(tokens - done);
            if (size > 1 || products.tokenProduct(address) == null) {
                products.prepare(size, aStride, outStride, accumulate);
            }
        }
    }

    /**
     * out[T, rows] (+)= a[T, columns] · panelᵀ.
     *
     * @param a address of the first input
     * @param out address of the first output, float32
     */
    void multiply(int worker, long a, int aStride, int tokens, long out, int outStride, boolean accumulate) {
        long aBytes = (long) aStride * products.elementBytes();
        long outBytes = (long) outStride * Float.BYTES;
        for (int done = 0; done < tokens; ) {
            int size = Products.cut(tokens - done);
            long input = a + done * aBytes;
            long output = out + done * outBytes;
            TokenProduct single = size == 1 ? products.tokenProduct(address) : null;
            if (single != null) {
                single.multiply(address, rows(), input, products.inputs(worker), output, accumulate);
            } else {
                if (size < Products.STEP) {
                    touched = WeightPages.touchAll(address, products.bytes());
                }
                products.get(size, aStride, outStride, accumulate).run(worker, input, address, output);
            }
            done += size;
        }
    }

    boolean packed() {
        return address != 0;
    }

    /** Packs the block; {@code worker}'s thread does it. */
    void pack(Products.Cache cache, int worker) {
        block = cache.memory().allocate(source.matrix().name(), products.bytes());
        MemorySegment packed = block.memory();
        TensorType type = cache.bfloat16() ? TensorType.BF16 : TensorType.F32;
        MemorySegment data = source.matrix().data();
        boolean asInFile = source.matrix().type() == type && !cache.rounds(type);
        if (asInFile && data.isNative() && data.address() % type.bytes() == 0) {
            packPlain(cache, worker, packed);
        } else {
            try (Arena temporary = Arena.ofConfined()) {
                MemorySegment block = converted(temporary, cache);
                reorder(cache, worker, block.address(), source.columns(), packed.address());
            }
        }
        address = packed.address();
    }

    /** Gives the memory back. */
    void close() {
        address = 0;
        if (block != null) {
            block.close();
            block = null;
        }
    }

    /** Packs a block that the file has as products multiply it: ourselves where oneDNN's layout is the one we know, as it takes long. */
    private void packPlain(Products.Cache cache, int worker, MemorySegment packed) {
        PairLayout pairs = cache.bfloat16() ? products.pairLayout() : null;
        if (pairs != null && suits(pairs)) {
            pairs.pack(source, packed);
            return;
        }
        HostMatrix matrix = source.matrix();
        long first = ((long) source.row() * matrix.columns() + source.column())
                * matrix.type().bytes();
        reorder(cache, worker, matrix.data().address() + first, matrix.columns(), packed.address());
        if (cache.bfloat16() && !products.pairLayoutKnown()) {
            products.pairLayout(find(packed));
        }
    }

    private boolean suits(PairLayout pairs) {
        return pairs.fits(source) && products.bytes() == PairLayout.bytes(source);
    }

    /** The layout of {@code packed}, null if it is none that we know. */
    private PairLayout find(MemorySegment packed) {
        for (PairLayout pairs : PairLayout.ALL) {
            if (suits(pairs)) {
                try (Arena temporary = Arena.ofConfined()) {
                    MemorySegment ours =
                            CpuBuffer.allocate(temporary, source.matrix().name(), products.bytes());
                    pairs.pack(source, ours);
                    if (ours.mismatch(packed) < 0) {
                        return pairs;
                    }
                }
            }
        }
        return null;
    }

    /** The block [rows, columns] as products multiply it. */
    private MemorySegment converted(Arena arena, Products.Cache cache) {
        HostMatrix matrix = source.matrix();
        long elements = (long) source.rows() * source.columns();
        int bytes = cache.bfloat16() ? Short.BYTES : Float.BYTES;
        MemorySegment block = CpuBuffer.allocate(arena, matrix.name(), elements * bytes);
        for (int r = 0; r < source.rows(); r++) {
            long first = (long) (source.row() + r) * matrix.columns() + source.column();
            long target = (long) r * source.columns();
            for (int c = 0; c < source.columns(); c++) {
                Cells.set(block, target + c, cache.weight(matrix, first + c), cache.bfloat16());
            }
        }
        return block;
    }

    private void reorder(Products.Cache cache, int worker, long from, int stride, long to) {
        OneDnn dnnl = cache.dnnl();
        int type = cache.bfloat16() ? Dnnl.dnnl_bf16() : Dnnl.dnnl_f32();
        MemorySegment plain = OneDnn.matrix(source.columns(), source.rows(), 1, stride, type);
        MemorySegment attributes = OneDnn.attributes();
        MemorySegment description = MemorySegment.NULL;
        int[] roles = {Dnnl.DNNL_ARG_FROM(), Dnnl.DNNL_ARG_TO()};
        try {
            description = OneDnn.create(
                    "dnnl_reorder_primitive_desc_create",
                    pd -> Dnnl.dnnl_reorder_primitive_desc_create(
                            pd, plain, dnnl.engine(), products.layout(), dnnl.engine(), attributes));
            MemorySegment[] operands = {plain, products.layout()};
            try (Primitive reorder = new Primitive(dnnl, worker + 1, "reorder", description, roles, operands)) {
                reorder.bind(worker, 0, from);
                reorder.bind(worker, 1, to);
                reorder.execute(worker);
            }
        } finally {
            if (description.address() != 0) {
                Dnnl.dnnl_primitive_desc_destroy(description);
            }
            Dnnl.dnnl_primitive_attr_destroy(attributes);
            Dnnl.dnnl_memory_desc_destroy(plain);
        }
    }
}
