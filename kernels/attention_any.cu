// z[t, h, :] = factor * sum_j softmax_j(scale * q[t, h] . k[j, g]) v[j, g] with g = h / (H / KV), over the keys j that token t sees, as in
// attention.cu, for heads of any size and on the ordinary cores.
//
// Shapes      As in attention.cu, with the same tiles of up to 64 queries; all arrays of numbers f32 or bf16; unscaled as there. HD 1
//             to 256, any addresses. setOfToken int [T] and factors f32 [sets, H], or both null: factor = factors[setOfToken[t], h], or 1
//             where the token's set is -1. renormalize and counters as in attention.cu. window 0 = all. scale > 0.
// Numbers     All float32. A score is summed over HD with fma, one number after the other; softmax is online over tiles of 32 keys, base
//             2, with exp2f (2 ulp); values are summed with fma within a tile, from zero, and the tiles' sums are added up, so that the
//             error grows with K / 32 + 32 for K keys. z rounds once to bf16, after the factor; a factor of 0 gives exactly +0, one of 1
//             changes no bit. The other tokens of a batch do not change a bit of a token's z, as long as their keys and values are finite.
// Geometry    grid (tiles, H), 128 threads: a warp holds 16 queries of one head, or 8 with heads beyond 128, where a block takes its
//             tile in two halves. Of each four queries and of the 32 keys of a tile a lane has the scores of 4 x 4 (or 2 x 4). The last
//             block of a tile keeps norms, as in attention.cu.
// Memory      48 KB of shared memory: the queries, and 32 keys or values of 128 dimensions, as float32. Dimensions lie in units of 4,
//             unit u of row r at place u ^ (r % 8): the four queries and the eight keys that a warp loads at a time lie in different
//             banks. Keys and values are read once a block and half, in 16-byte accesses where HD and addresses allow, else number by
//             number.
#include "attention.cuh"
#include "common.cuh"

namespace attention_any {

constexpr int THREADS = 128;
constexpr int QUERIES = 64;
constexpr int KEYS = 32;
// Dimensions of keys or values that are in shared memory at a time.
constexpr int PART = 128;
constexpr int UNITS = PART / 4;
constexpr int SHARED_FLOATS = QUERIES * PART + KEYS * PART;

template <typename T>
struct Arguments {
    const T* q;
    const T *prefixKeys, *prefixValues, *ownKeys, *ownValues;
    const int *rowStart, *positions, *prefixStart, *prefixLength, *ownStart;
    const int2* tiles;
    int heads, kvHeads, headSize, window;
    float scale;
    attention::HeadScales scales;
    int* counters;
    T *unscaled, *z;
};

// What a block computes at a time: up to 64 queries, or 32.
struct Work {
    int firstToken, tokens;
    int firstKey, endKey;  // keys that any of them sees, from a multiple of KEYS on
    int prefixLength;
    size_t prefixSlot, ownSlot;  // slots of position 0; the own one may lie before the cache
};

template <typename T>
__device__ __forceinline__ Work workOf(const Arguments<T>& a, int row, int firstToken, int tokens) {
    Work w;
    w.firstToken = firstToken;
    w.tokens = tokens;
    // Tiles of keys begin at multiples of their size, so that a token's sums do not depend on who shares its block.
    w.firstKey = a.window > 0 ? max(0, a.positions[firstToken] + 1 - a.window) / KEYS * KEYS : 0;
    w.endKey = a.positions[firstToken + tokens - 1] + 1;
    w.prefixLength = a.prefixLength[row];
    w.prefixSlot = a.prefixStart[row];
    w.ownSlot = static_cast<size_t>(a.ownStart[row]) - w.prefixLength;
    return w;
}

// Place of dimension d of a row of `units` units.
__device__ __forceinline__ int place(int row, int units, int d) { return (row * units + ((d / 4) ^ (row % 8))) * 4 + d % 4; }

template <int V>
__device__ __forceinline__ void put(float* shared, int row, int units, int d, const float (&v)[V]) {
    if constexpr (V == 1) {
        shared[place(row, units, d)] = v[0];
    } else {
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            *reinterpret_cast<float4*>(shared + place(row, units, d + i)) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
        }
    }
}

// Copies numbers to shared memory, dimensions `part` * PART and on of ROWS rows; `source(row)` is where a row begins, or null for zeros.
// Behind the head's size there are zeros up to a multiple of 64.
template <int V, int ROWS, typename Source>
__device__ __forceinline__ void stage(int headSize, int part, float* shared, int units, Source source) {
    constexpr int LANES = PART / V, STEP = THREADS / LANES;
    // Rows that a thread loads before it puts the first.
    constexpr int DEPTH = V == 1 ? 8 : 16 / V;
    const int d = part * PART + threadIdx.x % LANES * V, end = (headSize + 63) / 64 * 64;
    if (d >= end) {
        return;
    }
    // Where the queries are, all of their dimensions are; of keys and values one part.
    const int column = units == UNITS ? d - part * PART : d;
#pragma unroll 1
    for (int first = threadIdx.x / LANES; first < ROWS; first += DEPTH * STEP) {
        float v[DEPTH][V];
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            const auto* from = d < headSize ? source(first + i * STEP) : nullptr;
            if (from != nullptr) {
                load(from + d, v[i]);
            } else {
#pragma unroll
                for (int j = 0; j < V; j++) {
                    v[i][j] = 0.0f;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            put(shared, first + i * STEP, units, column, v[i]);
        }
    }
}

template <int V, typename T>
__device__ __forceinline__ void stageKeys(const Arguments<T>& a, const Work& w, const T* prefix, const T* own, int kvHead, int first,
                                          int part, float* shared) {
    stage<V, KEYS>(a.headSize, part, shared, UNITS, [&](int row) -> const T* {
        const int position = first + row;
        if (position >= w.endKey) {
            return nullptr;
        }
        const bool fromPrefix = position < w.prefixLength;
        const size_t slot = (fromPrefix ? w.prefixSlot : w.ownSlot) + position;
        return (fromPrefix ? prefix : own) + (slot * a.kvHeads + kvHead) * a.headSize;
    });
}

// s += q . k over a part of the dimensions, of a lane's Q queries (4 rows apart) and 4 keys (8 rows apart).
template <int Q>
__device__ __forceinline__ void addScores(const float* queries, int queryUnits, int query, int firstUnit, const float* keys, int units,
                                          float (&s)[Q][4]) {
    const int key = threadIdx.x % 8;
#pragma unroll 2
    for (int u = 0; u < units; u++) {
        float q[Q][4], k[4][4];
#pragma unroll
        for (int i = 0; i < Q; i++) {
            load(queries + place(query + 4 * i, queryUnits, (firstUnit + u) * 4), q[i]);
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            load(keys + place(key + 8 * j, UNITS, u * 4), k[j]);
        }
#pragma unroll
        for (int n = 0; n < 4; n++) {
#pragma unroll
            for (int i = 0; i < Q; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    s[i][j] = fmaf(q[i][n], k[j][n], s[i][j]);
                }
            }
        }
    }
}

// Largest or sum over the eight lanes that hold a query.
__device__ __forceinline__ float maxOf8(float x) {
#pragma unroll
    for (int distance = 4; distance > 0; distance /= 2) {
        x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, distance));
    }
    return x;
}

__device__ __forceinline__ float sumOf8(float x) {
#pragma unroll
    for (int distance = 4; distance > 0; distance /= 2) {
        x += __shfl_xor_sync(ALL_LANES, x, distance);
    }
    return x;
}

// Turns a query's scores, -infinity where it does not see the key, into weights relative to the largest score so far, adds them up, and
// returns what the sums before must be multiplied by.
__device__ __forceinline__ float weigh(float (&s)[4], float scale, float& largest, float& sum) {
    const float before = largest;
    largest = maxOf8(fmaxf(fmaxf(largest, fmaxf(s[0], s[1])), fmaxf(s[2], s[3])));
    // Differences before the scale: exactly 0 where the largest score stays, so that a tile of which a query sees nothing does not change
    // a bit of it, and the weight of the largest is exactly 1.
    const float base = largest == -INFINITY ? 0.0f : largest;
    const float shrink = exp2f((before - base) * scale);
    float added = 0.0f;
#pragma unroll
    for (int j = 0; j < 4; j++) {
        s[j] = exp2f((s[j] - base) * scale);
        added += s[j];
    }
    sum = fmaf(sum, shrink, added);
    return shrink;
}

// z = z * shrink + weights . values, for 64 dimensions: a lane holds 4 and 4 of each of its queries, 32 apart.
template <int Q>
__device__ __forceinline__ void addValues(const float (&weights)[Q][4], const float (&shrink)[Q], const float* values, int firstUnit,
                                          float (&z)[Q][2][4]) {
    const int lane = threadIdx.x % WARP;
    float added[Q][2][4] = {};
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll 4
        for (int i = 0; i < 8; i++) {
            float v[2][4];
            load(values + place(8 * j + i, UNITS, (firstUnit + lane % 8) * 4), v[0]);
            load(values + place(8 * j + i, UNITS, (firstUnit + 8 + lane % 8) * 4), v[1]);
#pragma unroll
            for (int query = 0; query < Q; query++) {
                const float weight = __shfl_sync(ALL_LANES, weights[query][j], lane / 8 * 8 + i);
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    added[query][0][n] = fmaf(weight, v[0][n], added[query][0][n]);
                    added[query][1][n] = fmaf(weight, v[1][n], added[query][1][n]);
                }
            }
        }
    }
#pragma unroll
    for (int query = 0; query < Q; query++) {
#pragma unroll
        for (int n = 0; n < 4; n++) {
            z[query][0][n] = fmaf(z[query][0][n], shrink[query], added[query][0][n]);
            z[query][1][n] = fmaf(z[query][1][n], shrink[query], added[query][1][n]);
        }
    }
}

// Writes four numbers of z from dimension d on, those within the head.
template <typename Out>
__device__ __forceinline__ void storeZ(Out* z, size_t start, int d, int headSize, const float (&v)[4]) {
    Out* target = z + start + d;
    if (headSize % 4 == 0 && reinterpret_cast<uintptr_t>(z) % (4 * sizeof(Out)) == 0) {
        if (d < headSize) {
            store(target, v);
        }
        return;
    }
#pragma unroll
    for (int n = 0; n < 4; n++) {
        if (d + n < headSize) {
            const float one[1] = {v[n]};
            store(target + n, one);
        }
    }
}

// A tile of queries, heads of up to PARTS * PART.
template <int V, int PARTS, typename T>
__device__ __forceinline__ void tile(const Arguments<T>& a, float* shared) {
    // Queries of the block at a time, and of a lane.
    constexpr int BLOCK = QUERIES / PARTS, Q = 4 / PARTS;
    float* staged = shared + QUERIES * PART;
    const int lane = threadIdx.x % WARP, query = threadIdx.x / WARP * 4 * Q + lane / 8;
    const int head = blockIdx.y, kvHead = head / (a.heads / a.kvHeads);
    const int2 rowAndToken = a.tiles[blockIdx.x];
    const int endToken = min(rowAndToken.y + QUERIES, a.rowStart[rowAndToken.x + 1]);
    const float scale = a.scale * 1.44269504f;  // log2 e

#pragma unroll 1
    for (int firstToken = rowAndToken.y; firstToken < endToken; firstToken += BLOCK) {
        const Work w = workOf(a, rowAndToken.x, firstToken, min(BLOCK, endToken - firstToken));
        // Queries behind the last token compute on zeros as if they stood at its place; nothing of them is stored.
        int position[Q];
#pragma unroll
        for (int i = 0; i < Q; i++) {
            position[i] = a.positions[firstToken + min(w.tokens - 1, query + 4 * i)];
        }
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            stage<V, BLOCK>(a.headSize, part, shared, PARTS * UNITS, [&](int row) -> const T* {
                return row < w.tokens ? a.q + (static_cast<size_t>(firstToken + row) * a.heads + head) * a.headSize : nullptr;
            });
        }

        float z[PARTS][2][Q][2][4] = {};
        float largest[Q], sum[Q] = {};
#pragma unroll
        for (int i = 0; i < Q; i++) {
            largest[i] = -INFINITY;
        }
#pragma unroll 1
        for (int first = w.firstKey; first < w.endKey; first += KEYS) {
            float s[Q][4] = {};
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                stageKeys<V>(a, w, a.prefixKeys, a.ownKeys, kvHead, first, part, staged);
                __syncthreads();
                addScores<Q>(shared, PARTS * UNITS, query, part * UNITS, staged, (min(PART, a.headSize - part * PART) + 3) / 4, s);
                __syncthreads();
            }
            float shrink[Q];
#pragma unroll
            for (int i = 0; i < Q; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    const int behind = position[i] - (first + lane % 8 + 8 * j);
                    if (behind < 0 || (a.window > 0 && behind >= a.window)) {
                        s[i][j] = -INFINITY;
                    }
                }
                shrink[i] = weigh(s[i], scale, largest[i], sum[i]);
            }
#pragma unroll
            for (int part = 0; part < PARTS; part++) {
                stageKeys<V>(a, w, a.prefixValues, a.ownValues, kvHead, first, part, staged);
                __syncthreads();
                addValues(s, shrink, staged, 0, z[part][0]);
                if (part * PART + 64 < a.headSize) {
                    addValues(s, shrink, staged, 16, z[part][1]);
                }
                __syncthreads();
            }
        }

#pragma unroll
        for (int i = 0; i < Q; i++) {
            const float inverse = 1.0f / sumOf8(sum[i]);
            if (query + 4 * i >= w.tokens) {
                continue;
            }
            const int token = firstToken + query + 4 * i;
            const float factor = attention::headFactor(a.scales, token, head);
            const size_t start = (static_cast<size_t>(token) * a.heads + head) * a.headSize;
#pragma unroll
            for (int c = 0; c < 4 * PARTS; c++) {
                float(&v)[4] = z[c / 4][c / 2 % 2][i][c % 2];
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    v[n] *= inverse;
                }
                const int d = c * 32 + lane % 8 * 4;
                if (a.unscaled != nullptr) {
                    storeZ(a.unscaled, start, d, a.headSize, v);
                }
#pragma unroll
                for (int n = 0; n < 4; n++) {
                    v[n] = attention::timesFactor(v[n], factor);
                }
                storeZ(a.z, start, d, a.headSize, v);
            }
        }
    }
}

template <typename T>
__device__ __forceinline__ void kernel(const Arguments<T>& a) {
    constexpr int V = PER_16_BYTES<T>;
    __shared__ __align__(16) float shared[SHARED_FLOATS];
    const bool vectors = a.headSize % V == 0 && aligned16(a.q) && aligned16(a.prefixKeys) && aligned16(a.prefixValues) &&
                         aligned16(a.ownKeys) && aligned16(a.ownValues);
    if (a.headSize <= PART) {
        if (vectors) {
            tile<V, 1>(a, shared);
        } else {
            tile<1, 1>(a, shared);
        }
    } else if (vectors) {
        tile<V, 2>(a, shared);
    } else {
        tile<1, 2>(a, shared);
    }
    if (a.scales.renormalize != nullptr) {
        const int2 rowAndToken = a.tiles[blockIdx.x];
        const int tokens = min(QUERIES, a.rowStart[rowAndToken.x + 1] - rowAndToken.y);
        if (attention::finishesTile(a.scales, rowAndToken.y, tokens, a.counters + blockIdx.x)) {
            attention::keepNorms(a.scales, rowAndToken.y, tokens, a.headSize, a.z);
        }
    }
}

}  // namespace attention_any

// BLOCKS: what a multiprocessor should hold, which bounds the registers.
#define ATTENTION_ANY(SUFFIX, T, BLOCKS)                                                                                          \
    extern "C" __global__ void __launch_bounds__(attention_any::THREADS, BLOCKS) belay_attention_any_##SUFFIX(                    \
        const T* q, const T* prefixKeys, const T* prefixValues, const T* ownKeys, const T* ownValues, const int* rowStart,        \
        const int* positions, const int* prefixStart, const int* prefixLength, const int* ownStart, const int2* tiles, int heads, \
        int kvHeads, int headSize, int window, float scale, const int* setOfToken, const float* factors, const int* renormalize,  \
        int* counters, T* unscaled, T* z) {                                                                                       \
        attention_any::kernel<T>({q,                                                                                              \
                                  prefixKeys,                                                                                     \
                                  prefixValues,                                                                                   \
                                  ownKeys,                                                                                        \
                                  ownValues,                                                                                      \
                                  rowStart,                                                                                       \
                                  positions,                                                                                      \
                                  prefixStart,                                                                                    \
                                  prefixLength,                                                                                   \
                                  ownStart,                                                                                       \
                                  tiles,                                                                                          \
                                  heads,                                                                                          \
                                  kvHeads,                                                                                        \
                                  headSize,                                                                                       \
                                  window,                                                                                         \
                                  scale,                                                                                          \
                                  {setOfToken, factors, renormalize, heads},                                                      \
                                  counters,                                                                                       \
                                  unscaled,                                                                                       \
                                  z});                                                                                            \
    }

ATTENTION_ANY(f32, float, 2)
ATTENTION_ANY(bf16, bf16, 2)
#undef ATTENTION_ANY
