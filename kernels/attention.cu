// z[t, h, :] = factor * sum_j softmax_j(scale * q[t, h] . k[j, g]) v[j, g] with g = h / (H / KV), over the keys j that token t sees:
// positions 0 .. position(t) of its row, or the last `window` of them. Flash attention: no score leaves the block.
//
// Shapes      q bf16 [T, H, HD]; keys and values bf16 [slots, KV, HD], twice: position j of row r is slot prefixStart[r] + j of the prefix
//             caches where j < prefixLength[r], else ownStart[r] + j - prefixLength[r] of the own caches. rowStart int [rows + 1]: row r
//             holds the tokens rowStart[r] .. rowStart[r + 1] - 1, positions int [T] ascending in a row. tiles int2 [grid.x] = (row, first
//             token): the up to 64 tokens of a row that a block computes. unscaled bf16 [T, H, HD], z before any factor, for those who
//             capture it; may be null. HD of 32, 64, 80, 96, 128 or 256, by entry point; all bf16 start at multiples of 16 bytes.
//             window 0 = all.
//             setOfToken int [T] and factors f32 [sets, H], or both null: factor = factors[setOfToken[t], h], or 1 for a set of -1.
//             renormalize int [sets] (0 or 1), null where no set keeps norms: where it is 1, all of z[t] is multiplied by what
//             scale_heads.cu multiplies it by, too. counters int [tiles], zero before and after; null without.
// Numbers     Products of bf16 summed in float32 by the tensor core; softmax online in float32, base 2, with ex2.approx (relative error
//             2^-22, far below that of the weights, which round to bf16 before they multiply the values; the sum that divides is of the
//             unrounded ones). z rounds once from float32, after the factor; a factor of 0 gives exactly +0, one of 1 changes no bit. The
//             other tokens of a batch do not change a bit of a token's z, as long as their keys and values are finite. scale > 0. Where a
//             norm is kept, z rounds without its factor, and again after factor and norm, as in scale_heads.cu.
// Geometry    grid (tiles, H), 128 threads: each warp holds 16 tokens of one head. The host orders tiles by work, the longest first. Of a
//             tile with tokens whose norms are kept, the block that is done last scales these, all heads, a warp a token: which block
//             that is changes no bit, as it sums from memory. Other tiles count nothing.
// Memory      Dynamic shared memory: the queries, and two tiles of keys and of values, so that one is fetched with cp.async while the
//             other multiplies; see attention::Tile. Rows are padded by 16 bytes: an odd number of 16-byte units, so that the eight rows
//             of an ldmatrix and the eight of a store of z lie in different banks. Keys and values are read once a block. z of the tokens
//             whose norms are kept is read and written again, from the L2 cache: 16 vectors of 16 bytes a lane stay in registers (8
//             with heads of up to 80), those beyond are read twice.
#include "attention.cuh"
#include "common.cuh"
#include "mma.cuh"

namespace attention {

constexpr int THREADS = 128;
constexpr int QUERIES = 64;

// Where the tiles lie in shared memory, in numbers: queries, then stage 0 (keys, values), then stage 1.
template <int HD>
struct Tile {
    static constexpr int KEYS = HD > 128 ? 32 : 64;
    static constexpr int PITCH = HD + 8;
    static constexpr int STAGE = 2 * KEYS * PITCH;
    static constexpr int BYTES = (QUERIES * PITCH + 2 * STAGE) * 2;
};

struct Arguments {
    const bf16* q;
    const bf16 *prefixKeys, *prefixValues, *ownKeys, *ownValues;
    const int *rowStart, *positions, *prefixStart, *prefixLength, *ownStart;
    const int2* tiles;
    int heads, kvHeads, window;
    float scale;
    HeadScales scales;
    int* counters;
    bf16 *unscaled, *z;
};

// A block's part of the work.
struct Work {
    int firstToken, tokens;           // queries
    int firstPosition, lastPosition;  // of them
    int firstKey, endKey;             // keys that any of them sees
    int prefixLength;
    size_t prefixSlot, ownSlot;  // slots of position 0; the own one may lie before the cache
};

template <int HD>
__device__ __forceinline__ Work workOf(const Arguments& a) {
    const int2 tile = a.tiles[blockIdx.x];
    Work w;
    w.firstToken = tile.y;
    w.tokens = min(QUERIES, a.rowStart[tile.x + 1] - tile.y);
    w.firstPosition = a.positions[w.firstToken];
    w.lastPosition = a.positions[w.firstToken + w.tokens - 1];
    // Tiles of keys begin at multiples of their size, so that a token's sums do not depend on who shares its block.
    w.firstKey = a.window > 0 ? max(0, w.firstPosition + 1 - a.window) / Tile<HD>::KEYS * Tile<HD>::KEYS : 0;
    w.endKey = w.lastPosition + 1;
    w.prefixLength = a.prefixLength[tile.x];
    w.prefixSlot = a.prefixStart[tile.x];
    w.ownSlot = static_cast<size_t>(a.ownStart[tile.x]) - w.prefixLength;
    return w;
}

// Starts the copy of the block's queries, zeros behind the last.
template <int HD>
__device__ __forceinline__ void fetchQueries(const Arguments& a, const Work& w, bf16* shared) {
    constexpr int UNITS = HD / 8;
    const size_t stride = static_cast<size_t>(a.heads) * HD;
    const bf16* source = a.q + w.firstToken * stride + blockIdx.y * HD;
#pragma unroll
    for (int i = threadIdx.x; i < QUERIES * UNITS; i += THREADS) {
        const int query = i / UNITS, unit = i % UNITS;
        const bool there = query < w.tokens;
        copyAsync16(sharedAddress(shared + query * Tile<HD>::PITCH + unit * 8), source + (there ? query * stride + unit * 8 : 0), there);
    }
}

// Starts the copy of keys and values from position `first` on into a stage, zeros behind the last.
template <int HD>
__device__ __forceinline__ void fetchKeyValues(const Arguments& a, const Work& w, int kvHead, int first, bf16* stage) {
    constexpr int UNITS = HD / 8, KEYS = Tile<HD>::KEYS, PITCH = Tile<HD>::PITCH;
    const size_t stride = static_cast<size_t>(a.kvHeads) * HD;
#pragma unroll
    for (int i = threadIdx.x; i < KEYS * UNITS; i += THREADS) {
        const int key = i / UNITS, unit = i % UNITS;
        const bool there = first + key < w.endKey;
        const int position = there ? first + key : w.firstKey;
        const bool shared = position < w.prefixLength;
        const size_t source = ((shared ? w.prefixSlot : w.ownSlot) + position) * stride + kvHead * HD + unit * 8;
        const uint32_t target = sharedAddress(stage + key * PITCH + unit * 8);
        copyAsync16(target, (shared ? a.prefixKeys : a.ownKeys) + source, there);
        copyAsync16(target + KEYS * PITCH * sizeof(bf16), (shared ? a.prefixValues : a.ownValues) + source, there);
    }
}

// 2^x; the result flushes to zero where it is below the normal numbers.
__device__ __forceinline__ float exp2Approximately(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// What a lane holds of a warp's 16 queries: of row i (l / 4 and l / 4 + 8) the largest score and the sum of weights so far.
struct Softmax {
    float largest[2], sum[2];
};

// Largest or sum over the four lanes that hold a row.
__device__ __forceinline__ float rowMax(float x) {
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

__device__ __forceinline__ float rowSum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

// s[16, KEYS] = q . k of a warp's queries and a stage's keys.
template <int HD>
__device__ __forceinline__ void scores(uint32_t queries, uint32_t keys, float (&s)[Tile<HD>::KEYS / 8][4]) {
    constexpr int PITCH = Tile<HD>::PITCH;
#pragma unroll
    for (int n = 0; n < Tile<HD>::KEYS / 8; n++) {
        s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.0f;
    }
#pragma unroll
    for (int k = 0; k < HD / 16; k++) {
        uint32_t a[4];
        loadMatrices(queries + k * 32, a);
#pragma unroll
        for (int n = 0; n < Tile<HD>::KEYS / 8; n += 2) {
            uint32_t b[4];
            loadMatrices(keys + (n * 8 * PITCH + k * 16) * 2, b);
            multiplyAdd(s[n], a, b[0], b[1]);
            multiplyAdd(s[n + 1], a, b[2], b[3]);
        }
    }
}

// Scores of keys that a row does not see become -infinity. `position` are those of the lane's two rows.
template <int N>
__device__ __forceinline__ void mask(float (&s)[N][4], const int (&position)[2], int window, int firstKey) {
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int behind = position[i / 2] - (firstKey + n * 8 + threadIdx.x % 4 * 2 + i % 2);
            if (behind < 0 || (window > 0 && behind >= window)) {
                s[n][i] = -INFINITY;
            }
        }
    }
}

// Turns scores into weights relative to the largest score so far, adds them up, and returns in `shrink` what the sums before must be
// multiplied by. A row that has seen no key yet keeps -infinity, and its weights are zero.
template <int N>
__device__ __forceinline__ void weigh(float (&s)[N][4], float scale, Softmax& softmax, float (&shrink)[2]) {
#pragma unroll
    for (int row = 0; row < 2; row++) {
        float largest = softmax.largest[row];
#pragma unroll
        for (int n = 0; n < N; n++) {
            largest = fmaxf(largest, fmaxf(s[n][2 * row], s[n][2 * row + 1]));
        }
        largest = rowMax(largest);
        // Products that round on their own, so that the difference is exactly 0 where the largest score stays: a tile of which a row
        // sees nothing does not change a bit of it.
        const float base = largest == -INFINITY ? 0.0f : __fmul_rn(largest, scale);
        shrink[row] = exp2Approximately(__fmul_rn(softmax.largest[row], scale) - base);
        softmax.largest[row] = largest;
        float sum = 0.0f;
#pragma unroll
        for (int n = 0; n < N; n++) {
#pragma unroll
            for (int i = 2 * row; i < 2 * row + 2; i++) {
                s[n][i] = exp2Approximately(fmaf(s[n][i], scale, -base));
                sum += s[n][i];
            }
        }
        softmax.sum[row] = fmaf(softmax.sum[row], shrink[row], sum);
    }
}

// z[16, HD] = z * shrink + weights[16, KEYS] . values of a stage.
template <int HD>
__device__ __forceinline__ void addValues(const float (&weights)[Tile<HD>::KEYS / 8][4], const float (&shrink)[2], uint32_t values,
                                          float (&z)[HD / 8][4]) {
    constexpr int PITCH = Tile<HD>::PITCH;
#pragma unroll
    for (int n = 0; n < HD / 8; n++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            z[n][i] *= shrink[i / 2];
        }
    }
#pragma unroll
    for (int k = 0; k < Tile<HD>::KEYS / 8; k += 2) {
        const uint32_t a[4] = {packBf16(weights[k][0], weights[k][1]), packBf16(weights[k][2], weights[k][3]),
                               packBf16(weights[k + 1][0], weights[k + 1][1]), packBf16(weights[k + 1][2], weights[k + 1][3])};
#pragma unroll
        for (int n = 0; n < HD / 8; n += 2) {
            uint32_t b[4];
            loadMatricesTransposed(values + (k * 8 * PITCH + n * 8) * 2, b);
            multiplyAdd(z[n], a, b[0], b[1]);
            multiplyAdd(z[n + 1], a, b[2], b[3]);
        }
    }
}

// A warp's z to `out` in bf16, through the shared memory of its queries, so that whole 16-byte units are written.
template <int HD>
__device__ __forceinline__ void storeZ(const Arguments& a, const Work& w, int firstQuery, const float (&z)[HD / 8][4], bf16* shared,
                                       bf16* out) {
    constexpr int UNITS = HD / 8, PITCH = Tile<HD>::PITCH;
    const int lane = threadIdx.x % WARP;
    bf16* rows = shared + firstQuery * PITCH;
    __syncwarp();
#pragma unroll
    for (int n = 0; n < HD / 8; n++) {
        bf16* target = rows + lane / 4 * PITCH + n * 8 + lane % 4 * 2;
        *reinterpret_cast<uint32_t*>(target) = packBf16(z[n][0], z[n][1]);
        *reinterpret_cast<uint32_t*>(target + 8 * PITCH) = packBf16(z[n][2], z[n][3]);
    }
    __syncwarp();
    const size_t stride = static_cast<size_t>(a.heads) * HD;
#pragma unroll
    for (int i = lane; i < 16 * UNITS; i += WARP) {
        const int query = i / UNITS, unit = i % UNITS;
        if (firstQuery + query < w.tokens) {
            bf16* target = out + (w.firstToken + firstQuery + query) * stride + blockIdx.y * HD + unit * 8;
            *reinterpret_cast<uint4*>(target) = *reinterpret_cast<const uint4*>(rows + query * PITCH + unit * 8);
        }
    }
}

template <int HD>
__device__ __forceinline__ void kernel(const Arguments& a) {
    constexpr int KEYS = Tile<HD>::KEYS, PITCH = Tile<HD>::PITCH;
    extern __shared__ __align__(16) bf16 shared[];
    bf16* stages = shared + QUERIES * PITCH;
    const int lane = threadIdx.x % WARP, firstQuery = threadIdx.x / WARP * 16;
    const int kvHead = blockIdx.y / (a.heads / a.kvHeads);
    const Work w = workOf<HD>(a);

    // Rows behind the block's last token compute on zeros as if they stood at its place; nothing of them is stored.
    int position[2];
#pragma unroll
    for (int row = 0; row < 2; row++) {
        position[row] = a.positions[w.firstToken + min(w.tokens - 1, firstQuery + lane / 4 + row * 8)];
    }
    // Where this lane's rows of the four matrices of an ldmatrix begin: of queries and of values the matrices are (rows 0-7, 8-15) of
    // columns 0-7, then of 8-15; of keys (columns 0-7, 8-15) of rows 0-7, then of 8-15.
    const uint32_t queries = sharedAddress(shared + (firstQuery + lane % 16) * PITCH + lane / 16 * 8);
    const uint32_t keys = sharedAddress(stages + (lane % 8 + lane / 16 * 8) * PITCH + lane / 8 % 2 * 8);
    const uint32_t values = sharedAddress(stages + (KEYS + lane % 16) * PITCH + lane / 16 * 8);

    fetchQueries<HD>(a, w, shared);
    fetchKeyValues<HD>(a, w, kvHead, w.firstKey, stages);
    commitCopies();

    const float scale = a.scale * 1.44269504f;  // log2 e
    float z[HD / 8][4] = {};
    Softmax softmax = {{-INFINITY, -INFINITY}, {0.0f, 0.0f}};
    int stage = 0;
    for (int first = w.firstKey; first < w.endKey; first += KEYS) {
        // This tile has come for all threads, and all are done with the one before, whose place the next one takes.
        awaitCopies();
        __syncthreads();
        if (first + KEYS < w.endKey) {
            fetchKeyValues<HD>(a, w, kvHead, first + KEYS, stages + (stage ^ 1) * Tile<HD>::STAGE);
            commitCopies();
        }
        const uint32_t offset = stage * Tile<HD>::STAGE * sizeof(bf16);
        float s[KEYS / 8][4];
        scores<HD>(queries, keys + offset, s);
        const bool allSeeAll = first + KEYS - 1 <= w.firstPosition && (a.window == 0 || w.lastPosition - first < a.window);
        if (!allSeeAll) {
            mask(s, position, a.window, first);
        }
        float shrink[2];
        weigh(s, scale, softmax, shrink);
        addValues<HD>(s, shrink, values + offset, z);
        stage ^= 1;
    }

#pragma unroll
    for (int row = 0; row < 2; row++) {
        const float inverse = 1.0f / rowSum(softmax.sum[row]);
#pragma unroll
        for (int n = 0; n < HD / 8; n++) {
            z[n][2 * row] *= inverse;
            z[n][2 * row + 1] *= inverse;
        }
    }
    if (a.unscaled != nullptr) {
        storeZ<HD>(a, w, firstQuery, z, shared, a.unscaled);
    }
    if (a.scales.setOfToken != nullptr) {
#pragma unroll
        for (int row = 0; row < 2; row++) {
            const int token = w.firstToken + min(w.tokens - 1, firstQuery + lane / 4 + row * 8);
            const float factor = headFactor(a.scales, token, blockIdx.y);
#pragma unroll
            for (int n = 0; n < HD / 8; n++) {
                z[n][2 * row] = timesFactor(z[n][2 * row], factor);
                z[n][2 * row + 1] = timesFactor(z[n][2 * row + 1], factor);
            }
        }
    }
    storeZ<HD>(a, w, firstQuery, z, shared, a.z);
    if (a.scales.renormalize != nullptr && finishesTile(a.scales, w.firstToken, w.tokens, a.counters + blockIdx.x)) {
        // As many vectors as cost no registers: few blocks of larger heads fit into the shared memory.
        constexpr int KEPT = HD > 80 ? 16 : 8;
        keepNorms<8, KEPT>(a.scales, w.firstToken, w.tokens, HD, a.z);
    }
}

}  // namespace attention

#define ATTENTION(HD)                                                                                                                     \
    extern "C" __global__ void __launch_bounds__(attention::THREADS) belay_attention_hd##HD##_bf16(                                       \
        const bf16* q, const bf16* prefixKeys, const bf16* prefixValues, const bf16* ownKeys, const bf16* ownValues, const int* rowStart, \
        const int* positions, const int* prefixStart, const int* prefixLength, const int* ownStart, const int2* tiles, int heads,         \
        int kvHeads, int window, float scale, const int* setOfToken, const float* factors, const int* renormalize, int* counters,         \
        bf16* unscaled, bf16* z) {                                                                                                        \
        attention::kernel<HD>({q,                                                                                                         \
                               prefixKeys,                                                                                                \
                               prefixValues,                                                                                              \
                               ownKeys,                                                                                                   \
                               ownValues,                                                                                                 \
                               rowStart,                                                                                                  \
                               positions,                                                                                                 \
                               prefixStart,                                                                                               \
                               prefixLength,                                                                                              \
                               ownStart,                                                                                                  \
                               tiles,                                                                                                     \
                               heads,                                                                                                     \
                               kvHeads,                                                                                                   \
                               window,                                                                                                    \
                               scale,                                                                                                     \
                               {setOfToken, factors, renormalize, heads},                                                                 \
                               counters,                                                                                                  \
                               unscaled,                                                                                                  \
                               z});                                                                                                       \
    }

ATTENTION(32)
ATTENTION(64)
ATTENTION(80)
ATTENTION(96)
ATTENTION(128)
ATTENTION(256)
#undef ATTENTION
