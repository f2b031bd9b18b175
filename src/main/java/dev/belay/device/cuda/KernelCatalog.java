package dev.belay.device.cuda;

import static dev.belay.device.cuda.KernelSignature.Parameter.f32;
import static dev.belay.device.cuda.KernelSignature.Parameter.i32;
import static dev.belay.device.cuda.KernelSignature.Parameter.i64;
import static dev.belay.device.cuda.KernelSignature.Parameter.pointer;

import dev.belay.device.DType;
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

    static final int QKV_THREADS = 128;
    static final int COPY_THREADS = 256;
    static final int ABLATION_NORMS_THREADS = 256;
    private static final int ABLATION_NORMS_HEADS = 1024;
    static final int ABLATION_START_THREADS = 256;
    private static final int ABLATION_START_GROUPS = 8;
    static final int ATTRIBUTION_THREADS = 128;
    static final int ATTENTION_THREADS = 128;

    /** Most queries of a row that one block of attention computes. */
    static final int ATTENTION_QUERIES = 64;

    /** Most tokens that the matvec kernels take. */
    static final int MATVEC_TOKENS = 8;

    private static final int MATMUL_TILE = 128;
    private static final int MATMUL_SMALL_TILE = 64;
    private static final int MATVEC_THREADS = 256;
    private static final int ROUTER_THREADS = 128;
    private static final int EXPERT_GROUPS_PER_THREAD = 4;
    /** Keys of the smallest range that a block of decoding attention takes, and the most ranges of a token. */
    static final int DECODE_RANGE = 256;

    static final int DECODE_RANGES = 64;

    /** Blocks that decoding attention starts at most because of long texts: a few times what a large GPU holds at a time. */
    private static final int DECODE_BLOCKS = 2048;

    private static final int MAX_THREADS = 1024;
    private static final int WARP = 32;
    private static final int PER_THREAD = 16;
    private static final int VECTOR_BYTES = 16;
    private static final int QKV_PER_LANE = 8;
    /** Tokens from which on qkv fills a GPU with four heads a group of lanes, and not two. */
    private static final int QKV_MANY_TOKENS = 128;

    private static final int COPY_PER_THREAD = 8;

    private static final List<KernelSignature> ALL = new ArrayList<>();

    static final KernelSignature RMSNORM_F32 = rmsNorm("belay_rmsnorm_f32");
    static final KernelSignature RMSNORM_F32_BF16 = rmsNorm("belay_rmsnorm_f32_bf16");
    static final KernelSignature QKV_F32 = qkv("belay_qkv_f32");
    static final KernelSignature QKV_F32_BF16 = qkv("belay_qkv_f32_bf16");
    static final KernelSignature SWIGLU_F32 = swiglu("belay_swiglu_f32");
    static final KernelSignature SWIGLU_F32_BF16 = swiglu("belay_swiglu_f32_bf16");
    static final KernelSignature SCALE_HEADS_F32 = scaleHeads("belay_scale_heads_f32");
    static final KernelSignature SCALE_HEADS_BF16 = scaleHeads("belay_scale_heads_bf16");
    static final KernelSignature EMBED_F32 = embed("belay_embed_f32");
    static final KernelSignature EMBED_BF16_F32 = embed("belay_embed_bf16_f32");
    static final KernelSignature GATHER_F32 = gather("belay_gather_f32");
    static final KernelSignature GATHER_BF16 = gather("belay_gather_bf16");
    static final KernelSignature ROUND_F32_BF16 = round("belay_round_f32_bf16");
    static final KernelSignature ABLATION_NORMS_F32 = ablationNorms("belay_ablation_norms_f32");
    static final KernelSignature ABLATION_NORMS_BF16 = ablationNorms("belay_ablation_norms_bf16");
    static final KernelSignature ABLATION_START_F32 = ablationStart("belay_ablation_start_f32");
    static final KernelSignature ROUTER_F32 = add(
            "belay_router_f32",
            ROUTER_THREADS,
            0,
            pointer("logits"),
            i32("tokens"),
            i32("count"),
            i32("top"),
            i32("normalized"),
            pointer("experts"),
            pointer("shares"));
    static final KernelSignature EXPERT_GROUPS = add(
            "belay_expert_groups",
            MAX_THREADS,
            0,
            pointer("experts"),
            i32("count"),
            pointer("offsets"),
            pointer("pairs"),
            pointer("places"));
    static final KernelSignature COMBINE_F32 = add(
            "belay_combine_f32",
            ABLATION_START_THREADS,
            0,
            pointer("in"),
            pointer("places"),
            pointer("shares"),
            i32("top"),
            i32("width"),
            pointer("x"));
    static final KernelSignature ADD_BIAS_F32 =
            add("belay_add_bias_f32", ABLATION_START_THREADS, 0, pointer("x"), pointer("bias"), i32("width"));
    static final KernelSignature PROBE_F32 = probe("belay_probe_f32");
    static final KernelSignature ATTRIBUTION_F32 = attribution("belay_attribution_f32");
    static final KernelSignature ATTRIBUTION_BF16 = attribution("belay_attribution_bf16");
    static final KernelSignature ATTENTION_32 = attention(32);
    static final KernelSignature ATTENTION_64 = attention(64);
    static final KernelSignature ATTENTION_80 = attention(80);
    static final KernelSignature ATTENTION_96 = attention(96);
    static final KernelSignature ATTENTION_128 = attention(128);
    static final KernelSignature ATTENTION_256 = attention(256);
    static final KernelSignature GREEDY_F32 =
            add("belay_greedy_f32", MAX_THREADS, 0, pointer("logits"), i32("vocabulary"), pointer("tokens"));
    static final KernelSignature SAMPLE_F32 = add(
            "belay_sample_f32",
            MAX_THREADS,
            0,
            pointer("logits"),
            i32("vocabulary"),
            f32("temperature"),
            i32("topK"),
            f32("topP"),
            i64("seed"),
            pointer("texts"),
            pointer("positions"),
            pointer("tokens"));
    static final KernelSignature LOGIT_SCORE_F32 = add(
            "belay_logit_score_f32",
            MAX_THREADS,
            0,
            pointer("logits"),
            i32("vocabulary"),
            pointer("first"),
            pointer("tokens"),
            pointer("scores"));
    static final KernelSignature ATTENTION_ANY_F32 = attentionAny("belay_attention_any_f32");
    static final KernelSignature ATTENTION_ANY_BF16 = attentionAny("belay_attention_any_bf16");
    static final KernelSignature MATMUL_BF16_F32 = matmul("belay_matmul_bf16_f32", MATMUL_TILE, 256);
    static final KernelSignature MATMUL_SMALL_BF16_F32 = matmul("belay_matmul_small_bf16_f32", MATMUL_SMALL_TILE, 128);
    static final KernelSignature MATMUL_F32 = matmul("belay_matmul_f32", MATMUL_TILE, 256);
    static final KernelSignature MATMUL_SMALL_F32 = matmul("belay_matmul_small_f32", MATMUL_SMALL_TILE, 64);
    static final KernelSignature MATVEC_BF16_F32 = matrixProduct("belay_matvec_bf16_f32", MATVEC_THREADS, 0);
    static final KernelSignature MATVEC_F32 = matrixProduct("belay_matvec_f32", MATVEC_THREADS, 0);
    static final KernelSignature EXPERT_MATMUL_BF16_F32 =
            expertProduct("belay_expert_matmul_bf16_f32", 256, tileBytes(MATMUL_TILE));
    static final KernelSignature EXPERT_MATMUL_SMALL_BF16_F32 =
            expertProduct("belay_expert_matmul_small_bf16_f32", 128, tileBytes(MATMUL_SMALL_TILE));
    static final KernelSignature EXPERT_MATMUL_F32 =
            expertProduct("belay_expert_matmul_f32", 256, tileBytes(MATMUL_TILE));
    static final KernelSignature EXPERT_MATMUL_SMALL_F32 =
            expertProduct("belay_expert_matmul_small_f32", 64, tileBytes(MATMUL_SMALL_TILE));
    static final KernelSignature EXPERT_MATVEC_BF16_F32 =
            expertProduct("belay_expert_matvec_bf16_f32", MATVEC_THREADS, 0);
    static final KernelSignature EXPERT_MATVEC_F32 = expertProduct("belay_expert_matvec_f32", MATVEC_THREADS, 0);
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

    /** Geometry of qkv for rows of H heads of queries and KV of keys and of values each. */
    static LaunchShape qkvShape(int tokens, int heads, int kvHeads, int headSize) {
        int lanes = lanes(headSize, QKV_PER_LANE);
        int perGroup = tokens < QKV_MANY_TOKENS ? 2 : 4;
        return LaunchShape.split(tokens, Math.ceilDiv((heads + 2L * kvHeads) * lanes, perGroup), QKV_THREADS);
    }

    /** Geometry of swiglu to [T, F]. */
    static LaunchShape swigluShape(int tokens, int width) {
        return LaunchShape.split(tokens, Math.ceilDiv((long) width * Float.BYTES, VECTOR_BYTES), SWIGLU_THREADS);
    }

    /** Geometry of embed to [T, D]. */
    static LaunchShape embedShape(int tokens, int width) {
        return copyShape(tokens, width);
    }

    /** Geometry of gather of {@code count} rows of {@code width} numbers. */
    static LaunchShape gatherShape(int count, int width) {
        return copyShape(count, width);
    }

    /** Geometry of round to [T, width]. */
    static LaunchShape roundShape(int tokens, int width) {
        return copyShape(tokens, width);
    }

    private static LaunchShape copyShape(int rows, int width) {
        return LaunchShape.split(rows, Math.ceilDiv(width, COPY_PER_THREAD), COPY_THREADS);
    }

    /**
     * Geometry of ablation_norms of T tokens.
     *
     * @throws DeviceException if there are more heads than it has shared memory for
     */
    static LaunchShape ablationNormsShape(int tokens, int heads) {
        if (heads > ABLATION_NORMS_HEADS) {
            throw new DeviceException("no CUDA kernel keeps the norm of more than " + ABLATION_NORMS_HEADS
                    + " heads, and here are " + heads + "; use --device cpu");
        }
        return new LaunchShape(tokens, 1, ABLATION_NORMS_THREADS);
    }

    /** Geometry of ablation_start to [G · T, D]. */
    static LaunchShape ablationStartShape(int groups, int tokens, int width) {
        int rows = Math.multiplyExact(Math.ceilDiv(groups, ABLATION_START_GROUPS), tokens);
        return LaunchShape.split(rows, Math.ceilDiv(width * 4L, VECTOR_BYTES), ABLATION_START_THREADS);
    }

    /** Geometry of add_bias over rows [T, D], and of combine. */
    static LaunchShape addBiasShape(int tokens, int width) {
        return LaunchShape.split(tokens, Math.ceilDiv(width * 4L, VECTOR_BYTES), ABLATION_START_THREADS);
    }

    /** Geometry of probe over rows [T, D]; that of rmsnorm, whose sums it repeats. */
    static LaunchShape probeShape(int tokens, int width) {
        return rmsNormShape(tokens, width);
    }

    /** Geometry of attribution over z[T, H, HD]. */
    static LaunchShape attributionShape(int tokens, int heads, int headSize) {
        return LaunchShape.split(tokens, (long) heads * lanes(headSize, PER_THREAD), ATTRIBUTION_THREADS);
    }

    /** Lanes of the group that shares a head: a power of two, at most a warp. */
    private static int lanes(int headSize, int perLane) {
        int needed = Math.min(WARP, Math.ceilDiv(headSize, perLane));
        return needed == 1 ? 1 : Integer.highestOneBit(needed - 1) << 1;
    }

    /** Geometry of attention, for one head size or any, over tiles of queries, see {@link AttentionTiles}. */
    static LaunchShape attentionShape(int tiles, int heads) {
        return new LaunchShape(tiles, heads, ATTENTION_THREADS);
    }

    /** Geometry of greedy, sample and logit_score over logits [rows, V]. */
    static LaunchShape sampleShape(int rows) {
        return new LaunchShape(rows, 1, MAX_THREADS);
    }

    /** Whether there is a kernel with tensor cores for heads of this size, see {@link #attentionOf}. */
    static boolean hasAttentionOf(int headSize) {
        return switch (headSize) {
            case 32, 64, 80, 96, 128, 256 -> true;
            default -> false;
        };
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

    /**
     * Number of counters (int32) of decoding attention, one for each key/value head of a token and one for the token; zero before the
     * first launch, and again after each. Attention over tiles has one a tile, likewise.
     */
    static int decodeCounters(int tokens, int kvHeads) {
        return Math.multiplyExact(tokens, kvHeads + 1);
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

    /** The kernel in tiles for a product of {@code type}; large tiles where they keep all of a GPU's multiprocessors busy. */
    static KernelSignature matmulOf(DType type, int tokens, int rows, int multiprocessors) {
        long blocks = (long) Math.ceilDiv(tokens, MATMUL_TILE) * Math.ceilDiv(rows, MATMUL_TILE);
        if (tokens > MATMUL_SMALL_TILE && blocks >= multiprocessors) {
            return type == DType.BF16 ? MATMUL_BF16_F32 : MATMUL_F32;
        }
        return type == DType.BF16 ? MATMUL_SMALL_BF16_F32 : MATMUL_SMALL_F32;
    }

    /** Geometry of a matmul kernel to [T, rows]. */
    static LaunchShape matmulShape(KernelSignature kernel, int tokens, int rows) {
        int tile = kernel == MATMUL_BF16_F32 || kernel == MATMUL_F32 ? MATMUL_TILE : MATMUL_SMALL_TILE;
        return new LaunchShape(Math.ceilDiv(tokens, tile), Math.ceilDiv(rows, tile), kernel.maxThreads());
    }

    /** Geometry of a matvec kernel to [T, rows], T at most {@link #MATVEC_TOKENS}. */
    static LaunchShape matvecShape(int tokens, int rows) {
        int block = tokens <= 2 ? 16 : tokens <= 4 ? 32 : 64;
        return new LaunchShape(Math.ceilDiv(rows, block), 1, MATVEC_THREADS);
    }

    /** Geometry of router over logits [T, E]. */
    static LaunchShape routerShape(int tokens) {
        return new LaunchShape(Math.ceilDiv(tokens, ROUTER_THREADS / WARP), 1, ROUTER_THREADS);
    }

    /** Geometry of expert_groups of {@code pairs} pairs of a token and one of its experts. */
    static LaunchShape expertGroupsShape(int experts, int pairs) {
        return LaunchShape.rows(experts, pairs, EXPERT_GROUPS_PER_THREAD);
    }

    /** The kernel for the products of experts; large tiles where an expert fills more than a small one on average. */
    static KernelSignature expertProductOf(
            DType type, int tokens, int pairs, int experts, int rows, int multiprocessors) {
        if (tokens <= MATVEC_TOKENS) {
            return type == DType.BF16 ? EXPERT_MATVEC_BF16_F32 : EXPERT_MATVEC_F32;
        }
        long blocks = (long) Math.ceilDiv(pairs, MATMUL_TILE) * Math.ceilDiv(rows, MATMUL_TILE);
        if (pairs > (long) experts * MATMUL_SMALL_TILE && blocks >= multiprocessors) {
            return type == DType.BF16 ? EXPERT_MATMUL_BF16_F32 : EXPERT_MATMUL_F32;
        }
        return type == DType.BF16 ? EXPERT_MATMUL_SMALL_BF16_F32 : EXPERT_MATMUL_SMALL_F32;
    }

    /** Geometry of an expert_matmul or expert_matvec kernel to [pairs, rows]; the latter for T at most {@link #MATVEC_TOKENS}. */
    static LaunchShape expertProductShape(KernelSignature kernel, int tokens, int pairs, int experts, int rows) {
        if (kernel == EXPERT_MATVEC_BF16_F32 || kernel == EXPERT_MATVEC_F32) {
            return new LaunchShape(matvecShape(tokens, rows).gridX(), pairs, MATVEC_THREADS);
        }
        int tile = kernel == EXPERT_MATMUL_BF16_F32 || kernel == EXPERT_MATMUL_F32 ? MATMUL_TILE : MATMUL_SMALL_TILE;
        // Every expert with pairs has one tile that may be partly filled.
        long tiles = (pairs + Math.min(experts, pairs) * (tile - 1L)) / tile;
        return new LaunchShape(Math.toIntExact(tiles), Math.ceilDiv(rows, tile), kernel.maxThreads());
    }

    private static KernelSignature rmsNorm(String name) {
        return add(name, MAX_THREADS, 0, pointer("x"), pointer("weight"), f32("eps"), i32("width"), pointer("out"));
    }

    private static KernelSignature qkv(String name) {
        return add(
                name,
                QKV_THREADS,
                0,
                pointer("in"),
                i32("inStride"),
                pointer("bias"),
                pointer("qNorm"),
                pointer("kNorm"),
                f32("eps"),
                pointer("table"),
                pointer("positions"),
                pointer("slots"),
                i32("heads"),
                i32("kvHeads"),
                i32("headSize"),
                i32("rotarySize"),
                pointer("q"),
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

    private static KernelSignature embed(String name) {
        return add(name, COPY_THREADS, 0, pointer("table"), pointer("ids"), i32("width"), pointer("out"));
    }

    private static KernelSignature gather(String name) {
        return add(name, COPY_THREADS, 0, pointer("in"), pointer("indices"), i32("width"), pointer("out"));
    }

    private static KernelSignature round(String name) {
        return add(name, COPY_THREADS, 0, pointer("in"), i32("inStride"), i32("width"), pointer("out"));
    }

    private static KernelSignature ablationNorms(String name) {
        return add(
                name,
                ABLATION_NORMS_THREADS,
                0,
                pointer("z"),
                pointer("factors"),
                pointer("chosen"),
                i32("groups"),
                i32("heads"),
                i32("headSize"),
                pointer("norms"));
    }

    private static KernelSignature ablationStart(String name) {
        return add(
                name,
                ABLATION_START_THREADS,
                0,
                pointer("x"),
                pointer("attention"),
                pointer("norms"),
                i32("groups"),
                i32("tokens"),
                i32("width"),
                pointer("out"));
    }

    private static KernelSignature probe(String name) {
        return add(
                name,
                MAX_THREADS,
                0,
                pointer("x"),
                pointer("norm"),
                f32("eps"),
                pointer("vectors"),
                i32("count"),
                i32("width"),
                pointer("out"));
    }

    private static KernelSignature attribution(String name) {
        return add(
                name,
                ATTRIBUTION_THREADS,
                0,
                pointer("z"),
                pointer("u"),
                i32("heads"),
                i32("headSize"),
                pointer("out"));
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
                pointer("renormalize"),
                pointer("counters"),
                pointer("unscaled"),
                pointer("z"));
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
                pointer("renormalize"),
                pointer("counters"),
                pointer("unscaled"),
                pointer("z"));
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
                pointer("renormalize"),
                pointer("workspace"),
                pointer("counters"),
                pointer("unscaled"),
                pointer("z"));
    }

    /** The queries and two stages of keys and values, bf16, in rows padded by 16 bytes; attention::Tile in attention.cu. */
    private static int attentionBytes(int headSize) {
        int keys = headSize > 128 ? 32 : 64;
        return (ATTENTION_QUERIES + 4 * keys) * (headSize + 8) * Short.BYTES;
    }

    /** Four stages of 64 bytes of each row of two tiles; matmul::Tile in matmul.cuh. */
    private static int tileBytes(int tile) {
        return 4 * 2 * tile * 64;
    }

    private static KernelSignature matmul(String name, int tile, int threads) {
        return matrixProduct(name, threads, tileBytes(tile));
    }

    private static KernelSignature expertProduct(String name, int threads, int sharedBytes) {
        return add(
                name,
                threads,
                sharedBytes,
                pointer("a"),
                i32("aStride"),
                pointer("weights"),
                pointer("experts"),
                pointer("offsets"),
                pointer("pairs"),
                i32("top"),
                pointer("out"),
                i32("tokens"),
                i32("rows"),
                i32("columns"),
                i32("count"));
    }

    private static KernelSignature matrixProduct(String name, int threads, int sharedBytes) {
        return add(
                name,
                threads,
                sharedBytes,
                pointer("a"),
                i32("aStride"),
                pointer("weights"),
                i32("wStride"),
                pointer("bias"),
                pointer("out"),
                i32("outStride"),
                i32("tokens"),
                i32("rows"),
                i32("columns"),
                i32("accumulate"));
    }

    private static KernelSignature add(String name, int maxThreads, int sharedBytes, Parameter... parameters) {
        KernelSignature signature = KernelSignature.of(name, maxThreads, sharedBytes, parameters);
        ALL.add(signature);
        return signature;
    }
}
