package dev.belay.device.cuda;

import static dev.belay.device.cuda.KernelSignature.Parameter.f32;
import static dev.belay.device.cuda.KernelSignature.Parameter.i32;
import static dev.belay.device.cuda.KernelSignature.Parameter.pointer;

import dev.belay.device.DeviceException;
import dev.belay.device.cuda.KernelSignature.Parameter;
import java.util.ArrayList;
import java.util.List;

/**
 * Every kernel of {@code kernels/}: name, parameters and geometry. What a kernel computes and in which shapes is at the top of its
 * source file. Letters: T tokens, D width, H heads, KV key/value heads, HD head size, R rotary size, F feed-forward size.
 */
final class KernelCatalog {
    /** Threads of a block of the fixed-size kernels. */
    static final int SWIGLU_THREADS = 256;

    static final int ROPE_THREADS = 128;
    static final int ATTENTION_THREADS = 128;

    /** Most queries of a row that one block of attention computes. */
    static final int ATTENTION_QUERIES = 64;

    /** Keys of the smallest range that a block of decoding attention takes, and the most ranges of a token. */
    static final int DECODE_RANGE = 256;

    static final int DECODE_RANGES = 64;

    /** Blocks that decoding attention starts at most because of long texts: a few times what a large GPU holds at a time. */
    private static final int DECODE_BLOCKS = 2048;

    private static final int MAX_THREADS = 1024;
    private static final int PER_THREAD = 16;
    private static final int VECTOR_BYTES = 16;
    private static final int ROPE_UNIT = 8;

    private static final List<KernelSignature> ALL = new ArrayList<>();

    static final KernelSignature RMSNORM_F32 = rmsNorm("belay_rmsnorm_f32");
    static final KernelSignature RMSNORM_F32_BF16 = rmsNorm("belay_rmsnorm_f32_bf16");
    static final KernelSignature ROPE_F32 = rope("belay_rope_f32");
    static final KernelSignature ROPE_F32_BF16 = rope("belay_rope_f32_bf16");
    static final KernelSignature ROPE_STORE_F32 = ropeStore("belay_rope_store_f32");
    static final KernelSignature ROPE_STORE_F32_BF16 = ropeStore("belay_rope_store_f32_bf16");
    static final KernelSignature SWIGLU_F32 = swiglu("belay_swiglu_f32");
    static final KernelSignature SWIGLU_F32_BF16 = swiglu("belay_swiglu_f32_bf16");
    static final KernelSignature SWIGLU_BF16_F32 = swiglu("belay_swiglu_bf16_f32");
    static final KernelSignature SWIGLU_BF16 = swiglu("belay_swiglu_bf16");
    static final KernelSignature SCALE_HEADS_F32 = scaleHeads("belay_scale_heads_f32");
    static final KernelSignature SCALE_HEADS_BF16 = scaleHeads("belay_scale_heads_bf16");
    static final KernelSignature ATTENTION_32 = attention(32);
    static final KernelSignature ATTENTION_64 = attention(64);
    static final KernelSignature ATTENTION_80 = attention(80);
    static final KernelSignature ATTENTION_96 = attention(96);
    static final KernelSignature ATTENTION_128 = attention(128);
    static final KernelSignature ATTENTION_256 = attention(256);
    static final KernelSignature ATTENTION_ANY_F32 = attentionAny("belay_attention_any_f32");
    static final KernelSignature ATTENTION_ANY_BF16 = attentionAny("belay_attention_any_bf16");
    static final KernelSignature ATTENTION_DECODE_F32 = attentionDecode("belay_attention_decode_f32");
    static final KernelSignature ATTENTION_DECODE_BF16 = attentionDecode("belay_attention_decode_bf16");

    private KernelCatalog() {}

    /** All kernels, in the order of this file. */
    static List<KernelSignature> all() {
        return List.copyOf(ALL);
    }

    /** Geometry of rmsnorm over rows [T, D]. */
    static LaunchShape rmsNormShape(int tokens, int width) {
        return LaunchShape.rows(tokens, width, PER_THREAD);
    }

    /** Geometry of scale_heads over z[T, H · HD]. */
    static LaunchShape scaleHeadsShape(int tokens, int heads, int headSize) {
        return LaunchShape.rows(tokens, heads * headSize, PER_THREAD);
    }

    /** Geometry of rope for rows of {@code heads} heads; of rope_store, count the heads of keys and of values. */
    static LaunchShape ropeShape(int tokens, int heads, int headSize) {
        return LaunchShape.split(tokens, Math.ceilDiv((long) heads * headSize, ROPE_UNIT), ROPE_THREADS);
    }

    /** Geometry of swiglu to [T, F]; {@code bytes} are those of a number of the wider of input and output. */
    static LaunchShape swigluShape(int tokens, int width, int bytes) {
        return LaunchShape.split(tokens, Math.ceilDiv((long) width * bytes, VECTOR_BYTES), SWIGLU_THREADS);
    }

    /** Geometry of attention, for one head size or any, over tiles of queries, see {@link AttentionTiles}. */
    static LaunchShape attentionShape(int tiles, int heads) {
        return new LaunchShape(tiles, heads, ATTENTION_THREADS);
    }

    /**
     * Geometry of decoding attention. Any gives the same bits.
     *
     * @param maxKeys keys that a token sees, at most; tokens may see fewer
     */
    static LaunchShape decodeShape(int tokens, int kvHeads, int maxKeys) {
        int ranges = Math.clamp(Math.ceilDiv(maxKeys, DECODE_RANGE), 1, DECODE_RANGES);
        long wanted = Math.ceilDiv(DECODE_BLOCKS, (long) tokens * kvHeads);
        return new LaunchShape(tokens, kvHeads, (int) Math.min(ranges, wanted), ATTENTION_THREADS);
    }

    /**
     * Bytes of the workspace of decoding attention, for any launch with at most as many tokens and keys: a record for each token, head
     * and range of keys. A window may begin inside a range, so that there is one range more than its keys fill.
     */
    static long decodeWorkspaceBytes(int tokens, int heads, int headSize, int maxKeys) {
        long ranges = Math.clamp(Math.ceilDiv(maxKeys, DECODE_RANGE) + 1L, 1, DECODE_RANGES);
        return ranges * tokens * heads * (Math.ceilDiv(headSize, 4) * 4 + 4) * Float.BYTES;
    }

    /** Number of counters (int32) of decoding attention; zero before the first launch, and again after each. */
    static int decodeCounters(int tokens, int kvHeads) {
        return Math.multiplyExact(tokens, kvHeads);
    }

    /**
     * The attention kernel for a head size.
     *
     * @throws DeviceException if there is none
     */
    static KernelSignature attentionOf(int headSize) {
        return switch (headSize) {
            case 32 -> ATTENTION_32;
            case 64 -> ATTENTION_64;
            case 80 -> ATTENTION_80;
            case 96 -> ATTENTION_96;
            case 128 -> ATTENTION_128;
            case 256 -> ATTENTION_256;
            default ->
                throw new DeviceException("no CUDA attention kernel for heads of size " + headSize
                        + ": there are kernels for 32, 64, 80, 96, 128 and 256; use --device cpu");
        };
    }

    private static KernelSignature rmsNorm(String name) {
        return add(name, MAX_THREADS, 0, pointer("x"), pointer("weight"), f32("eps"), i32("width"), pointer("out"));
    }

    private static KernelSignature rope(String name) {
        return add(
                name,
                ROPE_THREADS,
                0,
                pointer("in"),
                i32("inStride"),
                pointer("table"),
                pointer("positions"),
                i32("heads"),
                i32("headSize"),
                i32("rotarySize"),
                pointer("out"));
    }

    private static KernelSignature ropeStore(String name) {
        return add(
                name,
                ROPE_THREADS,
                0,
                pointer("in"),
                i32("inStride"),
                pointer("table"),
                pointer("positions"),
                pointer("slots"),
                i32("heads"),
                i32("headSize"),
                i32("rotarySize"),
                pointer("keys"),
                pointer("values"));
    }

    private static KernelSignature swiglu(String name) {
        return add(name, SWIGLU_THREADS, 0, pointer("gateUp"), i32("width"), pointer("out"));
    }

    private static KernelSignature scaleHeads(String name) {
        return add(
                name,
                MAX_THREADS,
                0,
                pointer("z"),
                pointer("setOfToken"),
                pointer("factors"),
                pointer("renormalize"),
                i32("heads"),
                i32("headSize"));
    }

    private static KernelSignature attention(int headSize) {
        return add(
                "belay_attention_hd" + headSize + "_bf16",
                ATTENTION_THREADS,
                attentionBytes(headSize),
                pointer("q"),
                pointer("prefixKeys"),
                pointer("prefixValues"),
                pointer("ownKeys"),
                pointer("ownValues"),
                pointer("rowStart"),
                pointer("positions"),
                pointer("prefixStart"),
                pointer("prefixLength"),
                pointer("ownStart"),
                pointer("tiles"),
                i32("heads"),
                i32("kvHeads"),
                i32("window"),
                f32("scale"),
                pointer("setOfToken"),
                pointer("factors"),
                pointer("zFloat"),
                pointer("zBf16"));
    }

    private static KernelSignature attentionAny(String name) {
        return add(
                name,
                ATTENTION_THREADS,
                0,
                pointer("q"),
                pointer("prefixKeys"),
                pointer("prefixValues"),
                pointer("ownKeys"),
                pointer("ownValues"),
                pointer("rowStart"),
                pointer("positions"),
                pointer("prefixStart"),
                pointer("prefixLength"),
                pointer("ownStart"),
                pointer("tiles"),
                i32("heads"),
                i32("kvHeads"),
                i32("headSize"),
                i32("window"),
                f32("scale"),
                pointer("setOfToken"),
                pointer("factors"),
                pointer("zFloat"),
                pointer("zBf16"));
    }

    private static KernelSignature attentionDecode(String name) {
        return add(
                name,
                ATTENTION_THREADS,
                0,
                pointer("q"),
                pointer("prefixKeys"),
                pointer("prefixValues"),
                pointer("ownKeys"),
                pointer("ownValues"),
                pointer("rowOfToken"),
                pointer("positions"),
                pointer("prefixStart"),
                pointer("prefixLength"),
                pointer("ownStart"),
                i32("heads"),
                i32("kvHeads"),
                i32("headSize"),
                i32("window"),
                f32("scale"),
                pointer("setOfToken"),
                pointer("factors"),
                pointer("workspace"),
                pointer("counters"),
                pointer("z"));
    }

    /** The queries and two stages of keys and values, bf16, in rows padded by 16 bytes; attention::Tile in attention.cu. */
    private static int attentionBytes(int headSize) {
        int keys = headSize > 128 ? 32 : 64;
        return (ATTENTION_QUERIES + 4 * keys) * (headSize + 8) * Short.BYTES;
    }

    private static KernelSignature add(String name, int maxThreads, int sharedBytes, Parameter... parameters) {
        KernelSignature signature = KernelSignature.of(name, maxThreads, sharedBytes, parameters);
        ALL.add(signature);
        return signature;
    }
}
