package dev.belay.device.cuda;

import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import java.lang.foreign.MemorySegment;

/**
 * Matrix products on a stream: out[t, r] (+)= sum_c a[t, c] w[r, c] (+ bias[r]), the features of tokens times weights stored by output
 * feature; a bias is float32. For one thread and one stream at a time: launches share arguments and a workspace.
 */
interface CudaProducts extends AutoCloseable {
    /**
     * A product's shapes. All matrices are in row order. Numbers of a and w are f32, or both bf16; out is f32; sums are in float32.
     *
     * @param tokens rows of a and of out
     * @param rows rows of w, output features
     * @param columns numbers of a row of a and of w that are multiplied, input features
     * @param aStride numbers from a row of a to the next, at least {@code columns}
     * @param wStride numbers from a row of w to the next, at least {@code columns}
     * @param outStride numbers from a row of out to the next, at least {@code rows}
     * @param dtype numbers of a and w
     * @param accumulate whether the product is added to out
     */
    record Shape(
            int tokens,
            int rows,
            int columns,
            int aStride,
            int wStride,
            int outStride,
            DType dtype,
            boolean accumulate) {
        public Shape {
            if (tokens < 1 || rows < 1 || columns < 1 || aStride < columns || wStride < columns || outStride < rows) {
                throw new DeviceException(
                        "a product of " + tokens + " × " + columns + " (stride " + aStride + ") and " + rows
                                + " × " + columns + " (stride " + wStride + ") with out stride " + outStride
                                + " is impossible: sizes are at least 1, strides at least what a row holds");
            }
        }

        /** Bytes of a number of a and w. */
        int bytes() {
            return dtype == DType.BF16 ? Short.BYTES : Float.BYTES;
        }
    }

    /** A product ready to be launched many times; owned by the products. */
    interface Plan {
        /**
         * Starts the product on a stream. The addresses are aligned at least as those that the plan was made for.
         *
         * @param a device address of a[0, 0]
         * @param weights device address of w[0, 0]
         * @param bias device address of bias[0]; 0 if the plan was made without one, and only then
         * @param out device address of out[0, 0]
         */
        void launch(long a, long weights, long bias, long out, MemorySegment stream);

        /** Starts a product without a bias. */
        default void launch(long a, long weights, long out, MemorySegment stream) {
            launch(a, weights, 0, out, stream);
        }
    }

    /**
     * The products of this machine: cuBLASLt, or the own kernels where there is none, it cannot be opened or
     * {@code -Dbelay.cublas.library=none} turns it off.
     *
     * @param module the kernels, see {@link KernelCatalog}; stays open longer than the products
     */
    static CudaProducts open(CudaContext context, CudaModule module) {
        CudaLibrary library = CudaLibrary.products();
        if (!library.loaded()) {
            return new KernelProducts(context, module, library.reason());
        }
        try {
            return CublasLtProducts.open(context, module);
        } catch (DeviceException e) {
            return new KernelProducts(context, module, e.getMessage());
        }
    }

    /**
     * The plan of a shape, made on first use and kept. Finds the alignment it may rely on from the lowest set bits of the device
     * addresses.
     *
     * @param bias 0 where there is none
     */
    Plan plan(Shape shape, long a, long weights, long bias, long out);

    /** The plan of a shape without a bias. */
    default Plan plan(Shape shape, long a, long weights, long out) {
        return plan(shape, a, weights, 0, out);
    }

    /** What computes, with its version, for example "cuBLASLt 13.1" or "own kernels (no cuBLASLt library: ...)". */
    String description();

    @Override
    void close();
}
