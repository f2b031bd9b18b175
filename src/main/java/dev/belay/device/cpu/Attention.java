package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.device.AttentionShape;
import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * z[t, h, :] = Σ_j softmax_j(scale · q[t, h]·k[j]) v[j] over the keys that token t sees: those of its row's shared prefix, then its
 * row's own up to itself. One row of the task is one token with all its heads; scores stay in the worker's own scratch.
 */
final class Attention extends RowTask {
    private MemorySegment q;
    private MemorySegment z;
    private MemorySegment prefixKeys;
    private MemorySegment prefixValues;
    private MemorySegment ownKeys;
    private MemorySegment ownValues;
    private TokenLayout layout;
    private AttentionShape shape;
    private int window;
    private float[][] scratch = new float[0][];

    void run(
            ThreadTeam team,
            CpuBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            CpuBuffer[] prefix,
            CpuBuffer[] own,
            int window,
            CpuBuffer z) {
        this.q = q.segment();
        this.z = z.segment();
        prefixKeys = prefix[0].segment();
        prefixValues = prefix[1].segment();
        ownKeys = own[0].segment();
        ownValues = own[1].segment();
        this.layout = layout;
        this.shape = shape;
        this.window = window;
        int longest = 0;
        for (int t = 0; t < layout.tokens(); t++) {
            longest = Math.max(longest, layout.position(t) + 1);
        }
        reserve(team.size(), longest);
        over(team, layout.tokens(), (int) Math.min(Integer.MAX_VALUE, shape.queryWidth() * (long) longest / 4));
    }

    private void reserve(int workers, int keys) {
        int room = scratch.length == workers ? scratch[0].length : 0;
        if (room < keys) {
            scratch = new float[workers][Math.max(keys, Math.max(1024, 2 * room))];
        }
    }

    @Override
    void rows(int from, int to, int worker) {
        float[] scores = scratch[worker];
        int group = shape.heads() / shape.kvHeads();
        for (int t = from; t < to; t++) {
            for (int h = 0; h < shape.heads(); h++) {
                head(t, h, h / group, scores);
            }
        }
    }

    private void head(int t, int h, int kvHead, float[] scores) {
        int row = layout.row(t);
        int prefix = layout.prefixLength(row);
        int end = layout.position(t) + 1;
        int first = window > 0 ? Math.max(0, end - window) : 0;
        long query = ((long) t * shape.queryWidth() + (long) h * shape.headSize()) * Float.BYTES;
        long head = (long) kvHead * shape.headSize();
        long prefixBase = (long) layout.prefixStart(row) * shape.kvWidth() + head;
        long ownBase = (long) (layout.ownStart(row) - prefix) * shape.kvWidth() + head;
        int split = Math.clamp(prefix, first, end);
        scores(query, prefixKeys, prefixBase, first, split, scores);
        scores(query, ownKeys, ownBase, split, end, scores);
        softmax(scores, first, end);
        clear(query);
        weigh(query, prefixValues, prefixBase, first, split, scores);
        weigh(query, ownValues, ownBase, split, end, scores);
    }

    private void scores(long query, MemorySegment keys, long base, int from, int to, float[] scores) {
        int size = shape.headSize();
        int stride = shape.kvWidth();
        for (int j = from; j < to; j++) {
            long key = (base + (long) j * stride) * Float.BYTES;
            FloatVector sums = FloatVector.zero(SPECIES);
            int i = 0;
            for (; i < bound(size); i += LANES) {
                FloatVector a = FloatVector.fromMemorySegment(SPECIES, q, query + 4L * i, ORDER);
                FloatVector b = FloatVector.fromMemorySegment(SPECIES, keys, key + 4L * i, ORDER);
                sums = a.fma(b, sums);
            }
            float sum = VectorMath.sum(sums);
            for (; i < size; i++) {
                sum += q.get(JAVA_FLOAT, query + 4L * i) * keys.get(JAVA_FLOAT, key + 4L * i);
            }
            scores[j] = sum * shape.scale();
        }
    }

    /** Turns scores into weights that sum to 1. */
    private static void softmax(float[] scores, int from, int to) {
        float max = Float.NEGATIVE_INFINITY;
        for (int j = from; j < to; j++) {
            max = Math.max(max, scores[j]);
        }
        int j = from;
        FloatVector sums = FloatVector.zero(SPECIES);
        for (; j < from + bound(to - from); j += LANES) {
            FloatVector e =
                    VectorMath.exp(FloatVector.fromArray(SPECIES, scores, j).sub(max));
            e.intoArray(scores, j);
            sums = sums.add(e);
        }
        float sum = VectorMath.sum(sums);
        for (; j < to; j++) {
            scores[j] = VectorMath.exp(scores[j] - max);
            sum += scores[j];
        }
        float inverse = 1 / sum;
        for (j = from; j < to; j++) {
            scores[j] *= inverse;
        }
    }

    private void clear(long target) {
        for (int i = 0; i < shape.headSize(); i++) {
            z.set(JAVA_FLOAT, target + 4L * i, 0f);
        }
    }

    private void weigh(long target, MemorySegment values, long base, int from, int to, float[] weights) {
        int size = shape.headSize();
        int stride = shape.kvWidth();
        int i = 0;
        for (; i < bound(size); i += LANES) {
            FloatVector sum = FloatVector.fromMemorySegment(SPECIES, z, target + 4L * i, ORDER);
            for (int j = from; j < to; j++) {
                long value = (base + (long) j * stride + i) * Float.BYTES;
                FloatVector v = FloatVector.fromMemorySegment(SPECIES, values, value, ORDER);
                sum = v.lanewise(VectorOperators.FMA, FloatVector.broadcast(SPECIES, weights[j]), sum);
            }
            sum.intoMemorySegment(z, target + 4L * i, ORDER);
        }
        for (; i < size; i++) {
            float sum = z.get(JAVA_FLOAT, target + 4L * i);
            for (int j = from; j < to; j++) {
                sum += weights[j] * values.get(JAVA_FLOAT, (base + (long) j * stride + i) * Float.BYTES);
            }
            z.set(JAVA_FLOAT, target + 4L * i, sum);
        }
    }
}
