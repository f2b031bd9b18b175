package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Several steps on the same tokens, block by block: what lies between the steps stays in the cache of the one core that does the
 * block, instead of going through memory for all tokens.
 */
abstract class FusedBlocks implements ThreadTeam.Task, AutoCloseable {
    /** Tokens in a block: enough for products at full speed, few enough for the caches. */
    static final int BLOCK = 128;

    private final MemoryPool memory;
    private final boolean bfloat16;
    private CpuBuffer[] normed = new CpuBuffer[0];
    private MemorySegment x;
    private MemorySegment norm;
    private float eps;
    private int tokens;
    private int width;

    /**
     * @param bfloat16 whether products take bfloat16
     */
    FusedBlocks(MemoryPool memory, boolean bfloat16) {
        this.memory = memory;
        this.bfloat16 = bfloat16;
    }

    /** Whether there are enough tokens to keep the team busy. */
    static boolean suit(int tokens, ThreadTeam team) {
        return tokens >= BLOCK * team.size();
    }

    /** Does block {@code from} to {@code from + count}; {@code normed} holds its normed inputs [count, D]. */
    abstract void block(int from, int count, CpuBuffer normed, int worker);

    /** Makes the primitives for blocks of {@code count} tokens. */
    abstract void prepare(int count);

    final void run(ThreadTeam team, CpuBuffer x, CpuBuffer norm, float eps, int tokens, int width) {
        this.x = x.segment();
        this.norm = norm.segment();
        this.eps = eps;
        this.tokens = tokens;
        this.width = width;
        normed = scratch(normed, team.size(), (long) BLOCK * width, bfloat16);
        int blocks = (tokens + BLOCK - 1) / BLOCK;
        prepare(BLOCK);
        prepare(tokens - (blocks - 1) * BLOCK);
        team.run(this, blocks);
    }

    /** A buffer of at least {@code elements} for each worker. */
    CpuBuffer[] scratch(CpuBuffer[] existing, int workers, long elements, boolean bfloat16) {
        if (existing.length == workers && existing[0].elements() >= elements) {
            return existing;
        }
        close(existing);
        CpuBuffer[] buffers = new CpuBuffer[workers];
        Arrays.setAll(buffers, w -> new CpuBuffer(memory, "block of tokens", elements, bfloat16));
        return buffers;
    }

    static void close(CpuBuffer[] buffers) {
        for (CpuBuffer buffer : buffers) {
            buffer.close();
        }
    }

    boolean bfloat16() {
        return bfloat16;
    }

    @Override
    public final void run(int item, int worker) {
        int from = item * BLOCK;
        int count = Math.min(BLOCK, tokens - from);
        CpuBuffer inputs = normed[worker];
        for (int t = 0; t < count; t++) {
            long source = (long) (from + t) * width;
            RmsNorm.normalize(x, source, norm, eps, width, inputs.segment(), (long) t * width, bfloat16);
        }
        block(from, count, inputs, worker);
    }

    @Override
    public void close() {
        close(normed);
    }
}
