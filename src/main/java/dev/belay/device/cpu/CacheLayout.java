package dev.belay.device.cpu;

import dev.belay.device.AttentionShape;
import dev.belay.device.KeyValues;
import java.lang.foreign.MemorySegment;

/**
 * Keys and values of one layer, head by head, so that what one head reads lies together. A head's keys lie in blocks of as many slots as
 * a vector has lanes, feature by feature, so that a vector holds one feature of several keys; its values lie slot by slot.
 *
 * @param keys [KV, blocks, HD, lanes]
 * @param values [KV, slots, HD]
 * @param bfloat16 whether both are bfloat16; float32 otherwise
 */
record CacheLayout(MemorySegment keys, MemorySegment values, boolean bfloat16, int blocks, int slots, int headSize) {
    private static final int LANES = RowTask.LANES;

    static CacheLayout of(KeyValues cache, AttentionShape shape) {
        CpuBuffer keys = CpuBuffer.of(cache.keys());
        CpuBuffer values = CpuBuffer.of(cache.values());
        int blocks = (int) (keys.elements() / shape.kvWidth() / LANES);
        int slots = (int) (values.elements() / shape.kvWidth());
        return new CacheLayout(keys.segment(), values.segment(), keys.bfloat16(), blocks, slots, shape.headSize());
    }

    /** Elements of a buffer of keys of {@code slots} tokens: whole blocks. */
    static long keyElements(int slots, int width) {
        return (slots + LANES - 1L) / LANES * LANES * width;
    }

    /** Element of the first feature of the first key of a block; the next feature is a vector behind. */
    long keyBlock(int head, int block) {
        return ((long) head * blocks + block) * LANES * headSize;
    }

    /** Element of the first feature of the key in {@code slot}. */
    long key(int head, int slot) {
        return keyBlock(head, slot / LANES) + slot % LANES;
    }

    /** Element of the first feature of the value in {@code slot}. */
    long value(int head, int slot) {
        return ((long) head * slots + slot) * headSize;
    }
}
