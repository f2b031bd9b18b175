package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.device.AttentionShape;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.HeadTerms;
import dev.belay.device.KeyValues;
import dev.belay.device.QkvPart;
import dev.belay.device.TokenLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * What follows the product with the query, key and value weights: bias and norms of heads where a model has them, and the rotary
 * position embedding in the half-split form: with c, s the cosines and sines of a position (rope[position, 0..R/2) and
 * [R/2..R)), (x₁, x₂) becomes (x₁c − x₂s, x₂c + x₁s) for the two halves of the first R dimensions of a head; the rest is copied.
 */
final class Rotary extends RowTask {
    private QkvPart part;
    private MemorySegment in;
    private MemorySegment rope;
    private MemorySegment queries;
    private CacheLayout cache;
    private TokenLayout layout;
    private AttentionShape shape;
    private HeadTerms terms;
    /** Each worker's rotated key before it goes to the cache. */
    private MemorySegment[] rotated = new MemorySegment[0];

    /**
     * Rotates what {@code part} says a row of in[T, stride] holds: queries to q[T, H·HD], keys into their slots of the cache, and copies
     * the values behind them.
     */
    void run(
            ThreadTeam team,
            QkvPart part,
            CpuBuffer in,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            CpuBuffer q,
            KeyValues cache) {
        prepare(team, part, layout, shape, terms, rope, q, cache);
        this.in = in.segment();
        over(team, layout.tokens(), part.width(shape));
    }

    /** Sets what {@link #token} works on. */
    void prepare(
            ThreadTeam team,
            QkvPart part,
            TokenLayout layout,
            AttentionShape shape,
            HeadTerms terms,
            DeviceBuffer rope,
            CpuBuffer q,
            KeyValues cache) {
        this.part = part;
        this.layout = layout;
        this.shape = shape;
        this.terms = terms;
        this.rope = shape.rotarySize() == 0 ? null : CpuBuffer.of(rope).segment();
        if (part.queries()) {
            queries = q.segment();
        }
        if (part.keyValues()) {
            this.cache = CacheLayout.of(cache, shape);
            if (rotated.length < team.size() || rotated[0].byteSize() < 4L * shape.kvWidth()) {
                rotated = new MemorySegment[team.size()];
                Arrays.setAll(rotated, w -> Arena.ofAuto().allocate(4L * shape.kvWidth(), 64));
            }
        }
    }

    @Override
    void rows(int from, int to, int worker) {
        int stride = part.width(shape);
        for (int t = from; t < to; t++) {
            token(t, in, (long) t * stride, worker);
        }
    }

    /** Does token {@code t}, whose row begins at element {@code start} of {@code row}. */
    void token(int t, MemorySegment row, long start, int worker) {
        long source = 4 * start;
        if (!terms.none()) {
            adjust(row, source);
        }
        if (part.queries()) {
            heads(row, source, shape.heads(), queries, (long) t * shape.queryWidth() * Float.BYTES, t);
            source += 4L * shape.queryWidth();
        }
        if (part.keyValues()) {
            int width = shape.kvWidth();
            heads(row, source, shape.kvHeads(), rotated[worker], 0, t);
            toCache(rotated[worker], row, source + 4L * width, layout.slot(t));
        }
    }

    private void heads(MemorySegment row, long source, int heads, MemorySegment to, long target, int t) {
        long angles = (long) layout.angles(t) * shape.rotarySize() * Float.BYTES;
        for (int h = 0; h < heads; h++) {
            long head = 4L * h * shape.headSize();
            rotate(row, source + head, to, target + head, angles);
        }
    }

    /** Adds the bias and norms the heads of a row, in place. */
    private void adjust(MemorySegment row, long source) {
        if (terms.bias() != null) {
            int width = part.width(shape);
            BiasSum.add(row, source, CpuBuffer.of(terms.bias()).segment(), 4L * part.first(shape), width);
        }
        long head = source;
        if (part.queries()) {
            norm(row, head, shape.heads(), terms.queryNorm());
            head += 4L * shape.queryWidth();
        }
        if (part.keyValues()) {
            norm(row, head, shape.kvHeads(), terms.keyNorm());
        }
    }

    private void norm(MemorySegment row, long source, int heads, DeviceBuffer weight) {
        if (weight == null) {
            return;
        }
        MemorySegment weights = CpuBuffer.of(weight).segment();
        int size = shape.headSize();
        for (int h = 0; h < heads; h++) {
            long first = source / 4 + (long) h * size;
            RmsNorm.normalize(row, first, weights, terms.eps(), size, row, first, false);
        }
    }

    /** Stores a token's keys, and its values from byte {@code value} of {@code row} on. */
    private void toCache(MemorySegment key, MemorySegment row, long value, int slot) {
        int size = shape.headSize();
        for (int h = 0; h < shape.kvHeads(); h++) {
            long first = cache.key(h, slot);
            for (int c = 0; c < size; c++) {
                float feature = key.getAtIndex(JAVA_FLOAT, h * size + c);
                Cells.set(cache.keys(), first + (long) c * LANES, feature, cache.bfloat16());
            }
            RoundRows.copy(
                    row, value / 4 + (long) h * size, size, cache.values(), cache.value(h, slot), cache.bfloat16());
        }
    }

    private void rotate(MemorySegment in, long source, MemorySegment to, long target, long angles) {
        int half = shape.rotarySize() / 2;
        long second = 4L * half;
        int i = 0;
        for (; i < bound(half); i += LANES) {
            FloatVector c = FloatVector.fromMemorySegment(SPECIES, rope, angles + 4L * i, ORDER);
            FloatVector s = FloatVector.fromMemorySegment(SPECIES, rope, angles + second + 4L * i, ORDER);
            FloatVector x1 = FloatVector.fromMemorySegment(SPECIES, in, source + 4L * i, ORDER);
            FloatVector x2 = FloatVector.fromMemorySegment(SPECIES, in, source + second + 4L * i, ORDER);
            x1.mul(c).sub(x2.mul(s)).intoMemorySegment(to, target + 4L * i, ORDER);
            x2.mul(c).add(x1.mul(s)).intoMemorySegment(to, target + second + 4L * i, ORDER);
        }
        for (; i < half; i++) {
            float c = rope.get(JAVA_FLOAT, angles + 4L * i);
            float s = rope.get(JAVA_FLOAT, angles + second + 4L * i);
            float x1 = in.get(JAVA_FLOAT, source + 4L * i);
            float x2 = in.get(JAVA_FLOAT, source + second + 4L * i);
            to.set(JAVA_FLOAT, target + 4L * i, x1 * c - x2 * s);
            to.set(JAVA_FLOAT, target + second + 4L * i, x2 * c + x1 * s);
        }
        if (shape.rotarySize() < shape.headSize()) {
            MemorySegment.copy(in, source + 8L * half, to, target + 8L * half, 4L * (shape.headSize() - 2 * half));
        }
    }
}
