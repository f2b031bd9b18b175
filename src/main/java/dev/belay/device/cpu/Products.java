package dev.belay.device.cpu;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The oneDNN primitives of one weight shape. A primitive is compiled for exact sizes and costs milliseconds to make, so token counts
 * are cut into few sizes: blocks of {@value #BLOCK}, a multiple of {@value #STEP}, and a rest below {@value #STEP}. With few tokens
 * the output features are cut into one part per thread instead. Looking one up allocates nothing.
 */
final class Products {
    static final int BLOCK = 128;
    static final int STEP = 16;
    private static final int SIZES = STEP + BLOCK / STEP;

    private final Cache cache;
    private final int rows;
    private final int columns;
    private final int stride;
    private final boolean bfloat16;
    private final int part;
    private final List<Product[]> whole = new ArrayList<>();
    private final List<Integer> strides = new ArrayList<>();

    private Products(Cache cache, int rows, int columns, int stride, boolean bfloat16) {
        this.cache = cache;
        this.rows = rows;
        this.columns = columns;
        this.stride = stride;
        this.bfloat16 = bfloat16;
        int share = (rows + cache.workers - 1) / cache.workers;
        this.part = Math.min(rows, (share + 63) / 64 * 64);
    }

    /** All primitives of a device, by weight shape. */
    static final class Cache implements AutoCloseable {
        private record Key(int rows, int columns, int stride, boolean bfloat16) {}

        private final OneDnn dnnl;
        private final int workers;
        private final Map<Key, Products> products = new HashMap<>();
        private final Map<Product.Shape, Product> made = new HashMap<>();

        Cache(OneDnn dnnl, int workers) {
            this.dnnl = dnnl;
            this.workers = workers;
        }

        Products of(int rows, int columns, int stride, boolean bfloat16) {
            return products.computeIfAbsent(
                    new Key(rows, columns, stride, bfloat16), k -> new Products(this, rows, columns, stride, bfloat16));
        }

        private Product make(Product.Shape shape) {
            return made.computeIfAbsent(shape, s -> new Product(dnnl, workers, s));
        }

        @Override
        public void close() {
            made.values().forEach(Product::close);
            made.clear();
        }
    }

    Cache cache() {
        return cache;
    }

    /** Output features in one part when the features are cut; the last part may be smaller. */
    int part() {
        return part;
    }

    /** The primitive for {@code tokens} (a size that {@link #cut} returns) and {@code features} (all rows, a part, or the last). */
    Product get(int tokens, int features, int aStride, int outStride, boolean accumulate) {
        Product[] table = table(aStride);
        int kind = features == rows ? 0 : features == part ? 1 : 2;
        int index = ((kind * 2 + (accumulate ? 1 : 0)) * (SIZES + 1)) + sizeIndex(tokens);
        Product product = table[index];
        if (product == null) {
            product = cache.make(
                    new Product.Shape(tokens, features, columns, aStride, stride, outStride, accumulate, bfloat16));
            table[index] = product;
        }
        return product;
    }

    /** The largest size that fits into {@code tokens}. */
    static int cut(int tokens) {
        if (tokens >= BLOCK) {
            return BLOCK;
        }
        return tokens < STEP ? tokens : tokens / STEP * STEP;
    }

    private static int sizeIndex(int tokens) {
        return tokens < STEP ? tokens : STEP + tokens / STEP - 1;
    }

    private Product[] table(int aStride) {
        for (int i = 0; i < strides.size(); i++) {
            if (strides.get(i) == aStride) {
                return whole.get(i);
            }
        }
        strides.add(aStride);
        whole.add(new Product[6 * (SIZES + 1)]);
        return whole.getLast();
    }
}
