// z[t, h, :] = factor * sum_j softmax_j(scale * q[t, h] . k[j, g]) v[j, g] with g = h / (H / KV), over the keys j that token t sees, as in
// attention.cu, for batches in which each row has few tokens: the work of a token is split over its keys.
//
// Shapes      q f32 or bf16 [T, H, HD]; keys and values of its type [slots, KV, HD], twice: position j of row r is slot prefixStart[r] + j
//             of the prefix caches where j < prefixLength[r], else ownStart[r] + j - prefixLength[r] of the own caches. rowOfToken and
//             positions int [T]. setOfToken int [T] and factors f32 [sets, H], or both null: factor = factors[setOfToken[t], h], or 1 for
//             a set of -1. renormalize, unscaled: attention.cu. z of q's type. HD 1 to 256, any addresses but of the workspace, a multiple
//             of 16. window 0 = all. scale > 0. workspace f32 [ranges, T, H, HD rounded up to 4, + 4], of any content; counters int [T, KV]
//             and then [T], zero before and after.
// Numbers     All float32. A score: each lane fmas 8 dimensions, then the lanes of a key pairwise. Softmax is online over pieces of 256
//             keys, base 2, with exp2f (2 ulp). Values: fma over every 4th to 16th key of a piece, then pairwise, then over the warps.
//             The pieces of a range are merged one after the other, then the ranges, in this order. Ranges are of 256 * 2^n keys, at
//             multiples of their size, the smallest n for which a token has at most 64 of them: nothing but the token's own keys decides
//             what is added to what, so that neither the grid nor the other tokens change a bit. z rounds once to bf16, after the factor; a
//             factor of 0 gives exactly +0, one of 1 changes no bit.
// Geometry    grid (T, KV, splits), 128 threads; block z takes the ranges z, z + splits, ... of a token and a key/value head, for all
//             its query heads, up to 8 at a time. The last block of a token and head to finish merges the ranges and sets the counter to
//             zero. Blocks without a range leave at once; a token with one range needs neither workspace nor counter. Where a token's norm
//             is kept, a warp of the last block of all its heads scales it, as in attention.cu.
// Memory      24 KB of shared memory: the scores of 8 heads and 256 keys, in rows padded by 4 so that eight heads of neighbouring keys lie
//             in different banks, and the sums of 4 warps. A key or value is read once for each 8 query heads, 8 numbers a lane, in
//             accesses of 16 bytes (two in f32) where HD and addresses allow, else of one number.
#include "attention.cuh"
#include "common.cuh"

namespace attention_decode {

constexpr int THREADS = 128;
constexpr int WARPS = THREADS / WARP;
// Keys whose scores are in shared memory at a time.
constexpr int PIECE = 256;
constexpr int MAX_RANGES = 64;
constexpr int MAX_HEADS = 8;
constexpr int MAX_HEAD_SIZE = 256;
// Dimensions of a lane.
constexpr int N = 8;
constexpr int SCORE_PITCH = PIECE + 4;
// Heads whose sums the warps add up at a time.
constexpr int SUM_HEADS = 4;

// x, in a way that the compiler cannot see through: what depends on it is computed anew where it is needed, and not once before all
// loops, which would take more registers than there are.
__device__ __forceinline__ int anew(int x) {
    asm volatile("" : "+r"(x));
    return x;
}

struct Shared {
    float scores[MAX_HEADS][SCORE_PITCH];
    float sums[WARPS * SUM_HEADS * MAX_HEAD_SIZE];
    // Of each head: largest score and sum of weights of the range so far, and what its sums before the piece must be multiplied by.
    float largest[MAX_HEADS], sum[MAX_HEADS], shrink[MAX_HEADS];
};

template <typename T>
struct Arguments {
    const T* q;
    const T *prefixKeys, *prefixValues, *ownKeys, *ownValues;
    const int *rowOfToken, *positions, *prefixStart, *prefixLength, *ownStart;
    int heads, kvHeads, headSize, window;
    float scale;
    attention::HeadScales scales;
    float* workspace;
    int* counters;
    T *unscaled, *z;
};

// What a token sees, and how a warp is laid over it.
struct Work {
    int token, kvHead, perKv;  // perKv: query heads of the key/value head
    int firstKey, endKey;
    int rangeKeys, firstRange, ranges;
    int prefixLength;
    size_t prefixSlot, ownSlot;  // slots of position 0; the own one may lie before the cache
    int lanes, record;           // lanes of a key; numbers of a record of the workspace
};

template <typename T>
__device__ __forceinline__ Work workOf(const Arguments<T>& a) {
    Work w;
    w.token = blockIdx.x;
    w.kvHead = blockIdx.y;
    w.perKv = a.heads / a.kvHeads;
    const int row = a.rowOfToken[w.token];
    w.endKey = a.positions[w.token] + 1;
    w.firstKey = a.window > 0 ? max(0, w.endKey - a.window) : 0;
    w.rangeKeys = PIECE;
    do {
        w.firstRange = w.firstKey / w.rangeKeys;
        w.ranges = (w.endKey - 1) / w.rangeKeys - w.firstRange + 1;
        w.rangeKeys *= 2;
    } while (w.ranges > MAX_RANGES);
    w.rangeKeys /= 2;
    w.prefixLength = a.prefixLength[row];
    w.prefixSlot = a.prefixStart[row];
    w.ownSlot = static_cast<size_t>(a.ownStart[row]) - w.prefixLength;
    w.lanes = N;
    while (w.lanes * N < a.headSize) {
        w.lanes *= 2;
    }
    w.record = (a.headSize + 3) / 4 * 4 + 4;
    return w;
}

// First dimension of chunk c of a lane: chunks of V numbers, a key's lanes next to each other.
template <int V>
__device__ __forceinline__ int dimension(const Work& w, int c) {
    return (c * w.lanes + threadIdx.x % w.lanes) * V;
}

// A lane's 8 numbers of a row, zeros behind the head's size.
template <int V, typename T>
__device__ __forceinline__ void loadRow(const Work& w, const T* row, int headSize, float (&v)[N]) {
#pragma unroll
    for (int c = 0; c < N / V; c++) {
        const int d = dimension<V>(w, c);
        float chunk[V] = {};
        if (row != nullptr && d < headSize) {
            load(row + d, chunk);
        }
#pragma unroll
        for (int i = 0; i < V; i++) {
            v[c * V + i] = chunk[i];
        }
    }
}

template <typename T>
__device__ __forceinline__ const T* keyRow(const Arguments<T>& a, const Work& w, const T* prefix, const T* own, int position) {
    if (position < w.firstKey || position >= w.endKey) {
        return nullptr;
    }
    const bool fromPrefix = position < w.prefixLength;
    const size_t slot = (fromPrefix ? w.prefixSlot : w.ownSlot) + position;
    return (fromPrefix ? prefix : own) + (slot * a.kvHeads + w.kvHead) * a.headSize;
}

// Sums each of eight numbers over groups of `lanes` lanes, 8 to 32. Lane l gets number 4 (l % 2) + l / 2 % 2 * 2 + l / 4 % 2: half of the
// numbers go to the other lane of a pair, then a quarter, then an eighth.
__device__ __forceinline__ float sumEight(float (&v)[8], int lanes) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int step = 0; step < 3; step++) {
        const int half = 4 >> step, distance = 1 << step;
        const bool upper = lane & distance;
#pragma unroll
        for (int i = 0; i < half; i++) {
            const float sent = upper ? v[i] : v[i + half];
            const float kept = upper ? v[i + half] : v[i];
            v[i] = kept + __shfl_xor_sync(ALL_LANES, sent, distance);
        }
    }
    for (int distance = 8; distance < lanes; distance *= 2) {
        v[0] += __shfl_xor_sync(ALL_LANES, v[0], distance);
    }
    return v[0];
}

// Scores of HEADS query heads and the piece's keys; -infinity where the token does not see the key.
template <int V, int HEADS, typename T>
__device__ __forceinline__ void scores(const Arguments<T>& a, const Work& w, int firstHead, int heads, int piece, int keys,
                                       Shared& shared) {
    // Keys that a lane loads at a time, and of these how many make up eight scores with the heads.
    constexpr int DEPTH = HEADS == 1 ? 8 : V == 1 ? 2 : 4, TOGETHER = 8 / HEADS;
    const int lane = threadIdx.x % WARP, perWarp = WARP / w.lanes;
    const int token = anew(w.token);
    float q[HEADS][N];
#pragma unroll
    for (int h = 0; h < HEADS; h++) {
        const T* row = a.q + (static_cast<size_t>(token) * a.heads + firstHead + h) * a.headSize;
        loadRow<V>(w, h < heads ? row : nullptr, a.headSize, q[h]);
    }
    const int number = lane % 2 * 4 + lane / 2 % 2 * 2 + lane / 4 % 2;
#pragma unroll 1
    for (int base = threadIdx.x / WARP * perWarp; base < keys; base += DEPTH * WARPS * perWarp) {
        float k[DEPTH][N];
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            const int position = piece + base + i * WARPS * perWarp + lane / w.lanes;
            loadRow<V>(w, keyRow(a, w, a.prefixKeys, a.ownKeys, position), a.headSize, k[i]);
        }
#pragma unroll
        for (int i = 0; i < DEPTH; i += TOGETHER) {
            float v[8];
#pragma unroll
            for (int j = 0; j < 8; j++) {
                v[j] = 0.0f;
#pragma unroll
                for (int n = 0; n < N; n++) {
                    v[j] = fmaf(q[j % HEADS][n], k[i + j / HEADS][n], v[j]);
                }
            }
            const float score = sumEight(v, w.lanes);
            const int key = base + (i + number / HEADS) * WARPS * perWarp + lane / w.lanes;
            if (lane % w.lanes < 8 && key < keys) {
                const bool seen = piece + key >= w.firstKey && piece + key < w.endKey;
                shared.scores[number % HEADS][key] = seen ? score : -INFINITY;
            }
        }
    }
}

__device__ __forceinline__ float warpMax(float value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        value = fmaxf(value, __shfl_xor_sync(ALL_LANES, value, distance));
    }
    return value;
}

// Turns scores into weights relative to the largest score of the range so far, a warp for each head. A piece holds a key that the token
// sees.
__device__ __forceinline__ void weigh(int heads, int keys, float scale, Shared& shared) {
    const int lane = threadIdx.x % WARP;
    for (int h = threadIdx.x / WARP; h < heads; h += WARPS) {
        float s[PIECE / WARP];
        const float before = shared.largest[h];
        float largest = before;
#pragma unroll
        for (int i = 0; i < PIECE / WARP; i++) {
            const int key = i * WARP + lane;
            s[i] = key < keys ? shared.scores[h][key] : -INFINITY;
            largest = fmaxf(largest, s[i]);
        }
        largest = warpMax(largest);
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < PIECE / WARP; i++) {
            const float weight = exp2f((s[i] - largest) * scale);
            sum += weight;
            if (i * WARP + lane < keys) {
                shared.scores[h][i * WARP + lane] = weight;
            }
        }
        sum = warpSum(sum);
        __syncwarp();
        if (lane == 0) {
            const float shrink = exp2f((before - largest) * scale);
            shared.sum[h] = fmaf(shared.sum[h], shrink, sum);
            shared.largest[h] = largest;
            shared.shrink[h] = shrink;
        }
    }
}

// Numbers of a head of the token to `out` [T, H, HD], four from dimension d on.
template <typename T>
__device__ __forceinline__ void storeFour(const Arguments<T>& a, const Work& w, int head, int d, const float (&z)[4], T* out) {
    T* target = out + (static_cast<size_t>(w.token) * a.heads + head) * a.headSize + d;
    if (a.headSize % 4 == 0 && reinterpret_cast<uintptr_t>(out) % (4 * sizeof(T)) == 0) {
        store(target, z);
        return;
    }
#pragma unroll
    for (int n = 0; n < 4; n++) {
        if (d + n < a.headSize) {
            const float one[1] = {z[n]};
            store(target + n, one);
        }
    }
}

// z of a head of the token, four numbers from dimension d on, with its factor, and before it where that is asked for.
template <typename T>
__device__ __forceinline__ void storeZ(const Arguments<T>& a, const Work& w, int head, int d, const float (&sums)[4], float inverse) {
    float z[4];
#pragma unroll
    for (int n = 0; n < 4; n++) {
        z[n] = sums[n] * inverse;
    }
    if (a.unscaled != nullptr) {
        storeFour(a, w, head, d, z, a.unscaled);
    }
    const float factor = attention::headFactor(a.scales, w.token, head);
#pragma unroll
    for (int n = 0; n < 4; n++) {
        z[n] = attention::timesFactor(z[n], factor);
    }
    storeFour(a, w, head, d, z, a.z);
}

// The record of a range and a head: sums of weights * values, then the largest score and the sum of weights.
template <typename T>
__device__ __forceinline__ float* record(const Arguments<T>& a, const Work& w, int range, int head) {
    return a.workspace + ((static_cast<size_t>(range) * gridDim.x + w.token) * a.heads + head) * w.record;
}

// Adds weights . values of the piece to the range's record, or makes z of them where the piece is all there is.
template <int V, int HEADS, typename T>
__device__ __forceinline__ void addValues(const Arguments<T>& a, const Work& w, int range, int firstHead, int heads, int piece, int keys,
                                          bool first, bool alone, Shared& shared) {
    // Values that a lane loads at a time.
    constexpr int DEPTH = HEADS > 1 && V == 1 ? 2 : 4;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, step = THREADS / w.lanes;
    float z[HEADS][N] = {};
#pragma unroll 1
    for (int base = threadIdx.x / w.lanes; base < keys; base += DEPTH * step) {
        float v[DEPTH][N];
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            loadRow<V>(w, keyRow(a, w, a.prefixValues, a.ownValues, piece + base + i * step), a.headSize, v[i]);
        }
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            const int key = base + i * step;
#pragma unroll
            for (int h = 0; h < HEADS; h++) {
                const float weight = h < heads && key < keys ? shared.scores[h][key] : 0.0f;
#pragma unroll
                for (int n = 0; n < N; n++) {
                    z[h][n] = fmaf(weight, v[i][n], z[h][n]);
                }
            }
        }
    }
#pragma unroll 1
    for (int distance = w.lanes; distance < WARP; distance *= 2) {
#pragma unroll
        for (int h = 0; h < HEADS; h++) {
#pragma unroll
            for (int n = 0; n < N; n++) {
                z[h][n] += __shfl_xor_sync(ALL_LANES, z[h][n], distance);
            }
        }
    }
    const int width = anew(w.lanes * N), units = (a.headSize + 3) / 4;
#pragma unroll
    for (int from = 0; from < HEADS; from += SUM_HEADS) {
        if (lane < w.lanes) {
#pragma unroll
            for (int h = from; h < min(HEADS, from + SUM_HEADS); h++) {
#pragma unroll
                for (int c = 0; c < N / V; c++) {
                    float chunk[V];
#pragma unroll
                    for (int i = 0; i < V; i++) {
                        chunk[i] = z[h][c * V + i];
                    }
                    store(shared.sums + (warp * SUM_HEADS + h - from) * width + dimension<V>(w, c), chunk);
                }
            }
        }
        __syncthreads();
        const int there = min(SUM_HEADS, heads - from);
        for (int i = threadIdx.x; i < there * units; i += THREADS) {
            const int h = i / units, d = i % units * 4;
            float sums[4];
            load(shared.sums + h * width + d, sums);
#pragma unroll
            for (int other = 1; other < WARPS; other++) {
                float add[4];
                load(shared.sums + (other * SUM_HEADS + h) * width + d, add);
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    sums[n] += add[n];
                }
            }
            const int head = firstHead + from + h;
            if (alone) {
                storeZ(a, w, head, d, sums, 1.0f / shared.sum[from + h]);
                continue;
            }
            float* target = record(a, w, range, head);
            if (!first) {
                float before[4];
                load(target + d, before);
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    sums[n] = fmaf(before[n], shared.shrink[from + h], sums[n]);
                }
            }
            store(target + d, sums);
        }
        __syncthreads();
    }
}

template <int V, int HEADS, typename T>
__device__ __forceinline__ void rangeOf(const Arguments<T>& a, const Work& w, int range, float scale, Shared& shared) {
    const int begin = max(w.firstKey / PIECE * PIECE, (w.firstRange + range) * w.rangeKeys);
    const int end = min(w.endKey, (w.firstRange + range + 1) * w.rangeKeys);
    const int firstHeadOfKv = w.kvHead * w.perKv;
#pragma unroll 1
    for (int from = 0; from < w.perKv; from += HEADS) {
        const int firstHead = firstHeadOfKv + from, heads = min(HEADS, w.perKv - from);
        if (threadIdx.x < HEADS) {
            shared.largest[threadIdx.x] = -INFINITY;
            shared.sum[threadIdx.x] = 0.0f;
        }
#pragma unroll 1
        for (int piece = begin; piece < end; piece += PIECE) {
            const int keys = min(PIECE, end - piece);
            scores<V, HEADS>(a, w, firstHead, heads, piece, keys, shared);
            __syncthreads();
            weigh(heads, keys, scale, shared);
            __syncthreads();
            // One range: z itself, once its last piece has come.
            addValues<V, HEADS>(a, w, range, firstHead, heads, piece, keys, piece == begin, w.ranges == 1, shared);
        }
        if (w.ranges > 1 && threadIdx.x < heads) {
            float* target = record(a, w, range, firstHead + threadIdx.x) + w.record - 4;
            target[0] = shared.largest[threadIdx.x];
            target[1] = shared.sum[threadIdx.x];
        }
        __syncthreads();
    }
}

// z of all heads from the records of the ranges.
template <typename T>
__device__ __forceinline__ void mergeRanges(const Arguments<T>& a, const Work& w, float scale, Shared& shared) {
    const int lane = threadIdx.x % WARP, units = (a.headSize + 3) / 4;
    for (int from = 0; from < w.perKv; from += MAX_HEADS) {
        const int firstHead = w.kvHead * w.perKv + from, heads = min(MAX_HEADS, w.perKv - from);
        for (int h = threadIdx.x / WARP; h < heads; h += WARPS) {
            float scores[MAX_RANGES / WARP], largest = -INFINITY;
#pragma unroll
            for (int i = 0; i < MAX_RANGES / WARP; i++) {
                const int range = i * WARP + lane;
                scores[i] = range < w.ranges ? __ldcg(record(a, w, range, firstHead + h) + w.record - 4) : -INFINITY;
                largest = fmaxf(largest, scores[i]);
            }
            largest = warpMax(largest);
            float sum = 0.0f;
#pragma unroll
            for (int i = 0; i < MAX_RANGES / WARP; i++) {
                const int range = i * WARP + lane;
                if (range < w.ranges) {
                    const float weight = exp2f((scores[i] - largest) * scale);
                    shared.scores[h][range] = weight;
                    sum = fmaf(weight, __ldcg(record(a, w, range, firstHead + h) + w.record - 3), sum);
                }
            }
            sum = warpSum(sum);
            if (lane == 0) {
                shared.sum[h] = sum;
            }
        }
        __syncthreads();
        for (int i = threadIdx.x; i < heads * units; i += THREADS) {
            const int h = i / units, d = i % units * 4;
            float sums[4] = {};
#pragma unroll 8
            for (int range = 0; range < w.ranges; range++) {
                const float4 add = __ldcg(reinterpret_cast<const float4*>(record(a, w, range, firstHead + h) + d));
                const float weight = shared.scores[h][range];
                sums[0] = fmaf(weight, add.x, sums[0]);
                sums[1] = fmaf(weight, add.y, sums[1]);
                sums[2] = fmaf(weight, add.z, sums[2]);
                sums[3] = fmaf(weight, add.w, sums[3]);
            }
            storeZ(a, w, firstHead + h, d, sums, 1.0f / shared.sum[h]);
        }
        __syncthreads();
    }
}

// Returns whether z of the key/value head's heads is whole.
template <int V, int HEADS, typename T>
__device__ __forceinline__ bool token(const Arguments<T>& a, Work w, Shared& shared) {
    w.lanes = anew(w.lanes);
    w.record = anew(w.record);
    const float scale = a.scale * 1.44269504f;  // log2 e
    const int blocks = min(static_cast<int>(gridDim.z), w.ranges);
    for (int range = blockIdx.z; range < w.ranges; range += blocks) {
        rangeOf<V, HEADS>(a, w, range, scale, shared);
    }
    if (w.ranges > 1) {
        if (!attention::arriveLast(a.counters + w.token * a.kvHeads + w.kvHead, blocks)) {
            return false;
        }
        mergeRanges(a, w, scale, shared);
    }
    return true;
}

template <int V, typename T>
__device__ __forceinline__ bool tokenOf(const Arguments<T>& a, const Work& w, Shared& shared) {
    if (w.perKv == 1) {
        return token<V, 1>(a, w, shared);
    }
    if (w.perKv <= 4) {
        return token<V, 4>(a, w, shared);
    }
    return token<V, MAX_HEADS>(a, w, shared);
}

template <typename T>
__device__ __forceinline__ void kernel(const Arguments<T>& a) {
    constexpr int V = PER_16_BYTES<T>;
    __shared__ __align__(16) Shared shared;
    const Work w = workOf(a);
    if (blockIdx.z >= w.ranges) {
        return;
    }
    const bool vectors = a.headSize % V == 0 && aligned16(a.q) && aligned16(a.prefixKeys) && aligned16(a.prefixValues) &&
                         aligned16(a.ownKeys) && aligned16(a.ownValues);
    const bool whole = vectors ? tokenOf<V>(a, w, shared) : tokenOf<1>(a, w, shared);
    const int token = blockIdx.x;
    if (whole && attention::keepsNorm(a.scales, token) && attention::arriveLast(a.counters + gridDim.x * a.kvHeads + token, a.kvHeads)) {
        attention::keepNorms(a.scales, token, 1, a.headSize, a.z);
    }
}

}  // namespace attention_decode

#define ATTENTION_DECODE(SUFFIX, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(attention_decode::THREADS, 2) belay_attention_decode_##SUFFIX(                           \
        const T* q, const T* prefixKeys, const T* prefixValues, const T* ownKeys, const T* ownValues, const int* rowOfToken,              \
        const int* positions, const int* prefixStart, const int* prefixLength, const int* ownStart, int heads, int kvHeads, int headSize, \
        int window, float scale, const int* setOfToken, const float* factors, const int* renormalize, float* workspace, int* counters,    \
        T* unscaled, T* z) {                                                                                                              \
        attention_decode::kernel<T>({q,                                                                                                   \
                                     prefixKeys,                                                                                          \
                                     prefixValues,                                                                                        \
                                     ownKeys,                                                                                             \
                                     ownValues,                                                                                           \
                                     rowOfToken,                                                                                          \
                                     positions,                                                                                           \
                                     prefixStart,                                                                                         \
                                     prefixLength,                                                                                        \
                                     ownStart,                                                                                            \
                                     heads,                                                                                               \
                                     kvHeads,                                                                                             \
                                     headSize,                                                                                            \
                                     window,                                                                                              \
                                     scale,                                                                                               \
                                     {setOfToken, factors, renormalize, heads},                                                           \
                                     workspace,                                                                                           \
                                     counters,                                                                                            \
                                     unscaled,                                                                                            \
                                     z});                                                                                                 \
    }

ATTENTION_DECODE(f32, float)
ATTENTION_DECODE(bf16, bf16)
#undef ATTENTION_DECODE
