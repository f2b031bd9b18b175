package dev.belay.device.cpu;

import dev.belay.device.AttentionShape;
import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * z[t, h, :] = Σ_j softmax_j(scale · q[t, h]·k[j]) v[j] over the keys that token t sees: those of its row's shared prefix, then its
 * row's own up to itself.
 *
 * <p>Keys and values lie as {@link CacheLayout} says: no score needs a sum over lanes. One item of the task is a tile of tokens of
 * one row, with the heads of one key head; of these queries, eight are computed at a time, over the same keys: eight sums keep the
 * two multipliers of a core busy. Where there are four or fewer, as in a decode step, four are, over twice as many keys or dimensions.
 */
final class Attention implements ThreadTeam.Task {
    private static final VectorSpecies<Float> SPECIES = RowTask.SPECIES;
    private static final int LANES = RowTask.LANES;
    private static final ByteOrder ORDER = RowTask.ORDER;
    private static final int QUERIES = 8;
    private static final int FEW = 4;
    private static final int TILE = 32;

    private MemorySegment q;
    private MemorySegment z;
    private boolean roundedZ;
    private CacheLayout prefix;
    private CacheLayout own;
    private TokenLayout layout;
    private AttentionShape shape;
    private int window;
    /** First token of each tile and one past its last. */
    private int[] tiles = new int[64];

    private Scratch[] scratch = new Scratch[0];

    /** A run of slots that a group of queries sees, and where their scores are: that of slot s at {@code index + s - slot}. */
    private static final class Span {
        private int slot;
        private int count;
        private int index;

        /** Sets the slots; returns the first index behind the blocks that hold them. */
        int set(int slot, int count, int start) {
            this.slot = slot;
            this.count = count;
            index = count == 0 ? start : start + slot % LANES;
            return start + blocks() * LANES;
        }

        int firstBlock() {
            return slot / LANES;
        }

        int blocks() {
            return count == 0 ? 0 : (slot + count - 1) / LANES - slot / LANES + 1;
        }
    }

    /** A worker's own memory for a group of queries. */
    private static final class Scratch {
        /** Queries [8, HD], times the scale. */
        private final float[] queries;
        /** Scores [8, stride], then weights. */
        private final float[] scores;

        private final int stride;
        /** Head outputs [8, HD], times the sum of the weights. */
        private final float[] outputs;

        private final int width;
        private final float[] inverseSums = new float[QUERIES];
        /** Where in z the outputs go. */
        private final long[] targets = new long[QUERIES];

        private final Span prefix = new Span();
        private final Span own = new Span();
        private int count;

        Scratch(int headSize, int stride) {
            queries = new float[QUERIES * headSize];
            scores = new float[QUERIES * stride];
            outputs = new float[QUERIES * headSize];
            this.stride = stride;
            width = headSize;
        }
    }

    void run(
            ThreadTeam team,
            CpuBuffer q,
            TokenLayout layout,
            AttentionShape shape,
            CacheLayout prefix,
            CacheLayout own,
            int window,
            CpuBuffer z) {
        this.q = q.segment();
        this.z = z.segment();
        roundedZ = z.bfloat16();
        this.prefix = prefix;
        this.own = own;
        this.layout = layout;
        this.window = window;
        int longest = 0;
        int count = 0;
        for (int r = 0; r < layout.rows(); r++) {
            int end = layout.rowEnd(r);
            for (int t = layout.rowStart(r); t < end; t += TILE) {
                if (2 * count == tiles.length) {
                    tiles = Arrays.copyOf(tiles, 2 * tiles.length);
                }
                tiles[2 * count] = t;
                tiles[2 * count + 1] = Math.min(end, t + TILE);
                longest = Math.max(longest, layout.position(tiles[2 * count + 1] - 1) + 1);
                count++;
            }
        }
        reserve(team.size(), shape, longest);
        this.shape = shape;
        team.run(this, count * shape.kvHeads());
    }

    private void reserve(int workers, AttentionShape next, int keys) {
        // Two spans may each begin and end within a block.
        int needed = keys + 4 * LANES;
        int room = scratch.length == workers && shape.headSize() == next.headSize() ? scratch[0].stride : 0;
        if (room < needed) {
            int stride = (Math.max(needed, 2 * room) + LANES - 1) / LANES * LANES;
            scratch = new Scratch[workers];
            Arrays.setAll(scratch, w -> new Scratch(next.headSize(), stride));
        }
    }

    @Override
    public void run(int item, int worker) {
        int tile = item / shape.kvHeads();
        int kvHead = item % shape.kvHeads();
        int from = tiles[2 * tile];
        int group = shape.heads() / shape.kvHeads();
        int queries = (tiles[2 * tile + 1] - from) * group;
        Scratch s = scratch[worker];
        for (int i = 0; i < queries; i += QUERIES) {
            s.count = Math.min(QUERIES, queries - i);
            queries(s, from, i, kvHead, group);
        }
    }

    /** Queries {@code i} to {@code i + s.count} of the tile from token {@code from}; query n is head n % G of token n / G. */
    private void queries(Scratch s, int from, int i, int kvHead, int group) {
        boolean few = s.count <= FEW;
        for (int x = 0; x < (few ? FEW : QUERIES); x++) {
            // Where there are fewer, the last one is computed again.
            int n = i + Math.min(x, s.count - 1);
            int head = kvHead * group + n % group;
            s.targets[x] = (long) (from + n / group) * shape.queryWidth() + (long) head * shape.headSize();
            load(s, x);
        }
        int first = from + i / group;
        int last = from + (i + s.count - 1) / group;
        int row = layout.row(first);
        int start = firstKey(first);
        int end = layout.position(last) + 1;
        int shared = layout.prefixLength(row);
        int split = Math.clamp(shared, start, end);
        int behind = s.prefix.set(layout.prefixStart(row) + start, split - start, 0);
        behind = s.own.set(layout.ownStart(row) - shared + split, end - split, behind);
        scores(s, prefix, s.prefix, kvHead, few);
        scores(s, own, s.own, kvHead, few);
        for (int x = 0; x < s.count; x++) {
            int t = from + (i + x) / group;
            int since = firstKey(t);
            int until = layout.position(t) + 1;
            int a = Math.clamp(since, start, split) - start + s.prefix.index;
            int b = Math.clamp(until, start, split) - start + s.prefix.index;
            int c = Math.clamp(since, split, end) - split + s.own.index;
            int d = Math.clamp(until, split, end) - split + s.own.index;
            s.inverseSums[x] = softmax(s.scores, x * s.stride, a, b, c, d, behind);
        }
        int dimension = 0;
        for (; few && dimension + 2 * LANES <= shape.headSize(); dimension += 2 * LANES) {
            weighFew(s, kvHead, dimension);
        }
        for (; dimension < RowTask.bound(shape.headSize()); dimension += LANES) {
            weigh(s, kvHead, dimension);
        }
        for (; dimension < shape.headSize(); dimension++) {
            weighNumber(s, kvHead, dimension);
        }
        for (int x = 0; x < s.count; x++) {
            store(s, x);
        }
    }

    /** Loads query {@code x}. */
    private void load(Scratch s, int x) {
        int size = s.width;
        int i = 0;
        for (; i < RowTask.bound(size); i += LANES) {
            FloatVector.fromMemorySegment(SPECIES, q, (s.targets[x] + i) * Float.BYTES, ORDER)
                    .mul(shape.scale())
                    .intoArray(s.queries, x * size + i);
        }
        for (; i < size; i++) {
            s.queries[x * size + i] = Cells.get(q, s.targets[x] + i, false) * shape.scale();
        }
    }

    private int firstKey(int t) {
        return window > 0 ? Math.max(0, layout.position(t) + 1 - window) : 0;
    }

    private static void scores(Scratch s, CacheLayout cache, Span span, int kvHead, boolean few) {
        int blocks = span.blocks();
        int target = span.index - span.slot % LANES;
        int b = 0;
        for (; few && b + 2 <= blocks; b += 2) {
            scoreFew(s, cache, keyBase(cache, span, kvHead, b), target + b * LANES);
        }
        for (; b < blocks; b++) {
            score(s, cache, keyBase(cache, span, kvHead, b), target + b * LANES);
        }
    }

    private static long keyBase(CacheLayout cache, Span span, int kvHead, int block) {
        return cache.keyBlock(kvHead, span.firstBlock() + block);
    }

    /** Scores of the first four queries and the keys of two blocks. */
    private static void scoreFew(Scratch s, CacheLayout cache, long base, int target) {
        MemorySegment keys = cache.keys();
        boolean bfloat16 = cache.bfloat16();
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        FloatVector t0 = s0;
        FloatVector t1 = s0;
        FloatVector t2 = s0;
        FloatVector t3 = s0;
        float[] queries = s.queries;
        int size = s.width;
        long second = base + (long) size * LANES;
        for (int d = 0; d < size; d++) {
            long step = (long) d * LANES;
            FloatVector k = Cells.load(keys, base + step, bfloat16);
            FloatVector l = Cells.load(keys, second + step, bfloat16);
            FloatVector q0 = FloatVector.broadcast(SPECIES, queries[d]);
            s0 = k.fma(q0, s0);
            t0 = l.fma(q0, t0);
            FloatVector q1 = FloatVector.broadcast(SPECIES, queries[size + d]);
            s1 = k.fma(q1, s1);
            t1 = l.fma(q1, t1);
            FloatVector q2 = FloatVector.broadcast(SPECIES, queries[2 * size + d]);
            s2 = k.fma(q2, s2);
            t2 = l.fma(q2, t2);
            FloatVector q3 = FloatVector.broadcast(SPECIES, queries[3 * size + d]);
            s3 = k.fma(q3, s3);
            t3 = l.fma(q3, t3);
        }
        float[] scores = s.scores;
        int stride = s.stride;
        s0.intoArray(scores, target);
        t0.intoArray(scores, target + LANES);
        s1.intoArray(scores, stride + target);
        t1.intoArray(scores, stride + target + LANES);
        s2.intoArray(scores, 2 * stride + target);
        t2.intoArray(scores, 2 * stride + target + LANES);
        s3.intoArray(scores, 3 * stride + target);
        t3.intoArray(scores, 3 * stride + target + LANES);
    }

    /** Scores of the queries and the keys of one block, which begins at element {@code base}. */
    private static void score(Scratch s, CacheLayout cache, long base, int target) {
        MemorySegment keys = cache.keys();
        boolean bfloat16 = cache.bfloat16();
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        FloatVector s4 = s0;
        FloatVector s5 = s0;
        FloatVector s6 = s0;
        FloatVector s7 = s0;
        float[] queries = s.queries;
        int size = s.width;
        for (int d = 0; d < size; d++) {
            FloatVector k = Cells.load(keys, base + (long) d * LANES, bfloat16);
            s0 = k.fma(FloatVector.broadcast(SPECIES, queries[d]), s0);
            s1 = k.fma(FloatVector.broadcast(SPECIES, queries[size + d]), s1);
            s2 = k.fma(FloatVector.broadcast(SPECIES, queries[2 * size + d]), s2);
            s3 = k.fma(FloatVector.broadcast(SPECIES, queries[3 * size + d]), s3);
            s4 = k.fma(FloatVector.broadcast(SPECIES, queries[4 * size + d]), s4);
            s5 = k.fma(FloatVector.broadcast(SPECIES, queries[5 * size + d]), s5);
            s6 = k.fma(FloatVector.broadcast(SPECIES, queries[6 * size + d]), s6);
            s7 = k.fma(FloatVector.broadcast(SPECIES, queries[7 * size + d]), s7);
        }
        float[] scores = s.scores;
        int stride = s.stride;
        s0.intoArray(scores, target);
        s1.intoArray(scores, stride + target);
        s2.intoArray(scores, 2 * stride + target);
        s3.intoArray(scores, 3 * stride + target);
        s4.intoArray(scores, 4 * stride + target);
        s5.intoArray(scores, 5 * stride + target);
        s6.intoArray(scores, 6 * stride + target);
        s7.intoArray(scores, 7 * stride + target);
    }

    /**
     * Turns the scores at row + [a, b) and row + [c, d) into weights without their common factor, which is returned, and all others
     * below row + end into zeros.
     */
    private static float softmax(float[] scores, int row, int a, int b, int c, int d, int end) {
        clear(scores, row, row + a);
        clear(scores, row + b, row + c);
        clear(scores, row + d, row + end);
        return 1 / exponentials(scores, row, row + end, largest(scores, row, row + end));
    }

    // Two methods, each small enough for the compiler to keep its vectors in registers.

    private static float largest(float[] scores, int from, int to) {
        FloatVector largest = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        for (int j = from; j < to; j += LANES) {
            FloatVector score = FloatVector.fromArray(SPECIES, scores, j);
            largest = largest.blend(score, score.compare(VectorOperators.GT, largest));
        }
        return VectorMath.max(largest);
    }

    /** Replaces scores by their exponentials, -∞ by 0, and returns their sum. */
    private static float exponentials(float[] scores, int from, int to, float max) {
        FloatVector sums = FloatVector.zero(SPECIES);
        for (int j = from; j < to; j += LANES) {
            FloatVector score = FloatVector.fromArray(SPECIES, scores, j);
            FloatVector e = VectorMath.exp(score.sub(max))
                    .blend(0f, score.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
            e.intoArray(scores, j);
            sums = sums.add(e);
        }
        return VectorMath.sum(sums);
    }

    private static void clear(float[] scores, int from, int to) {
        for (int j = from; j < to; j++) {
            scores[j] = Float.NEGATIVE_INFINITY;
        }
    }

    /** Two vectors of dimensions of the outputs of the first four queries. */
    private void weighFew(Scratch s, int kvHead, int dimension) {
        FloatVector z0 = FloatVector.zero(SPECIES);
        FloatVector z1 = z0;
        FloatVector z2 = z0;
        FloatVector z3 = z0;
        FloatVector y0 = z0;
        FloatVector y1 = z0;
        FloatVector y2 = z0;
        FloatVector y3 = z0;
        float[] weights = s.scores;
        int stride = s.stride;
        long step = s.width;
        for (int part = 0; part < 2; part++) {
            Span span = part == 0 ? s.prefix : s.own;
            CacheLayout cache = part == 0 ? prefix : own;
            MemorySegment values = cache.values();
            boolean bfloat16 = cache.bfloat16();
            long value = cache.value(kvHead, span.slot) + dimension;
            int index = span.index;
            for (int j = 0; j < span.count; j++) {
                FloatVector v = Cells.load(values, value + j * step, bfloat16);
                FloatVector w = Cells.load(values, value + j * step + LANES, bfloat16);
                FloatVector p0 = FloatVector.broadcast(SPECIES, weights[index + j]);
                z0 = v.fma(p0, z0);
                y0 = w.fma(p0, y0);
                FloatVector p1 = FloatVector.broadcast(SPECIES, weights[stride + index + j]);
                z1 = v.fma(p1, z1);
                y1 = w.fma(p1, y1);
                FloatVector p2 = FloatVector.broadcast(SPECIES, weights[2 * stride + index + j]);
                z2 = v.fma(p2, z2);
                y2 = w.fma(p2, y2);
                FloatVector p3 = FloatVector.broadcast(SPECIES, weights[3 * stride + index + j]);
                z3 = v.fma(p3, z3);
                y3 = w.fma(p3, y3);
            }
        }
        float[] out = s.outputs;
        int size = s.width;
        z0.intoArray(out, dimension);
        y0.intoArray(out, dimension + LANES);
        z1.intoArray(out, size + dimension);
        y1.intoArray(out, size + dimension + LANES);
        z2.intoArray(out, 2 * size + dimension);
        y2.intoArray(out, 2 * size + dimension + LANES);
        z3.intoArray(out, 3 * size + dimension);
        y3.intoArray(out, 3 * size + dimension + LANES);
    }

    /** One vector of dimensions of the outputs. */
    private void weigh(Scratch s, int kvHead, int dimension) {
        FloatVector z0 = FloatVector.zero(SPECIES);
        FloatVector z1 = z0;
        FloatVector z2 = z0;
        FloatVector z3 = z0;
        FloatVector z4 = z0;
        FloatVector z5 = z0;
        FloatVector z6 = z0;
        FloatVector z7 = z0;
        float[] weights = s.scores;
        int stride = s.stride;
        long step = s.width;
        for (int part = 0; part < 2; part++) {
            Span span = part == 0 ? s.prefix : s.own;
            CacheLayout cache = part == 0 ? prefix : own;
            MemorySegment values = cache.values();
            boolean bfloat16 = cache.bfloat16();
            long value = cache.value(kvHead, span.slot) + dimension;
            int index = span.index;
            for (int j = 0; j < span.count; j++) {
                FloatVector v = Cells.load(values, value + j * step, bfloat16);
                z0 = v.fma(FloatVector.broadcast(SPECIES, weights[index + j]), z0);
                z1 = v.fma(FloatVector.broadcast(SPECIES, weights[stride + index + j]), z1);
                z2 = v.fma(FloatVector.broadcast(SPECIES, weights[2 * stride + index + j]), z2);
                z3 = v.fma(FloatVector.broadcast(SPECIES, weights[3 * stride + index + j]), z3);
                z4 = v.fma(FloatVector.broadcast(SPECIES, weights[4 * stride + index + j]), z4);
                z5 = v.fma(FloatVector.broadcast(SPECIES, weights[5 * stride + index + j]), z5);
                z6 = v.fma(FloatVector.broadcast(SPECIES, weights[6 * stride + index + j]), z6);
                z7 = v.fma(FloatVector.broadcast(SPECIES, weights[7 * stride + index + j]), z7);
            }
        }
        float[] out = s.outputs;
        int size = s.width;
        z0.intoArray(out, dimension);
        z1.intoArray(out, size + dimension);
        z2.intoArray(out, 2 * size + dimension);
        z3.intoArray(out, 3 * size + dimension);
        z4.intoArray(out, 4 * size + dimension);
        z5.intoArray(out, 5 * size + dimension);
        z6.intoArray(out, 6 * size + dimension);
        z7.intoArray(out, 7 * size + dimension);
    }

    /** One dimension of the outputs, where the head size is no multiple of a vector. */
    private void weighNumber(Scratch s, int kvHead, int dimension) {
        for (int x = 0; x < s.count; x++) {
            float sum = 0;
            for (int part = 0; part < 2; part++) {
                Span span = part == 0 ? s.prefix : s.own;
                CacheLayout cache = part == 0 ? prefix : own;
                for (int j = 0; j < span.count; j++) {
                    long value = cache.value(kvHead, span.slot + j) + dimension;
                    sum = Math.fma(
                            s.scores[x * s.stride + span.index + j],
                            Cells.get(cache.values(), value, cache.bfloat16()),
                            sum);
                }
            }
            s.outputs[x * s.width + dimension] = sum;
        }
    }

    /** Divides output {@code x} by its sum of weights and stores it. */
    private void store(Scratch s, int x) {
        int size = s.width;
        int from = x * size;
        long target = s.targets[x];
        float factor = s.inverseSums[x];
        int i = 0;
        for (; i < RowTask.bound(size); i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, s.outputs, from + i).mul(factor);
            Cells.store(v, z, target + i, roundedZ);
        }
        for (; i < size; i++) {
            Cells.set(z, target + i, s.outputs[from + i] * factor, roundedZ);
        }
    }
}
