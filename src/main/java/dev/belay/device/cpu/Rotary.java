package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.device.AttentionShape;
import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Rotary position embedding in the half-split form: with c, s the cosines and sines of a position (rope[position, 0..R/2) and
 * [R/2..R)), (x₁, x₂) becomes (x₁c − x₂s, x₂c + x₁s) for the two halves of the first R dimensions of a head; the rest is copied.
 */
final class Rotary extends RowTask {
    private MemorySegment in;
    private MemorySegment rope;
    private MemorySegment out;
    private MemorySegment values;
    private TokenLayout layout;
    private AttentionShape shape;
    private int heads;
    private int stride;
    private int column;
    private boolean toCache;

    /** Rotates the queries that in[T, stride] begins with, to q[T, H·HD]. */
    void queries(
            ThreadTeam team,
            CpuBuffer in,
            int stride,
            TokenLayout layout,
            AttentionShape shape,
            CpuBuffer rope,
            CpuBuffer q) {
        set(in, stride, 0, q, layout, shape, rope);
        heads = shape.heads();
        toCache = false;
        over(team, layout.tokens(), shape.queryWidth());
    }

    /** Rotates the keys from column {@code column} of in[T, stride] on into their slots of the cache, and copies the values behind. */
    void keyValues(
            ThreadTeam team,
            CpuBuffer in,
            int stride,
            int column,
            TokenLayout layout,
            AttentionShape shape,
            CpuBuffer rope,
            CpuBuffer keys,
            CpuBuffer values) {
        set(in, stride, column, keys, layout, shape, rope);
        this.values = values.segment();
        heads = shape.kvHeads();
        toCache = true;
        over(team, layout.tokens(), 2 * shape.kvWidth());
    }

    private void set(
            CpuBuffer in,
            int stride,
            int column,
            CpuBuffer out,
            TokenLayout layout,
            AttentionShape shape,
            CpuBuffer rope) {
        this.in = in.segment();
        this.stride = stride;
        this.column = column;
        this.out = out.segment();
        this.layout = layout;
        this.shape = shape;
        this.rope = rope.segment();
    }

    @Override
    void rows(int from, int to, int worker) {
        int size = shape.headSize();
        int width = heads * size;
        for (int t = from; t < to; t++) {
            long angles = (long) layout.position(t) * shape.rotarySize() * Float.BYTES;
            long source = ((long) t * stride + column) * Float.BYTES;
            long target = (toCache ? (long) layout.slot(t) : t) * width * Float.BYTES;
            for (int h = 0; h < heads; h++) {
                rotate(source + 4L * h * size, target + 4L * h * size, angles);
            }
            if (toCache) {
                MemorySegment.copy(in, source + 4L * width, values, target, 4L * width);
            }
        }
    }

    private void rotate(long source, long target, long angles) {
        int half = shape.rotarySize() / 2;
        long second = 4L * half;
        int i = 0;
        for (; i < bound(half); i += LANES) {
            FloatVector c = FloatVector.fromMemorySegment(SPECIES, rope, angles + 4L * i, ORDER);
            FloatVector s = FloatVector.fromMemorySegment(SPECIES, rope, angles + second + 4L * i, ORDER);
            FloatVector x1 = FloatVector.fromMemorySegment(SPECIES, in, source + 4L * i, ORDER);
            FloatVector x2 = FloatVector.fromMemorySegment(SPECIES, in, source + second + 4L * i, ORDER);
            x1.mul(c).sub(x2.mul(s)).intoMemorySegment(out, target + 4L * i, ORDER);
            x2.mul(c).add(x1.mul(s)).intoMemorySegment(out, target + second + 4L * i, ORDER);
        }
        for (; i < half; i++) {
            float c = rope.get(JAVA_FLOAT, angles + 4L * i);
            float s = rope.get(JAVA_FLOAT, angles + second + 4L * i);
            float x1 = in.get(JAVA_FLOAT, source + 4L * i);
            float x2 = in.get(JAVA_FLOAT, source + second + 4L * i);
            out.set(JAVA_FLOAT, target + 4L * i, x1 * c - x2 * s);
            out.set(JAVA_FLOAT, target + second + 4L * i, x2 * c + x1 * s);
        }
        if (shape.rotarySize() < shape.headSize()) {
            MemorySegment.copy(in, source + 8L * half, out, target + 8L * half, 4L * (shape.headSize() - 2 * half));
        }
    }
}
