package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.bindings.cublas.Cublas;
import dev.belay.bindings.cublas.cublasLtMatmulHeuristicResult_t;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.io.Resources;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Products by cuBLASLt, each by the algorithm that its heuristic puts first. cuBLASLt thinks in column order, in which a row-order matrix
 * is its own transpose: D = outᵀ [rows, T] = op(A) B with A = wᵀ, transposed back, and B = aᵀ, where a bias of D's rows is an epilogue.
 * Products that it has no algorithm for are computed by the own kernels. A token's result may depend on the number of tokens, by rounding.
 */
final class CublasLtProducts implements CudaProducts {
    /** Most bytes of device memory that an algorithm may use for itself; none where the device has no room for them. */
    private static final long WORKSPACE_BYTES = 32L << 20;

    /** The workspace is taken where as many would be free. */
    private static final int LEAST_SHARE = 8;

    /** No algorithm asks for more alignment. */
    private static final int MAX_ALIGNMENT = 16;

    /** cublasLtMatmul with device addresses as numbers, so that a launch makes no objects of them. */
    private static final MethodHandle MATMUL = Linker.nativeLinker()
            .downcallHandle(
                    Cublas.cublasLtMatmul$address(),
                    FunctionDescriptor.of(
                            JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS,
                            JAVA_LONG, ADDRESS, JAVA_LONG, ADDRESS, ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS));

    /** A shape and the alignments, in bytes, of a, w, bias and out; that of the bias is 0 where there is none. */
    private record Key(Shape shape, int a, int weights, int bias, int out) {}

    /** What is destroyed when the products close. */
    private final List<Runnable> owned = new ArrayList<>();

    private final Map<Key, Plan> plans = new HashMap<>();
    private final Arena arena = Arena.ofShared();
    private final CudaContext context;
    private final KernelProducts kernels;
    private final MemorySegment handle;
    private final MemorySegment one = arena.allocateFrom(JAVA_FLOAT, 1);
    private final MemorySegment zero = arena.allocateFrom(JAVA_FLOAT, 0);
    private final CudaMemory workspace;
    private boolean closed;

    private CublasLtProducts(CudaContext context, CudaModule module, MemorySegment handle) {
        this.context = context;
        this.handle = handle;
        kernels = new KernelProducts(context, module, "cuBLASLt has no algorithm");
        workspace = workspace(context);
    }

    /** Taken before weights and buffers, so that it is never what a run in its middle has no room for; null on a small device. */
    private static CudaMemory workspace(CudaContext context) {
        return CudaMemoryInfo.ofCurrent().free() < LEAST_SHARE * WORKSPACE_BYTES
                ? null
                : context.allocate("workspace of matrix products", WORKSPACE_BYTES);
    }

    /** Opens the library that {@link CudaLibrary#products()} has loaded; the module computes what the library cannot. */
    static CublasLtProducts open(CudaContext context, CudaModule module) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment handle = local.allocate(ADDRESS);
            check(Cublas.cublasLtCreate(handle), "cublasLtCreate", "the device " + context.name());
            return new CublasLtProducts(context, module, handle.get(ADDRESS, 0));
        }
    }

    /**
     * Descriptors and algorithm of a product.
     *
     * @param bias where the operation's bias is put before a launch; null where there is none
     * @param workspace 0 where the algorithm needs none
     */
    private record LtPlan(
            MemorySegment handle,
            MemorySegment operation,
            MemorySegment weightsLayout,
            MemorySegment aLayout,
            MemorySegment outLayout,
            MemorySegment bias,
            MemorySegment alpha,
            MemorySegment beta,
            MemorySegment algorithm,
            long workspace,
            long workspaceBytes,
            Shape shape)
            implements Plan {
        @Override
        public void launch(long a, long weights, long biasAddress, long out, MemorySegment stream) {
            if (bias != null) {
                setBias(operation, bias, biasAddress, shape);
            }
            int status;
            try {
                status = (int) MATMUL.invokeExact(
                        handle,
                        operation,
                        alpha,
                        weights,
                        weightsLayout,
                        a,
                        aLayout,
                        beta,
                        out,
                        outLayout,
                        out,
                        outLayout,
                        algorithm,
                        workspace,
                        workspaceBytes,
                        stream);
            } catch (Error | RuntimeException e) {
                throw e;
            } catch (Throwable e) {
                throw new AssertionError("cublasLtMatmul throws nothing", e);
            }
            if (status != Cublas.CUBLAS_STATUS_SUCCESS()) {
                throw failure(status, "cublasLtMatmul", shape.toString());
            }
        }
    }

    @Override
    public Plan plan(Shape shape, long a, long weights, long bias, long out) {
        Key key = new Key(shape, alignment(a), alignment(weights), bias == 0 ? 0 : alignment(bias), alignment(out));
        Plan plan = plans.get(key);
        if (plan == null) {
            plan = make(key, a, weights, bias, out);
            plans.put(key, plan);
        }
        return plan;
    }

    /** The largest power of two, up to 16, that divides an address. */
    private static int alignment(long address) {
        return 1 << Math.min(Long.numberOfTrailingZeros(address), Integer.numberOfTrailingZeros(MAX_ALIGNMENT));
    }

    private Plan make(Key key, long a, long weights, long bias, long out) {
        Shape shape = key.shape();
        int type = shape.dtype() == DType.BF16 ? Cublas.CUDA_R_16BF() : Cublas.CUDA_R_32F();
        MemorySegment operation = operation(shape);
        MemorySegment biasAddress = null;
        if (bias != 0) {
            biasAddress = arena.allocate(JAVA_LONG);
            set(
                    operation,
                    Cublas.CUBLASLT_MATMUL_DESC_EPILOGUE(),
                    arena.allocateFrom(JAVA_INT, Cublas.CUBLASLT_EPILOGUE_BIAS()),
                    shape);
            // The heuristic looks at its alignment.
            setBias(operation, biasAddress, bias, shape);
        }
        MemorySegment weightsLayout = layout(shape, type, shape.columns(), shape.rows(), shape.wStride());
        MemorySegment aLayout = layout(shape, type, shape.columns(), shape.tokens(), shape.aStride());
        MemorySegment outLayout = layout(shape, Cublas.CUDA_R_32F(), shape.rows(), shape.tokens(), shape.outStride());
        MemorySegment result = arena.allocate(cublasLtMatmulHeuristicResult_t.layout());
        if (!choose(key, operation, weightsLayout, aLayout, outLayout, result)) {
            return kernels.plan(shape, a, weights, bias, out);
        }
        long needed = cublasLtMatmulHeuristicResult_t.workspaceSize(result);
        return new LtPlan(
                handle,
                operation,
                weightsLayout,
                aLayout,
                outLayout,
                biasAddress,
                one,
                shape.accumulate() ? one : zero,
                cublasLtMatmulHeuristicResult_t.algo(result),
                needed > 0 ? workspace.address() : 0,
                needed,
                shape);
    }

    private MemorySegment operation(Shape shape) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment created = local.allocate(ADDRESS);
            // With these the library neither rounds float32 to TF32 nor sums in less.
            int status = Cublas.cublasLtMatmulDescCreate(created, Cublas.CUBLAS_COMPUTE_32F(), Cublas.CUDA_R_32F());
            check(status, "cublasLtMatmulDescCreate", shape);
            MemorySegment operation = created.get(ADDRESS, 0);
            owned.add(() -> Cublas.cublasLtMatmulDescDestroy(operation));
            MemorySegment transposed = local.allocateFrom(JAVA_INT, Cublas.CUBLAS_OP_T());
            set(operation, Cublas.CUBLASLT_MATMUL_DESC_TRANSA(), transposed, shape);
            return operation;
        }
    }

    private static void setBias(MemorySegment operation, MemorySegment place, long address, Shape shape) {
        place.set(JAVA_LONG, 0, address);
        set(operation, Cublas.CUBLASLT_MATMUL_DESC_BIAS_POINTER(), place, shape);
    }

    private static void set(MemorySegment operation, int attribute, MemorySegment value, Shape shape) {
        int status = Cublas.cublasLtMatmulDescSetAttribute(operation, attribute, value, value.byteSize());
        check(status, "cublasLtMatmulDescSetAttribute", shape);
    }

    private MemorySegment layout(Shape shape, int type, long rows, long columns, long stride) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment created = local.allocate(ADDRESS);
            int status = Cublas.cublasLtMatrixLayoutCreate(created, type, rows, columns, stride);
            check(status, "cublasLtMatrixLayoutCreate", shape);
            MemorySegment layout = created.get(ADDRESS, 0);
            owned.add(() -> Cublas.cublasLtMatrixLayoutDestroy(layout));
            return layout;
        }
    }

    /** Puts the heuristic's first algorithm into {@code result}; false if it knows none. */
    private boolean choose(
            Key key,
            MemorySegment operation,
            MemorySegment w,
            MemorySegment a,
            MemorySegment out,
            MemorySegment result) {
        try (Arena local = Arena.ofConfined()) {
            MemorySegment created = local.allocate(ADDRESS);
            check(Cublas.cublasLtMatmulPreferenceCreate(created), "cublasLtMatmulPreferenceCreate", key.shape());
            MemorySegment preference = created.get(ADDRESS, 0);
            try {
                MemorySegment bytes = local.allocateFrom(JAVA_LONG, workspace == null ? 0 : WORKSPACE_BYTES);
                prefer(key, preference, Cublas.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES(), bytes);
                int[] attributes = {
                    Cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES(),
                    Cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES(),
                    Cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES(),
                    Cublas.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES()
                };
                int[] alignments = {key.weights(), key.a(), key.out(), key.out()};
                for (int i = 0; i < attributes.length; i++) {
                    prefer(key, preference, attributes[i], local.allocateFrom(JAVA_INT, alignments[i]));
                }
                MemorySegment count = local.allocateFrom(JAVA_INT, 0);
                int status = Cublas.cublasLtMatmulAlgoGetHeuristic(
                        handle, operation, w, a, out, out, preference, 1, result, count);
                if (status == Cublas.CUBLAS_STATUS_NOT_SUPPORTED()) {
                    return false;
                }
                check(status, "cublasLtMatmulAlgoGetHeuristic", key.shape());
                return count.get(JAVA_INT, 0) > 0
                        && cublasLtMatmulHeuristicResult_t.state(result) == Cublas.CUBLAS_STATUS_SUCCESS();
            } finally {
                Cublas.cublasLtMatmulPreferenceDestroy(preference);
            }
        }
    }

    private static void prefer(Key key, MemorySegment preference, int attribute, MemorySegment value) {
        int status = Cublas.cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, value.byteSize());
        check(status, "cublasLtMatmulPreferenceSetAttribute", key.shape());
    }

    @Override
    public String description() {
        long version = Cublas.cublasLtGetVersion();
        return "cuBLASLt " + version / 10_000 + "." + version / 100 % 100;
    }

    private static void check(int status, String call, Object subject) {
        if (status != Cublas.CUBLAS_STATUS_SUCCESS()) {
            throw failure(status, call, subject.toString());
        }
    }

    private static DeviceException failure(int status, String call, String subject) {
        String name =
                Cublas.cublasLtGetStatusName(status).reinterpret(Long.MAX_VALUE).getString(0);
        String problem = call + "(" + subject + ") failed: " + name + " (" + status + ")";
        return status == Cublas.CUBLAS_STATUS_ALLOC_FAILED()
                ? new DeviceMemoryException(problem + DeviceMemoryException.ADVICE)
                : new DeviceException(problem + "; -Dbelay.cublas.library=none computes without cuBLASLt");
    }

    /** Frees everything; the work that was launched must be done. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            plans.clear();
            Resources all = new Resources();
            all.own(() -> check(Cublas.cublasLtDestroy(handle), "cublasLtDestroy", context.name()));
            all.own(arena);
            if (workspace != null) {
                all.own(workspace);
            }
            all.own(kernels);
            owned.forEach(Runnable::run);
            all.close();
        }
    }
}
