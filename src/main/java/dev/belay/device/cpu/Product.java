package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import java.lang.foreign.MemorySegment;

/**
 * One oneDNN matmul primitive, out[M, N] (+)= a[M, K] · weights[N, K]ᵀ with fixed sizes and strides and packed weights, and its memory
 * handles for each worker. Several workers may execute it at once, on different data.
 */
final class Product implements AutoCloseable {
    /** Sizes and strides (elements) of a product. */
    record Shape(int m, int n, int k, int aStride, int outStride, boolean accumulate, boolean bfloat16) {
        /** oneDNN's type of inputs and weights. */
        int type() {
            return bfloat16 ? Dnnl.dnnl_bf16() : Dnnl.dnnl_f32();
        }
    }

    private final Primitive primitive;

    /**
     * Compiles the primitive.
     *
     * @param weights description of the packed weights [K, N]
     */
    Product(OneDnn dnnl, int workers, Shape shape, MemorySegment weights) {
        MemorySegment a = OneDnn.matrix(shape.m(), shape.k(), shape.aStride(), 1, shape.type());
        MemorySegment out = OneDnn.matrix(shape.m(), shape.n(), shape.outStride(), 1, Dnnl.dnnl_f32());
        MemorySegment description = MemorySegment.NULL;
        try {
            description = describe(dnnl, shape, a, weights, out);
            int[] roles = {Dnnl.DNNL_ARG_SRC(), Dnnl.DNNL_ARG_WEIGHTS(), Dnnl.DNNL_ARG_DST()};
            MemorySegment[] operands = {a, weights, out};
            primitive = new Primitive(dnnl, workers, "matmul(" + shape + ")", description, roles, operands);
        } finally {
            destroy(description);
            Dnnl.dnnl_memory_desc_destroy(a);
            Dnnl.dnnl_memory_desc_destroy(out);
        }
    }

    /** The layout of weights [K, N] that oneDNN likes best for {@code shape}; the caller destroys it. */
    static MemorySegment packing(OneDnn dnnl, Shape shape) {
        MemorySegment a = OneDnn.matrix(shape.m(), shape.k(), shape.aStride(), 1, shape.type());
        MemorySegment out = OneDnn.matrix(shape.m(), shape.n(), shape.outStride(), 1, Dnnl.dnnl_f32());
        MemorySegment any = OneDnn.anyMatrix(shape.k(), shape.n(), shape.type());
        MemorySegment description = MemorySegment.NULL;
        try {
            description = describe(dnnl, shape, a, any, out);
            MemorySegment chosen = Dnnl.dnnl_primitive_desc_query_md(description, Dnnl.dnnl_query_weights_md(), 0);
            return OneDnn.create("dnnl_memory_desc_clone", md -> Dnnl.dnnl_memory_desc_clone(md, chosen));
        } finally {
            destroy(description);
            Dnnl.dnnl_memory_desc_destroy(a);
            Dnnl.dnnl_memory_desc_destroy(out);
            Dnnl.dnnl_memory_desc_destroy(any);
        }
    }

    private static MemorySegment describe(
            OneDnn dnnl, Shape shape, MemorySegment a, MemorySegment weights, MemorySegment out) {
        MemorySegment attributes = OneDnn.attributes();
        MemorySegment postOps = OneDnn.create("dnnl_post_ops_create", Dnnl::dnnl_post_ops_create);
        try {
            if (shape.accumulate()) {
                OneDnn.check(
                        "dnnl_post_ops_append_sum", Dnnl.dnnl_post_ops_append_sum(postOps, 1f, 0, Dnnl.dnnl_f32()));
                OneDnn.check(
                        "dnnl_primitive_attr_set_post_ops", Dnnl.dnnl_primitive_attr_set_post_ops(attributes, postOps));
            }
            return OneDnn.create(
                    "dnnl_matmul_primitive_desc_create(" + shape + ")",
                    pd -> Dnnl.dnnl_matmul_primitive_desc_create(
                            pd, dnnl.engine(), a, weights, MemorySegment.NULL, out, attributes));
        } finally {
            Dnnl.dnnl_post_ops_destroy(postOps);
            Dnnl.dnnl_primitive_attr_destroy(attributes);
        }
    }

    private static void destroy(MemorySegment description) {
        if (description.address() != 0) {
            Dnnl.dnnl_primitive_desc_destroy(description);
        }
    }

    /** Multiplies; the three are addresses of the first element. */
    void run(int worker, long a, long weights, long out) {
        primitive.bind(worker, 0, a);
        primitive.bind(worker, 1, weights);
        primitive.bind(worker, 2, out);
        primitive.execute(worker);
    }

    @Override
    public void close() {
        primitive.close();
    }
}
