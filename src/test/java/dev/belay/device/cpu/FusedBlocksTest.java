package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.Closeness;
import dev.belay.Closeness.Expected;
import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.FeedForwardSpace;
import dev.belay.device.HeadTerms;
import dev.belay.device.KeyValues;
import dev.belay.device.ProjectionSpace;
import dev.belay.device.QkvPart;
import dev.belay.device.TokenLayout;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Steps that are done block by block, against float64 and against the steps one by one. With {@value FusedBlocks#BLOCK} tokens in a
 * block, 400 tokens are three blocks and one of 16, 519 four and one of 7.
 */
class FusedBlocksTest {
    private static final float EPS = 1e-5f;

    /** Room that fused steps do not touch. */
    private static FeedForwardSpace unused() {
        return new FeedForwardSpace(null, null, null);
    }

    @ParameterizedTest
    @CsvSource({"1, 400, 100, 48", "2, 400, 64, 600", "3, 519, 17, 33", "2, 256, 100, 1100"})
    void feedForward(int threads, int tokens, int width, int inner) {
        float[] x = OpData.outliers(1, tokens, width);
        float[] norm = OpData.normal(2, width);
        float[] gate = scaled(OpData.normal(3, inner * width), width);
        float[] up = scaled(OpData.normal(4, inner * width), width);
        float[] down = scaled(OpData.normal(5, width * inner), inner);
        Expected expected = feedForward(x, norm, gate, up, down, tokens, width, inner);
        try (CpuDevice device = CpuDevice.open(DType.F32, threads, false);
                CpuBuffer stream = OpData.output(device, x.length);
                CpuBuffer weight = OpData.upload(device, "norm", norm);
                CpuMatrix gateUp = device.matrix(
                        "gateUp",
                        List.of(OpData.host("gate", gate, inner, width), OpData.host("up", up, inner, width)));
                CpuMatrix last = OpData.matrix(device, "down", down, width, inner)) {
            stream.write(0, x, 0, x.length);
            assertTrue(device.fuses(tokens));
            device.feedForward(stream, weight, EPS, tokens, gateUp, last, unused());
            // Two sums of W and one of F products, a norm, an exp and their quotient; a missing panel is off by 1/8 or
            // more.
            double relative = (2.0 * width + inner + 20) * Closeness.UNIT;
            float[] actual = OpData.download(stream, x.length);
            Closeness.assertClose(expected, actual, 0, relative, width, tokens + " tokens");
        }
    }

    private static float[] scaled(float[] values, int terms) {
        for (int i = 0; i < values.length; i++) {
            values[i] /= (float) Math.sqrt(terms);
        }
        return values;
    }

    /** Scale is |x| + Σ |down| · (|silu(gate)| + Σ|terms of gate|) · Σ|terms of up|. */
    private static Expected feedForward(
            float[] x, float[] norm, float[] gate, float[] up, float[] down, int tokens, int width, int inner) {
        double[] values = new double[x.length];
        double[] scale = new double[x.length];
        double[] normed = new double[width];
        for (int t = 0; t < tokens; t++) {
            normalize(x, t * width, norm, normed);
            for (int i = 0; i < width; i++) {
                values[t * width + i] = x[t * width + i];
                scale[t * width + i] = Math.abs(x[t * width + i]);
            }
            for (int f = 0; f < inner; f++) {
                double g = 0;
                double gTerms = 0;
                double u = 0;
                double uTerms = 0;
                for (int i = 0; i < width; i++) {
                    g += normed[i] * gate[f * width + i];
                    gTerms += Math.abs(normed[i] * gate[f * width + i]);
                    u += normed[i] * up[f * width + i];
                    uTerms += Math.abs(normed[i] * up[f * width + i]);
                }
                double silu = g / (1 + Math.exp(-g));
                for (int i = 0; i < width; i++) {
                    double w = down[i * inner + f];
                    values[t * width + i] += w * silu * u;
                    scale[t * width + i] += Math.abs(w) * (Math.abs(silu) + gTerms) * uTerms;
                }
            }
        }
        return new Expected(values, scale);
    }

    private static void normalize(float[] x, int from, float[] norm, double[] normed) {
        double squares = 0;
        for (int i = 0; i < normed.length; i++) {
            squares += (double) x[from + i] * x[from + i];
        }
        double scale = 1 / Math.sqrt(squares / normed.length + EPS);
        for (int i = 0; i < normed.length; i++) {
            normed[i] = x[from + i] * scale * norm[i];
        }
    }

    /**
     * A block is as many rows of the same sums as the steps' own blocks: all bits are equal, in both types. Gate and up weights that are
     * one tensor are not cut into halves, and so not fused.
     */
    @ParameterizedTest
    @CsvSource({"F32, false, 2", "BF16, true, 2", "F32, false, 1"})
    void theSameBitsAsTheSteps(DType dtype, boolean bfloat16, int parts) {
        AttentionShape shape = new AttentionShape(5, 1, 20, 20, 0.2f);
        int width = 100;
        int tokens = 519;
        TokenLayout layout = new TokenLayout();
        for (int start : new int[] {0, 200}) {
            layout.addRow(0, 0, start);
            for (int p = 0; p < (start == 0 ? 200 : 319); p++) {
                layout.addToken(0, p);
            }
        }
        try (CpuDevice device = CpuDevice.open(dtype, 2, bfloat16);
                CpuBuffer x = OpData.upload(device, "x", OpData.outliers(1, tokens, width));
                CpuBuffer norm = OpData.upload(device, "norm", OpData.normal(2, width));
                CpuBuffer rope = OpData.upload(device, "rope", OpData.normal(3, 320 * 20));
                CpuMatrix qkv = OpData.matrix(device, "qkv", OpData.normal(4, 140 * width), 140, width);
                CpuMatrix gateUp = device.matrix(
                        "gateUp",
                        Collections.nCopies(
                                parts, OpData.host("part", OpData.normal(5, 96 / parts * width), 96 / parts, width)));
                CpuMatrix down = OpData.matrix(device, "down", OpData.normal(6, 48 * width), width, 48);
                CpuBuffer normed = device.allocateRounded("normed", (long) tokens * width);
                CpuBuffer products = device.allocate("products", (long) tokens * 140);
                CpuBuffer activated = device.allocateRounded("activated", (long) tokens * 48);
                CpuBuffer q1 = OpData.output(device, tokens * 100L);
                CpuBuffer q2 = OpData.output(device, tokens * 100L);
                KeyValues cache1 = device.keyValues("one", tokens, 20, bfloat16);
                KeyValues cache2 = device.keyValues("two", tokens, 20, bfloat16)) {
            ProjectionSpace space = new ProjectionSpace(null, null);
            device.project(x, norm, EPS, qkv, layout, shape, HeadTerms.NONE, rope, space, q1, cache1);
            device.rmsNorm(x, norm, EPS, tokens, width, normed);
            device.matmul(normed, width, 0, tokens, qkv, products, 0, false);
            device.rotate(QkvPart.ALL, products, layout, shape, HeadTerms.NONE, rope, q2, cache2);
            same(q2, q1, tokens * 100, "queries");
            same(cache2.keys(), cache1.keys(), (int) cache1.keys().elements(), "keys");
            same(cache2.values(), cache1.values(), (int) cache1.values().elements(), "values");

            float[] before = OpData.read(x, 0, tokens * width);
            FeedForwardSpace room = parts == 2 ? unused() : new FeedForwardSpace(normed, products, activated);
            device.feedForward(x, norm, EPS, tokens, gateUp, down, room);
            try (CpuBuffer fused = OpData.upload(device, "fused", OpData.read(x, 0, before.length))) {
                x.write(0, before, 0, before.length);
                device.rmsNorm(x, norm, EPS, tokens, width, normed);
                device.matmul(normed, width, 0, tokens, gateUp, products, 0, false);
                device.swiglu(products, tokens, 48, activated);
                device.matmul(activated, 48, 0, tokens, down, x, 0, true);
                same(x, fused, before.length, "residual stream");
            }
        }
    }

    private static void same(DeviceBuffer expected, DeviceBuffer actual, int count, String what) {
        Closeness.assertSame(OpData.read(expected, 0, count), OpData.read(actual, 0, count), 0, 20, what);
    }

    @Test
    void fewTokensAreNotFused() {
        try (CpuDevice device = CpuDevice.open(DType.F32, 2, false)) {
            assertFalse(device.fuses(2 * FusedBlocks.BLOCK - 1));
            assertTrue(device.fuses(2 * FusedBlocks.BLOCK));
        }
    }

    @Test
    void weightsThatDoNotFitTogetherAreNamed() {
        int tokens = 2 * FusedBlocks.BLOCK;
        try (CpuDevice device = CpuDevice.open(DType.F32, 2, false);
                CpuBuffer x = device.allocate("x", tokens * 16L);
                CpuBuffer norm = device.allocate("norm", 16);
                CpuMatrix gateUp =
                        device.matrix("g", Collections.nCopies(2, OpData.host("g", new float[20 * 16], 20, 16)));
                CpuMatrix down = OpData.matrix(device, "d", new float[16 * 21], 16, 21)) {
            String message = assertThrows(
                            DeviceException.class,
                            () -> device.feedForward(x, norm, EPS, tokens, gateUp, down, unused()))
                    .getMessage();
            assertEquals("feedForward of g [40, 16] and d [16, 21]: they do not fit together", message);
        }
    }
}
