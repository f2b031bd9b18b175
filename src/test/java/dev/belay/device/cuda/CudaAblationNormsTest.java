package dev.belay.device.cuda;

import static dev.belay.Closeness.UNIT;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.belay.Closeness;
import dev.belay.device.DeviceException;
import dev.belay.device.cpu.NormReference;
import dev.belay.device.cpu.OpData;
import dev.belay.device.cuda.TestArray.Kind;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The ablation_norms kernels. What each shape (H, HD) and number G of chosen heads hits:
 *
 * <pre>
 *   (1, 1, 1), (3, 31, 2), (5, 33, 5)   one number an access; nothing left, one lane a head, two, and four
 *   (9, 32, 9), (32, 128, 32)           vectors of four numbers
 *   (300, 16, 300), (1024, 4, 7)        more heads, and more chosen, than a block has threads; the most heads
 *   (3, 1024, 3)                        more numbers a head than a warp takes at 16 a lane
 * </pre>
 *
 * With an odd start, all take the accesses of one number.
 */
@Tag("kernel")
class CudaAblationNormsTest {
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
        "1, 1, 1, 0",
        "3, 31, 2, 0",
        "5, 33, 5, 0",
        "9, 32, 9, 0",
        "32, 128, 32, 0",
        "32, 128, 32, 1",
        "300, 16, 300, 0",
        "1024, 4, 7, 0",
        "3, 1024, 3, 0"
    })
    void keepsTheNormOfEveryToken(int heads, int headSize, int groups, int skip) {
        int[] chosen = IntStream.range(0, groups).map(g -> heads - 1 - g).toArray();
        for (int tokens : new int[] {1, 3}) {
            float[] z = OpData.outliers(1, tokens, heads * headSize);
            for (Kind kind : Kind.values()) {
                float[] rounded = kind == Kind.F32 ? z : OpData.rounded(z);
                NormReference reference = new NormReference(rounded, tokens, heads, headSize, chosen);
                float[] actual = run(reference, tokens, heads, headSize, chosen, skip, kind);
                String what = tokens + " tokens, " + heads + " heads of " + headSize + " " + kind;
                // The terms are positive: each sum is off by one rounding a step (a lane's numbers, five steps over
                // lanes, the heads), a factor by two; the root halves the error of the quotient of two sums, and
                // quotient and root add two.
                int lane = Math.max(16, Math.ceilDiv(headSize, 32)) + 4;
                Closeness.assertClose(reference.norms(), actual, 0, (lane + 5 + heads + 2 + 2) * UNIT, groups, what);
            }
        }
    }

    /** A token without any output keeps its factor of 1, and so does one of which the chosen head was all. */
    @Test
    void whereNothingIsLeftTheFactorIsOne() {
        float[] z = {0, 0, 0, 0, 3, 4, 0, 0};
        float[] factors = {1, 1};
        float[] actual = run(z, factors, 2, 2, 2, new int[] {0, 1}, 0, Kind.F32);
        assertArrayEquals(new float[] {1, 1, 1, 1}, actual);
    }

    @Test
    void tooManyHeadsAreRefused() {
        assertThrows(DeviceException.class, () -> KernelCatalog.ablationNormsShape(1, 1025));
    }

    private static float[] run(
            NormReference reference, int tokens, int heads, int headSize, int[] chosen, int skip, Kind kind) {
        return run(reference.z(), reference.factors(), tokens, heads, headSize, chosen, skip, kind);
    }

    private static float[] run(
            float[] z, float[] factors, int tokens, int heads, int headSize, int[] chosen, int skip, Kind kind) {
        KernelSignature signature =
                kind == Kind.F32 ? KernelCatalog.ABLATION_NORMS_F32 : KernelCatalog.ABLATION_NORMS_BF16;
        try (TestArray in = kernels.array("z", kind, z, skip);
                TestArray gammas = kernels.floats("factors", factors);
                CudaMemory gone = kernels.ints("chosen", chosen);
                TestArray out = kernels.output(Kind.F32, tokens * chosen.length, 0)) {
            CudaKernel kernel = kernels.kernel(signature);
            kernel.pointer(in.address()).pointer(gammas.address()).pointer(gone);
            kernel.i32(chosen.length).i32(heads).i32(headSize).pointer(out.address());
            kernels.run(kernel, KernelCatalog.ablationNormsShape(tokens, heads));
            return out.values();
        }
    }
}
