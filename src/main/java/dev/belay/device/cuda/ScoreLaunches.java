package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.DType;
import dev.belay.device.PendingRead;
import dev.belay.device.Sampling;
import java.lang.foreign.MemorySegment;

/** The kernels whose results the host reads: sampled tokens, log-likelihoods, products with probes and with the directions of heads. */
final class ScoreLaunches {
    private final CudaDevice device;
    private final CudaStaging staging;
    private final CudaReadback readback;

    ScoreLaunches(CudaDevice device, CudaStaging staging, CudaReadback readback) {
        this.device = device;
        this.staging = staging;
        this.readback = readback;
    }

    /** As {@link dev.belay.device.Device#sample}, of at least one row. */
    void sample(
            CudaBuffer logits,
            int rows,
            int vocabulary,
            Sampling sampling,
            int[] texts,
            int[] positions,
            int[] tokens) {
        long bytes = (long) rows * Integer.BYTES;
        long chosen = device.scratch("sampled tokens", bytes);
        staging.room(4 * bytes + 256);
        CudaKernel kernel;
        if (sampling.temperature() == 0) {
            kernel = device.kernel(KernelCatalog.GREEDY_F32);
            kernel.pointer(logits.address()).i32(vocabulary).pointer(chosen);
        } else {
            kernel = device.kernel(KernelCatalog.SAMPLE_F32);
            kernel.pointer(logits.address())
                    .i32(vocabulary)
                    .f32(sampling.temperature())
                    .i32(sampling.topK())
                    .f32(sampling.topP())
                    .i64(sampling.seed())
                    .pointer(staging.ints(texts, rows))
                    .pointer(staging.ints(positions, rows))
                    .pointer(chosen);
        }
        device.queue().launch(kernel, KernelCatalog.sampleShape(rows));
        MemorySegment.copy(staging.fetch(chosen, bytes), JAVA_INT, 0, tokens, 0, rows);
    }

    /** As {@link dev.belay.device.Device#logitScores}, of at least one token. */
    PendingRead logitScores(CudaBuffer logits, int rows, int vocabulary, int[] first, int[] tokens, float[] out) {
        int count = first[rows];
        long bytes = (long) count * Float.BYTES;
        long scores = device.scratch("log-likelihoods", bytes);
        staging.room((rows + 1L + 2L * count) * Integer.BYTES + 256);
        CudaKernel kernel = device.kernel(KernelCatalog.LOGIT_SCORE_F32);
        kernel.pointer(logits.address())
                .i32(vocabulary)
                .pointer(staging.ints(first, rows + 1))
                .pointer(staging.ints(tokens, count))
                .pointer(scores);
        device.queue().launch(kernel, KernelCatalog.sampleShape(rows));
        return readback.read(scores, DType.F32, out, 0, count);
    }

    /** As {@link dev.belay.device.Device#headDots}, of at least one token. */
    PendingRead headDots(CudaBuffer z, CudaBuffer u, int tokens, int heads, int headSize, float[] out) {
        long bytes = (long) tokens * heads * Float.BYTES;
        long sums = device.scratch("products with the directions of heads", bytes);
        CudaKernel kernel =
                device.kernel(z.type() == DType.F32 ? KernelCatalog.ATTRIBUTION_F32 : KernelCatalog.ATTRIBUTION_BF16);
        kernel.pointer(z.address())
                .pointer(u.address())
                .i32(heads)
                .i32(headSize)
                .pointer(sums);
        device.queue().launch(kernel, KernelCatalog.attributionShape(tokens, heads, headSize));
        return readback.read(sums, DType.F32, out, 0, tokens * heads);
    }

    /**
     * x[T, D] · vectors[count, D]; where {@code norm} is not 0, of the rows of x after the norm with the weights there.
     *
     * @param norm address of the norm's weights
     */
    PendingRead dots(
            CudaBuffer x, long norm, float eps, CudaBuffer vectors, int tokens, int width, int count, float[] out) {
        long bytes = (long) tokens * count * Float.BYTES;
        long sums = device.scratch("products with the probe", bytes);
        CudaKernel kernel = device.kernel(KernelCatalog.PROBE_F32);
        kernel.pointer(x.address())
                .pointer(norm)
                .f32(eps)
                .pointer(vectors.address())
                .i32(count)
                .i32(width)
                .pointer(sums);
        device.queue().launch(kernel, KernelCatalog.probeShape(tokens, width));
        return readback.read(sums, DType.F32, out, 0, tokens * count);
    }
}
