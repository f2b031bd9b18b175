package dev.belay.device.cuda;

import dev.belay.device.DType;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/**
 * Products by the kernels of {@code kernels/matmul.cu}: up to 8 tokens by matvec, more by tiles. Within each of the two a token's result
 * does not depend on the other tokens; between them it differs by rounding.
 */
final class KernelProducts implements CudaProducts {
    private final Map<KernelSignature, CudaKernel> kernels = new HashMap<>();
    private final Map<Shape, Plan> plans = new HashMap<>();
    private final CudaModule module;
    private final int multiprocessors;
    private final String reason;

    /** {@code reason} says why it is these that compute. */
    KernelProducts(CudaContext context, CudaModule module, String reason) {
        this.module = module;
        this.reason = reason;
        multiprocessors = context.multiprocessors();
    }

    private record KernelPlan(Shape shape, CudaKernel kernel, LaunchShape grid) implements Plan {
        @Override
        public void launch(long a, long weights, long bias, long out, MemorySegment stream) {
            kernel.pointer(a)
                    .i32(shape.aStride())
                    .pointer(weights)
                    .i32(shape.wStride())
                    .pointer(bias)
                    .pointer(out)
                    .i32(shape.outStride())
                    .i32(shape.tokens())
                    .i32(shape.rows())
                    .i32(shape.columns())
                    .i32(shape.accumulate() ? 1 : 0)
                    .launch(grid, stream);
        }
    }

    /** The kernels find out at run time how the addresses are aligned. */
    @Override
    public Plan plan(Shape shape, long a, long weights, long bias, long out) {
        Plan plan = plans.get(shape);
        if (plan == null) {
            plan = make(shape);
            plans.put(shape, plan);
        }
        return plan;
    }

    private Plan make(Shape shape) {
        if (shape.tokens() <= KernelCatalog.MATVEC_TOKENS) {
            KernelSignature kernel =
                    shape.dtype() == DType.BF16 ? KernelCatalog.MATVEC_BF16_F32 : KernelCatalog.MATVEC_F32;
            return new KernelPlan(shape, kernel(kernel), KernelCatalog.matvecShape(shape.tokens(), shape.rows()));
        }
        KernelSignature kernel = KernelCatalog.matmulOf(shape.dtype(), shape.tokens(), shape.rows(), multiprocessors);
        return new KernelPlan(shape, kernel(kernel), KernelCatalog.matmulShape(kernel, shape.tokens(), shape.rows()));
    }

    private CudaKernel kernel(KernelSignature signature) {
        return kernels.computeIfAbsent(signature, module::kernel);
    }

    @Override
    public String description() {
        return "own kernels (" + reason + ")";
    }

    /** The module owns the kernels. */
    @Override
    public void close() {
        plans.clear();
        kernels.clear();
    }
}
