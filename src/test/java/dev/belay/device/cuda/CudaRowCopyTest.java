package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The kernels that copy rows: embed, gather and round. They must give the very bits. What each width hits:
 *
 * <pre>
 *   1, 31, 33, 63     one number an access
 *   4, 36, 100        vectors of four, but single bf16 numbers where gathered
 *   8, 896, 3072      vectors in all kernels; one block a row, and two
 *   4096, 4100        several blocks a row, and a last one with little to do
 * </pre>
 *
 * With an odd start, or an odd stride, all take the accesses of one number.
 */
@Tag("kernel")
class CudaRowCopyTest {
    private static final int ROWS = 61;
    private static final int[] COUNTS = {1, 3, 33};

    private static TestKernels kernels;

    @BeforeAll
    static void open() {
        kernels = TestKernels.open();
    }

    @AfterAll
    static void close() {
        if (kernels != null) {
            kernels.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 0", "31, 0", "33, 0", "63, 0", "4, 0", "36, 0", "100, 0", "8, 0", "896, 0", "3072, 0", "4096, 0", "4100, 0",
        "8, 1", "4096, 3"
    })
    void embedsAndGathers(int width, int skip) {
        float[] all = OpData.outliers(1, ROWS, width);
        for (int count : COUNTS) {
            int[] indices = indices(count);
            for (Kind in : Kind.values()) {
                float[] source = of(in, all);
                float[] expected = new float[count * width];
                for (int i = 0; i < count; i++) {
                    System.arraycopy(source, indices[i] * width, expected, i * width, width);
                }
                KernelSignature embed = in == Kind.F32 ? KernelCatalog.EMBED_F32 : KernelCatalog.EMBED_BF16_F32;
                KernelSignature gather = in == Kind.F32 ? KernelCatalog.GATHER_F32 : KernelCatalog.GATHER_BF16;
                LaunchShape embedShape = KernelCatalog.embedShape(count, width);
                LaunchShape gatherShape = KernelCatalog.gatherShape(count, width);
                String what = count + " rows of " + width + " " + in + ", start " + skip;
                assertArrayEquals(
                        expected, rowsOf(embed, embedShape, in, all, skip, indices, width, Kind.F32), "embed " + what);
                assertArrayEquals(
                        expected, rowsOf(gather, gatherShape, in, all, skip, indices, width, in), "gather " + what);
            }
        }
    }

    /** Also of NaN, of zeros with a sign and of numbers below the normal ones. */
    @Test
    void gathersTheBitsOfAnything() {
        int width = 24;
        float[] odd = new float[2 * width];
        float[] some = {Float.NaN, Float.NEGATIVE_INFINITY, -0f, Float.MIN_VALUE, 1e-39f, Float.MAX_VALUE};
        for (int i = 0; i < odd.length; i++) {
            odd[i] = some[i % some.length];
        }
        int[] indices = {1, 1, 0};
        for (Kind kind : Kind.values()) {
            float[] source = of(kind, odd);
            KernelSignature gather = kind == Kind.F32 ? KernelCatalog.GATHER_F32 : KernelCatalog.GATHER_BF16;
            float[] actual = rowsOf(gather, KernelCatalog.gatherShape(3, width), kind, odd, 0, indices, width, kind);
            for (int i = 0; i < actual.length; i++) {
                int from = indices[i / width] * width + i % width;
                int expected = Float.floatToRawIntBits(source[from]);
                assertEquals(expected, Float.floatToRawIntBits(actual[i]), kind + ": bits of number " + i);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "1, 0, 0",
        "31, 0, 0",
        "33, 7, 2",
        "100, 0, 0",
        "8, 8, 4",
        "8, 5, 4",
        "8, 8, 1",
        "896, 0, 0",
        "3072, 1024, 512",
        "4096, 4, 0",
        "4100, 0, 0",
        "4096, 3, 3"
    })
    void rounds(int width, int padding, int column) {
        int stride = width + padding;
        for (int tokens : COUNTS) {
            float[] all = ofAllMagnitudes(tokens * stride);
            float[] rounded = OpData.rounded(all);
            float[] expected = new float[tokens * width];
            for (int t = 0; t < tokens; t++) {
                System.arraycopy(rounded, t * stride + column, expected, t * width, width);
            }
            try (TestArray in = kernels.floats("in", all);
                    TestArray out = kernels.output(Kind.BF16, expected.length, 0)) {
                CudaKernel kernel = kernels.kernel(KernelCatalog.ROUND_F32_BF16);
                kernel.pointer(in.address() + 4L * column)
                        .i32(stride)
                        .i32(width)
                        .pointer(out.address());
                kernels.run(kernel, KernelCatalog.roundShape(tokens, width));
                assertArrayEquals(expected, out.values(), tokens + " rows of " + width + " from column " + column);
            }
        }
    }

    private static float[] rowsOf(
            KernelSignature signature,
            LaunchShape shape,
            Kind in,
            float[] all,
            int skip,
            int[] indices,
            int width,
            Kind out) {
        try (TestArray source = kernels.array("in", in, all, skip);
                CudaMemory places = kernels.ints("indices", indices);
                TestArray result = kernels.output(out, indices.length * width, 0)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(source.address()).pointer(places).i32(width).pointer(result.address());
            kernels.run(kernel, shape);
            return result.values();
        }
    }

    private static float[] of(Kind kind, float[] values) {
        return kind == Kind.F32 ? values : OpData.rounded(values);
    }

    /** Neither ascending nor dense; the first is the last row, and one row comes twice. */
    private static int[] indices(int count) {
        int[] indices = new int[count];
        for (int i = 0; i < count; i++) {
            indices[i] = i == count - 1 ? ROWS - 1 : i * 41 % 37;
        }
        indices[count / 2] = ROWS - 1;
        return indices;
    }

    /** Numbers of every exponent, every fifth halfway between two of bf16, some of which round to infinity. */
    private static float[] ofAllMagnitudes(int count) {
        Random random = new Random(3);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            int bits = random.nextInt();
            bits = i % 5 == 0 ? bits & 0xffff0000 | 0x8000 : bits;
            values[i] = Float.isNaN(Float.intBitsToFloat(bits)) ? Float.MAX_VALUE : Float.intBitsToFloat(bits);
        }
        return values;
    }
}
