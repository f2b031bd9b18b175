package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.device.HostMatrix;
import dev.belay.weights.TensorType;
import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The oneDNN primitives of one shape of packed weights [N, K]. A primitive is compiled for exact sizes and costs milliseconds to make,
 * so token counts are cut into few sizes: {@value #BLOCK}, 64, 32, {@value #STEP}, and a rest below {@value #STEP}.
 * Looking one up allocates nothing.
 */
final class Products implements AutoCloseable {
    static final int BLOCK = 128;
    static final int STEP = 16;
    private static final int SIZES = STEP + BLOCK / STEP;

    private final OneDnn dnnl;
    private final int workers;
    private final int rows;
    private final int columns;
    private final boolean bfloat16;
    private final MemorySegment layout;
    private final long bytes;
    private final List<Strides> tables = new ArrayList<>();
    private volatile PairLayout pairLayout;
    private volatile boolean pairLayoutKnown;
    private TokenProduct tokenProduct;
    private boolean tokenProductKnown;
    private final float[][] inputs;

    /** The primitives for one pair of strides, by kind of output and number of tokens. */
    private record Strides(int a, int out, Product[] products) {}

    private Products(OneDnn dnnl, int workers, int rows, int columns, boolean bfloat16) {
        this.dnnl = dnnl;
        this.workers = workers;
        this.rows = rows;
        this.columns = columns;
        this.bfloat16 = bfloat16;
        layout = Product.packing(dnnl, shape(BLOCK, columns, rows, false));
        bytes = Dnnl.dnnl_memory_desc_get_size(layout);
        inputs = new float[workers][];
    }

    /** All primitives of a device, by shape of weights. */
    static final class Cache implements AutoCloseable {
        private record Key(int rows, int columns) {}

        private final OneDnn dnnl;
        private final int workers;
        private final boolean bfloat16;
        private final boolean rounded;
        private final Map<Key, Products> products = new HashMap<>();
        private final WeightMemory memory = new WeightMemory();

        /**
         * @param bfloat16 products multiply bfloat16 numbers, not float32
         * @param rounded weights are rounded to bfloat16
         */
        Cache(OneDnn dnnl, int workers, boolean bfloat16, boolean rounded) {
            this.dnnl = dnnl;
            this.workers = workers;
            this.bfloat16 = bfloat16;
            this.rounded = rounded;
        }

        Products of(int rows, int columns) {
            return products.computeIfAbsent(
                    new Key(rows, columns), k -> new Products(dnnl, workers, rows, columns, bfloat16));
        }

        WeightMemory memory() {
            return memory;
        }

        OneDnn dnnl() {
            return dnnl;
        }

        int workers() {
            return workers;
        }

        /** Whether weights that the file has as {@code type} are rounded. */
        boolean rounds(TensorType type) {
            return rounded && type != TensorType.BF16;
        }

        boolean bfloat16() {
            return bfloat16;
        }

        /** Element {@code index} of a matrix in the model file, as products see it. */
        float weight(HostMatrix matrix, long index) {
            float value = TensorValues.floatAt(matrix.data(), matrix.type(), index);
            return rounded ? TensorValues.bfloat16ToFloat(TensorValues.floatToBfloat16(value)) : value;
        }

        @Override
        public void close() {
            products.values().forEach(Products::close);
            products.clear();
        }
    }

    private Product.Shape shape(int tokens, int aStride, int outStride, boolean accumulate) {
        return new Product.Shape(tokens, rows, columns, aStride, outStride, accumulate, bfloat16);
    }

    /** oneDNN's description of the packed weights [K, N]. */
    MemorySegment layout() {
        return layout;
    }

    /** Size of an input and a weight. */
    int elementBytes() {
        return bfloat16 ? Short.BYTES : Float.BYTES;
    }

    /** The layout of weights, null if it is another or not known yet. */
    PairLayout pairLayout() {
        return pairLayout;
    }

    boolean pairLayoutKnown() {
        return pairLayoutKnown;
    }

    /** Notes the layout, null for one that we do not know. */
    void pairLayout(PairLayout is) {
        pairLayout = is;
        pairLayoutKnown = true;
    }

    /** Our own product of one token, null if oneDNN does it; the packed weights at {@code weights} serve to find that out. */
    TokenProduct tokenProduct(long weights) {
        if (!tokenProductKnown) {
            tokenProduct = pairLayout == null ? null : findTokenProduct(weights);
            tokenProductKnown = true;
        }
        return tokenProduct;
    }

    private TokenProduct findTokenProduct(long weights) {
        prepare(STEP, columns, rows, false);
        return TokenProduct.find(get(STEP, columns, rows, false), STEP, pairLayout, columns, weights, rows);
    }

    /** Room of {@code worker} for the inputs of a token. */
    float[] inputs(int worker) {
        if (inputs[worker] == null) {
            inputs[worker] = new float[columns];
        }
        return inputs[worker];
    }

    /** Size of the packed weights. */
    long bytes() {
        return bytes;
    }

    /** Makes the primitive for {@code tokens}, a size that {@link #cut} returns, unless it is there. */
    void prepare(int tokens, int aStride, int outStride, boolean accumulate) {
        Product[] table = table(aStride, outStride);
        int index = index(tokens, accumulate);
        if (table[index] == null) {
            table[index] = new Product(dnnl, workers, shape(tokens, aStride, outStride, accumulate), layout);
        }
    }

    /** The primitive that {@link #prepare} made. */
    Product get(int tokens, int aStride, int outStride, boolean accumulate) {
        return table(aStride, outStride)[index(tokens, accumulate)];
    }

    private static int index(int tokens, boolean accumulate) {
        return (accumulate ? SIZES + 1 : 0) + sizeIndex(tokens);
    }

    /** The largest size that fits into {@code tokens}. */
    static int cut(int tokens) {
        if (tokens >= BLOCK) {
            return BLOCK;
        }
        return tokens < STEP ? tokens : Integer.highestOneBit(tokens);
    }

    private static int sizeIndex(int tokens) {
        return tokens < STEP ? tokens : STEP + tokens / STEP - 1;
    }

    private Product[] table(int aStride, int outStride) {
        for (int i = 0; i < tables.size(); i++) {
            Strides table = tables.get(i);
            if (table.a() == aStride && table.out() == outStride) {
                return table.products();
            }
        }
        return newTable(aStride, outStride);
    }

    private Product[] newTable(int aStride, int outStride) {
        Strides table = new Strides(aStride, outStride, new Product[2 * (SIZES + 1)]);
        tables.add(table);
        return table.products();
    }

    @Override
    public void close() {
        for (Strides table : tables) {
            for (Product product : table.products()) {
                if (product != null) {
                    product.close();
                }
            }
        }
        Dnnl.dnnl_memory_desc_destroy(layout);
    }
}
