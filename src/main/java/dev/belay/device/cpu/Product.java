package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.bindings.dnnl.dnnl_exec_arg_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * One oneDNN matmul primitive, out[M, N] (+)= a[M, K] · weights[N, K]ᵀ with fixed sizes and strides, and its memory handles for each
 * worker. Several workers may execute it at once, on different data.
 */
final class Product implements AutoCloseable {
    /** Sizes and strides (elements) of a product; {@code bfloat16} says what the inputs and weights are stored in. */
    record Shape(
            int m, int n, int k, int aStride, int weightStride, int outStride, boolean accumulate, boolean bfloat16) {}

    private static final int ARGUMENTS = 4;

    private final OneDnn dnnl;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment primitive;
    private final MemorySegment[] arguments;
    private final MemorySegment[][] memories;
    private MemorySegment scratchpad;

    Product(OneDnn dnnl, int workers, Shape shape) {
        this.dnnl = dnnl;
        int type = shape.bfloat16() ? Dnnl.dnnl_bf16() : Dnnl.dnnl_f32();
        MemorySegment a = matrix(shape.m(), shape.k(), shape.aStride(), 1, type);
        MemorySegment weights = matrix(shape.k(), shape.n(), 1, shape.weightStride(), type);
        MemorySegment out = matrix(shape.m(), shape.n(), shape.outStride(), 1, Dnnl.dnnl_f32());
        try {
            primitive = primitive(a, weights, out, shape);
            arguments = new MemorySegment[workers];
            memories = new MemorySegment[workers][];
            for (int w = 0; w < workers; w++) {
                memories[w] = new MemorySegment[] {memory(a), memory(weights), memory(out), memory(scratchpad)};
                arguments[w] = dnnl_exec_arg_t.allocateArray(ARGUMENTS, arena);
                bind(arguments[w], 0, Dnnl.DNNL_ARG_SRC(), memories[w][0]);
                bind(arguments[w], 1, Dnnl.DNNL_ARG_WEIGHTS(), memories[w][1]);
                bind(arguments[w], 2, Dnnl.DNNL_ARG_DST(), memories[w][2]);
                bind(arguments[w], 3, Dnnl.DNNL_ARG_SCRATCHPAD(), memories[w][3]);
            }
            dnnl.reserveScratch(Dnnl.dnnl_memory_desc_get_size(scratchpad));
        } finally {
            Dnnl.dnnl_memory_desc_destroy(a);
            Dnnl.dnnl_memory_desc_destroy(weights);
            Dnnl.dnnl_memory_desc_destroy(out);
            if (scratchpad != null) {
                Dnnl.dnnl_memory_desc_destroy(scratchpad);
            }
        }
    }

    /** Multiplies; the three are addresses of the first element. */
    void run(int worker, long a, long weights, long out) {
        MemorySegment[] memory = memories[worker];
        Dnnl.dnnl_memory_set_data_handle(memory[0], MemorySegment.ofAddress(a));
        Dnnl.dnnl_memory_set_data_handle(memory[1], MemorySegment.ofAddress(weights));
        Dnnl.dnnl_memory_set_data_handle(memory[2], MemorySegment.ofAddress(out));
        Dnnl.dnnl_memory_set_data_handle(memory[3], dnnl.scratch(worker));
        int status = Dnnl.dnnl_primitive_execute(primitive, dnnl.stream(worker), ARGUMENTS, arguments[worker]);
        if (status != 0) {
            OneDnn.check("dnnl_primitive_execute(matmul)", status);
        }
    }

    private MemorySegment primitive(MemorySegment a, MemorySegment weights, MemorySegment out, Shape shape) {
        MemorySegment attributes = OneDnn.create("dnnl_primitive_attr_create", Dnnl::dnnl_primitive_attr_create);
        MemorySegment postOps = OneDnn.create("dnnl_post_ops_create", Dnnl::dnnl_post_ops_create);
        MemorySegment description = MemorySegment.NULL;
        try {
            // Library scratchpads belong to the thread that made the primitive; ours to the worker that runs it.
            OneDnn.check(
                    "dnnl_primitive_attr_set_scratchpad_mode",
                    Dnnl.dnnl_primitive_attr_set_scratchpad_mode(attributes, Dnnl.dnnl_scratchpad_mode_user()));
            if (shape.accumulate()) {
                OneDnn.check(
                        "dnnl_post_ops_append_sum", Dnnl.dnnl_post_ops_append_sum(postOps, 1f, 0, Dnnl.dnnl_f32()));
                OneDnn.check(
                        "dnnl_primitive_attr_set_post_ops", Dnnl.dnnl_primitive_attr_set_post_ops(attributes, postOps));
            }
            description = OneDnn.create(
                    "dnnl_matmul_primitive_desc_create(" + shape + ")",
                    pd -> Dnnl.dnnl_matmul_primitive_desc_create(
                            pd, dnnl.engine(), a, weights, MemorySegment.NULL, out, attributes));
            MemorySegment created = description;
            MemorySegment needed = Dnnl.dnnl_primitive_desc_query_md(description, Dnnl.dnnl_query_scratchpad_md(), 0);
            scratchpad = OneDnn.create("dnnl_memory_desc_clone", md -> Dnnl.dnnl_memory_desc_clone(md, needed));
            return OneDnn.create("dnnl_primitive_create(" + shape + ")", p -> Dnnl.dnnl_primitive_create(p, created));
        } finally {
            Dnnl.dnnl_post_ops_destroy(postOps);
            Dnnl.dnnl_primitive_attr_destroy(attributes);
            if (description.address() != 0) {
                Dnnl.dnnl_primitive_desc_destroy(description);
            }
        }
    }

    private static MemorySegment matrix(int rows, int columns, int rowStride, int columnStride, int type) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment dims = call.allocate(12 * Long.BYTES);
            MemorySegment strides = call.allocate(12 * Long.BYTES);
            dims.setAtIndex(ValueLayout.JAVA_LONG, 0, rows);
            dims.setAtIndex(ValueLayout.JAVA_LONG, 1, columns);
            strides.setAtIndex(ValueLayout.JAVA_LONG, 0, rowStride);
            strides.setAtIndex(ValueLayout.JAVA_LONG, 1, columnStride);
            return OneDnn.create(
                    "dnnl_memory_desc_create_with_strides",
                    md -> Dnnl.dnnl_memory_desc_create_with_strides(md, 2, dims, type, strides));
        }
    }

    private MemorySegment memory(MemorySegment description) {
        return OneDnn.create(
                "dnnl_memory_create", m -> Dnnl.dnnl_memory_create(m, description, dnnl.engine(), MemorySegment.NULL));
    }

    private static void bind(MemorySegment arguments, int index, int role, MemorySegment memory) {
        MemorySegment argument = dnnl_exec_arg_t.asSlice(arguments, index);
        dnnl_exec_arg_t.arg(argument, role);
        dnnl_exec_arg_t.memory(argument, memory);
    }

    @Override
    public void close() {
        for (MemorySegment[] memory : memories) {
            for (MemorySegment m : memory) {
                Dnnl.dnnl_memory_destroy(m);
            }
        }
        Dnnl.dnnl_primitive_destroy(primitive);
        arena.close();
    }
}
