package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.SoftCuda;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.CudaProducts.Plan;
import dev.belay.device.cuda.CudaProducts.Shape;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Matrix products by the kernels and by cuBLASLt. What the sizes hit:
 *
 * <pre>
 *   tokens 1, 2 / 3, 4 / 5, 8   matvec with 16, 32 and 64 rows a block
 *   tokens 9, 64, 65, 300       tiles, the last one partly filled; 128 x 128 and 64 x 64 where a test says which
 *   rows 1, 15, 64, 129, 600    one and more tiles or groups, whole and partly filled
 *   columns 1, 7, 8             less than a 16-byte unit and one, of bf16
 *   columns 32, 96              whole 64-byte stages: fewer than, and as many as there are before the loop
 *   columns 100, 257, 600       a last stage that is partly filled; odd: numbers one by one
 *   columns 2048                all warps of matvec, several rounds of each
 * </pre>
 *
 * Extra numbers between columns and stride, and starts, that are no multiple of 16 bytes take the numbers one by one.
 */
@Tag("kernel")
class CudaMatmulTest {
    private static TestKernels kernels;
    private static CudaProducts own;
    private static CudaProducts library;

    /**
     * A product on the device: what lies between the columns and the stride of inputs is NaN. Whole numbers are so small that every sum
     * of products is exact, in any order.
     */
    private record Case(Shape shape, int aSkip, int wSkip, int outSkip, boolean bias, boolean whole) {
        private static final int SEED = 11;

        float[] a() {
            return values(SEED, shape.tokens());
        }

        float[] weights() {
            return values(SEED + 1, shape.rows());
        }

        float[] before() {
            return numbers(SEED + 2, shape.tokens() * shape.outStride());
        }

        float[] biases() {
            return numbers(SEED + 3, shape.rows());
        }

        private float[] values(int seed, int rows) {
            float[] values = numbers(seed, rows * shape.columns());
            return shape.dtype() == DType.BF16 ? OpData.rounded(values) : values;
        }

        private float[] numbers(int seed, int count) {
            float[] values = OpData.normal(seed, count);
            if (whole) {
                for (int i = 0; i < count; i++) {
                    values[i] = Math.round(4 * values[i]);
                }
            }
            return values;
        }

        Kind kind() {
            return shape.dtype() == DType.BF16 ? Kind.BF16 : Kind.F32;
        }

        Expected expected() {
            float[] a = a();
            float[] w = weights();
            float[] before = before();
            float[] biases = biases();
            int columns = shape.columns();
            double[] values = new double[shape.tokens() * shape.rows()];
            double[] scale = new double[values.length];
            for (int t = 0; t < shape.tokens(); t++) {
                for (int r = 0; r < shape.rows(); r++) {
                    double first = shape.accumulate() ? before[t * shape.outStride() + r] : 0;
                    double second = bias ? biases[r] : 0;
                    double sum = first + second;
                    double size = Math.abs(first) + Math.abs(second);
                    for (int c = 0; c < columns; c++) {
                        double term = (double) a[t * columns + c] * w[r * columns + c];
                        sum += term;
                        size += Math.abs(term);
                    }
                    values[t * shape.rows() + r] = sum;
                    scale[t * shape.rows() + r] = size;
                }
            }
            return new Expected(values, scale);
        }

        /**
         * Each of the columns' sums rounds once at most, in any order, and the bias and what out held once more. The tensor core cuts
         * sums off instead of rounding them, which is 2 units; the products of bf16 are exact, those of float32 are part of an fma, or
         * round once on their own.
         */
        double tolerance() {
            return whole ? 0 : (2.0 * shape.columns() + 3) * UNIT;
        }

        String what() {
            return shape + ", starts " + aSkip + ", " + wSkip + ", " + outSkip + (bias ? ", bias" : "")
                    + (whole ? ", whole numbers" : "");
        }
    }

    private interface Launch {
        void start(long a, long weights, long bias, long out);
    }

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
        own = new KernelProducts(kernels.context(), kernels.module(), "under test");
        CudaLibrary cublas = CudaLibrary.products();
        String named = System.getProperty(CudaLibrary.PRODUCTS_PROPERTY, CudaLibrary.NONE);
        assertTrue(cublas.loaded() || named.equals(CudaLibrary.NONE), cublas.reason());
        if (cublas.loaded()) {
            library = CudaProducts.open(kernels.context(), kernels.module());
        }
    }

    /** Leaves the test out where there is no cuBLASLt, which Belay does without. */
    private static CudaProducts library() {
        assumeTrue(library != null, CudaLibrary.products().reason());
        return library;
    }

    @AfterAll
    static void close() {
        for (CudaProducts products : new CudaProducts[] {own, library}) {
            if (products != null) {
                products.close();
            }
        }
        if (kernels != null) {
            kernels.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, 1, 0, 0",
        "1, 64, 2048, 0, 0",
        "1, 600, 600, 0, 0",
        "2, 15, 96, 0, 0",
        "3, 129, 257, 0, 0",
        "4, 64, 100, 4, 0",
        "5, 129, 2048, 0, 0",
        "8, 600, 600, 8, 8",
        "8, 64, 96, 0, 1",
        "7, 1, 7, 2, 2",
        "9, 64, 32, 0, 0",
        "9, 15, 1, 0, 3",
        "64, 64, 96, 0, 0",
        "64, 129, 2048, 8, 0",
        "65, 600, 100, 4, 4",
        "65, 129, 8, 8, 8",
        "130, 70, 257, 0, 1",
        "300, 129, 600, 16, 32",
        "300, 15, 7, 1, 0"
    })
    void multiplies(int tokens, int rows, int columns, int extra, int skip) {
        for (DType dtype : DType.values()) {
            for (boolean accumulate : new boolean[] {false, true}) {
                int outStride = rows + (accumulate ? 3 : 0);
                Shape shape = new Shape(
                        tokens, rows, columns, columns + extra, columns + 2 * extra, outStride, dtype, accumulate);
                for (boolean whole : new boolean[] {false, true}) {
                    Case product = new Case(shape, skip, 2 * skip, accumulate ? 1 : 0, false, whole);
                    Expected expected = product.expected();
                    check(product, expected, run(product, own), own.description());
                    if (library != null) {
                        check(product, expected, run(product, library), library.description());
                    }
                }
            }
        }
    }

    /** Every kernel, the large tiles too, which need more blocks than tests have time for; with a bias. */
    @ParameterizedTest
    @CsvSource({"1, 40, 96, 0", "3, 70, 264, 0", "8, 130, 520, 1", "8, 64, 32, 0", "140, 150, 104, 0", "129, 129, 70, 1"
    })
    void everyKernelAddsABias(int tokens, int rows, int columns, int skip) {
        for (KernelSignature kernel : products()) {
            if (kernel.sharedBytes() > 0 || tokens <= KernelCatalog.MATVEC_TOKENS) {
                for (boolean accumulate : new boolean[] {false, true}) {
                    Shape shape = new Shape(
                            tokens, rows, columns, columns + 8, columns, rows + rows % 2, typeOf(kernel), accumulate);
                    for (boolean whole : new boolean[] {false, true}) {
                        Case product = new Case(shape, skip, skip, skip, true, whole);
                        check(product, product.expected(), run(product, kernel), kernel.name());
                    }
                }
            }
        }
    }

    /** A token alone and the same token in a batch: the same bits, and the same in both tile sizes. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void aTokenDoesNotDependOnTheOthers(DType dtype) {
        int rows = 70;
        int columns = 600;
        for (KernelSignature kernel : products()) {
            if (typeOf(kernel) == dtype) {
                boolean tiles = kernel.sharedBytes() > 0;
                float[] all = run(plain(tiles ? 150 : 8, rows, columns, dtype), kernel);
                for (int tokens : tiles ? new int[] {1, 66} : new int[] {1, 2, 3, 5}) {
                    float[] few = run(plain(tokens, rows, columns, dtype), kernel);
                    assertArrayEquals(Arrays.copyOf(all, few.length), few, kernel.name() + " of " + tokens);
                }
            }
        }
        boolean half = dtype == DType.BF16;
        assertArrayEquals(
                run(plain(140, 200, 257, dtype), half ? KernelCatalog.MATMUL_BF16_F32 : KernelCatalog.MATMUL_F32),
                run(
                        plain(140, 200, 257, dtype),
                        half ? KernelCatalog.MATMUL_SMALL_BF16_F32 : KernelCatalog.MATMUL_SMALL_F32));
    }

    /** Where numbers are fetched one by one, they are summed as where they come in units of 16 bytes. */
    @Test
    void alignmentDoesNotChangeTheBits() {
        for (KernelSignature kernel : products()) {
            Case aligned = plain(6, 70, 600, typeOf(kernel));
            Case odd = new Case(aligned.shape(), 1, 3, 0, false, false);
            assertArrayEquals(run(aligned, kernel), run(odd, kernel), kernel.name());
        }
    }

    @Test
    void plansAreKept() {
        Shape shape = plain(12, 16, 32, DType.BF16).shape();
        Shape same = plain(12, 16, 32, DType.BF16).shape();
        long address = 1L << 20;
        assertSame(own.plan(shape, address, address, address), own.plan(same, address, address, address));
        Plan plan = library().plan(shape, address, address, address);
        assertSame(plan, library().plan(same, address + 16, address + 256, address + 32));
        assertNotSame(plan, library().plan(shape, address + 2, address, address), "another alignment");
        assertNotSame(plan, library().plan(plain(13, 16, 32, DType.BF16).shape(), address, address, address));
    }

    /** An address that is no multiple of a number is what softcuda's library has no algorithm for: the plan is the kernels'. */
    @Test
    void whatTheLibraryCannotDoIsForTheKernels() {
        SoftCuda.requireInUse();
        Shape shape = plain(12, 16, 32, DType.BF16).shape();
        long address = 1L << 20;
        Plan plan = library().plan(shape, address + 1, address, address);
        assertEquals("KernelPlan", plan.getClass().getSimpleName());
    }

    /** NVIDIA's library may not look at addresses, and the GPU be lost for the tests that follow. */
    @Test
    void aFailureNamesTheProductAndTheStatus() {
        SoftCuda.requireInUse();
        Plan plan = library().plan(plain(12, 16, 32, DType.BF16).shape(), 1L << 20, 1L << 20, 1L << 20);
        DeviceException e = assertThrows(DeviceException.class, () -> plan.launch(0, 0, 0, CudaKernel.DEFAULT_STREAM));
        assertTrue(e.getMessage().startsWith("cublasLtMatmul(Shape[tokens=12, rows=16, columns=32,"), e.getMessage());
        assertTrue(e.getMessage().contains("CUBLAS_STATUS_INVALID_VALUE (7)"), e.getMessage());
    }

    @Test
    void impossibleShapesAreRefused() {
        DeviceException e = assertThrows(
                DeviceException.class, () -> new Shape(2, 4, 8, 7, 8, 4, DType.F32, false), "stride of a too small");
        assertTrue(e.getMessage().contains("2 × 8 (stride 7)"), e.getMessage());
        assertThrows(DeviceException.class, () -> new Shape(0, 4, 8, 8, 8, 4, DType.F32, false), "no token");
    }

    @Test
    void theDescriptionSaysWhatComputes() {
        assertEquals("own kernels (under test)", own.description());
        assertTrue(library().description().matches("cuBLASLt 1[23]\\.\\d+"), library.description());
    }

    /** By the kernels and by the library, one token and many, overwriting and accumulating; with a bias at another address, and without. */
    @Test
    void aBiasIsPartOfTheProduct() {
        for (DType dtype : DType.values()) {
            for (int tokens : new int[] {1, 9, 70}) {
                for (boolean accumulate : new boolean[] {false, true}) {
                    Shape shape = new Shape(tokens, 48, 64, 64, 64, 48, dtype, accumulate);
                    Case product = new Case(shape, 0, 0, 0, true, false);
                    Expected expected = product.expected();
                    check(product, expected, run(product, own), own.description());
                    if (CudaLibrary.products().loaded()) {
                        check(product, expected, run(product, library), library.description());
                        Case plain = new Case(shape, 0, 0, 0, false, false);
                        check(plain, plain.expected(), run(plain, library), library.description());
                        check(product, expected, run(product, library), library.description());
                    }
                }
            }
        }
    }

    private static List<KernelSignature> products() {
        return KernelCatalog.all().stream()
                .filter(kernel -> kernel.name().startsWith("belay_mat"))
                .toList();
    }

    private static DType typeOf(KernelSignature kernel) {
        return kernel.name().contains("bf16") ? DType.BF16 : DType.F32;
    }

    private static Case plain(int tokens, int rows, int columns, DType dtype) {
        return new Case(new Shape(tokens, rows, columns, columns, columns, rows, dtype, false), 0, 0, 0, false, false);
    }

    private static void check(Case product, Expected expected, float[] actual, String by) {
        String what = product.what() + " by " + by;
        Closeness.assertClose(
                expected, actual, 0, product.tolerance(), product.shape().rows(), what);
    }

    private static float[] run(Case product, CudaProducts products) {
        return run(
                product,
                (a, weights, bias, out) -> products.plan(product.shape(), a, weights, bias, out)
                        .launch(a, weights, bias, out, CudaKernel.DEFAULT_STREAM));
    }

    private static float[] run(Case product, KernelSignature signature) {
        Shape shape = product.shape();
        CudaKernel kernel = kernels.kernel(signature);
        LaunchShape grid = signature.sharedBytes() > 0
                ? KernelCatalog.matmulShape(signature, shape.tokens(), shape.rows())
                : KernelCatalog.matvecShape(shape.tokens(), shape.rows());
        return run(
                product,
                (a, weights, bias, out) -> kernel.pointer(a)
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
                        .launch(grid, CudaKernel.DEFAULT_STREAM));
    }

    /** out [T, rows]; fails if anything between its rows and its stride changed. */
    private static float[] run(Case product, Launch launch) {
        Shape shape = product.shape();
        float[] before = product.before();
        if (!shape.accumulate()) {
            Arrays.fill(before, Float.NaN);
        }
        float[] after;
        try (TestArray a = input(product, "a", product.a(), shape.aStride(), product.aSkip());
                TestArray w = input(product, "weights", product.weights(), shape.wStride(), product.wSkip());
                TestArray bias = kernels.floats("bias", product.biases());
                TestArray out = kernels.floats("out", before, product.outSkip())) {
            launch.start(a.address(), w.address(), product.bias() ? bias.address() : 0, out.address());
            kernels.context().synchronize();
            after = out.values();
        }
        float[] result = new float[shape.tokens() * shape.rows()];
        for (int t = 0; t < shape.tokens(); t++) {
            int start = t * shape.outStride();
            System.arraycopy(after, start, result, t * shape.rows(), shape.rows());
            int end = start + shape.outStride();
            assertArrayEquals(
                    Arrays.copyOfRange(before, start + shape.rows(), end),
                    Arrays.copyOfRange(after, start + shape.rows(), end),
                    product.what() + ": behind row " + t);
        }
        return result;
    }

    private static TestArray input(Case product, String name, float[] values, int stride, int skip) {
        int columns = product.shape().columns();
        int rows = values.length / columns;
        float[] spread = new float[(rows - 1) * stride + columns];
        Arrays.fill(spread, Float.NaN);
        for (int i = 0; i < rows; i++) {
            System.arraycopy(values, i * columns, spread, i * stride, columns);
        }
        return kernels.array(name, product.kind(), spread, skip);
    }
}
