// The matrix product of activations and weights, for the kernels of matmul.cu, which says what is computed in which order, and of
// expert_matmul.cu.
#pragma once

#include "common.cuh"
#include "mma.cuh"

namespace matmul {

// CHOSEN: out has a row for each of `tokens` pairs of a token and one of its `top` experts, token * top + expert; a has a row for each
// of `inputs` tokens, or, where `top` is 0, for each pair as out has.
template <typename T, bool CHOSEN = false>
struct Arguments {
    const T* a;
    int aStride;
    const T* weights;
    int wStride;
    const float* bias;
    float* out;
    int outStride;
    int tokens, rows, columns;
    int accumulate;
    const int* pairs;
    int top;
    int inputs;

    // The row of a that makes row `token` of out.
    __device__ __forceinline__ int source(int token) const {
        if constexpr (CHOSEN) {
            return top > 0 ? pairs[token] / top : token;
        } else {
            return token;
        }
    }

    // Rows of a.
    __device__ __forceinline__ int sources() const { return CHOSEN ? inputs : tokens; }
};

template <typename T, bool CHOSEN>
__device__ __forceinline__ float finished(const Arguments<T, CHOSEN>& p, int row, float sum, const float* target) {
    if (p.bias != nullptr) {
        sum += p.bias[row];
    }
    return p.accumulate != 0 ? sum + *target : sum;
}

template <typename T, bool CHOSEN>
__device__ __forceinline__ void finish(const Arguments<T, CHOSEN>& p, int token, int row, float sum) {
    float* target = p.out + static_cast<size_t>(token) * p.outStride + row;
    *target = finished(p, row, sum, target);
}

// Whether every row begins at a multiple of 16 bytes.
template <typename T>
__device__ __forceinline__ bool alignedRows(const T* matrix, int stride) {
    return stride % PER_16_BYTES<T> == 0 && aligned16(matrix);
}

// The first `count` of 16 bytes' worth of numbers, zeros for the others, read one by one.
__device__ __forceinline__ uint4 gather(const bf16* p, int count) {
    const uint16_t* bits = reinterpret_cast<const uint16_t*>(p);
    uint32_t pairs[4];
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const uint32_t low = 2 * i < count ? bits[2 * i] : 0;
        const uint32_t high = 2 * i + 1 < count ? bits[2 * i + 1] : 0;
        pairs[i] = low | high << 16;
    }
    return make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

__device__ __forceinline__ uint4 gather(const float* p, int count) {
    const uint32_t* bits = reinterpret_cast<const uint32_t*>(p);
    return make_uint4(0 < count ? bits[0] : 0, 1 < count ? bits[1] : 0, 2 < count ? bits[2] : 0, 3 < count ? bits[3] : 0);
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Tiles.

constexpr int STAGES = 4;
// Bytes of a row in a stage, and 16-byte units of it.
constexpr int ROW_BYTES = 64;
constexpr int UNITS = ROW_BYTES / 16;

// A block's part of out. A stage holds 64 bytes of each of the tokens' rows of a, then of the rows of weights.
template <int SIZE>
struct Tile {
    static constexpr int WEIGHTS = SIZE * ROW_BYTES;
    static constexpr int STAGE = 2 * WEIGHTS;
};

// Where unit `unit` of row `row` lies in a stage's matrix.
__device__ __forceinline__ int place(int row, int unit) { return row * ROW_BYTES + ((unit ^ (row >> 1)) % UNITS) * 16; }

// Brings a matrix's rows of a tile into its stages: each thread one unit of every STEP-th row. Past the last row the last one comes again:
// what it gives is not stored.
template <int ROWS, int THREADS, typename T>
struct Feed {
    static constexpr int STEP = THREADS / UNITS, EACH = ROWS / STEP;
    const T* source[EACH];
    bool aligned;

    // `rowOf` says which row of the matrix is a row of the tile.
    template <typename Source>
    __device__ __forceinline__ Feed(const T* matrix, int stride, int first, int end, Source rowOf) : aligned(alignedRows(matrix, stride)) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const int row = rowOf(min(first + static_cast<int>(threadIdx.x) / UNITS + i * STEP, end - 1));
            source[i] = matrix + static_cast<size_t>(row) * stride + threadIdx.x % UNITS * PER_16_BYTES<T>;
        }
    }

    // Starts the copy of the columns from `column` on to this thread's place in a stage: `count` numbers, and zeros.
    __device__ __forceinline__ void start(int column, int count, char* target) const {
        const uint32_t address = sharedAddress(target);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            if (aligned) {
                copyAsync16(address + i * STEP * ROW_BYTES, source[i] + column, count * static_cast<int>(sizeof(T)));
            } else {
                *reinterpret_cast<uint4*>(target + i * STEP * ROW_BYTES) = gather(source[i] + column, count);
            }
        }
    }
};

// Calls multiply(offset) for each 64 bytes of the columns in turn, with the offset of their stage in shared memory.
template <int SIZE, int THREADS, typename T, bool CHOSEN, typename Multiply>
__device__ __forceinline__ void forEachStage(const Arguments<T, CHOSEN>& p, int firstToken, int firstRow, char* shared, Multiply multiply) {
    constexpr int COLUMNS = ROW_BYTES / sizeof(T), PER = PER_16_BYTES<T>;
    const Feed<SIZE, THREADS, T> a(p.a, p.aStride, firstToken, p.tokens, [&](int token) { return p.source(token); });
    const Feed<SIZE, THREADS, T> weights(p.weights, p.wStride, firstRow, p.rows, [](int row) { return row; });
    char* target = shared + place(threadIdx.x / UNITS, threadIdx.x % UNITS);
    const int ownColumns = p.columns - static_cast<int>(threadIdx.x) % UNITS * PER;
    const auto start = [&](int i) {
        const int column = i * COLUMNS;
        if (column < p.columns) {
            const int count = min(max(ownColumns - column, 0), PER);
            char* place = target + i % STAGES * Tile<SIZE>::STAGE;
            a.start(column, count, place);
            weights.start(column, count, place + Tile<SIZE>::WEIGHTS);
        }
        commitCopies();
    };
#pragma unroll 1
    for (int i = 0; i < STAGES - 1; i++) {
        start(i);
    }
#pragma unroll 1
    for (int i = 0; i * COLUMNS < p.columns; i++) {
        // This stage has come for all threads, and all are done with the one before, whose place the next one takes.
        awaitCopiesBut<STAGES - 2>();
        __syncthreads();
        start(i + STAGES - 1);
        multiply(i % STAGES * Tile<SIZE>::STAGE);
    }
}

// Writes the sums of two neighbouring rows, as one 8-byte access where `pairs` says that all are aligned to that.
template <typename T, bool CHOSEN>
__device__ __forceinline__ void finishPair(const Arguments<T, CHOSEN>& p, int token, int row, float first, float second, bool pairs) {
    if (pairs && row + 1 < p.rows) {
        float2* target = reinterpret_cast<float2*>(p.out + static_cast<size_t>(token) * p.outStride + row);
        const float2 before = p.accumulate != 0 ? *target : make_float2(0.0f, 0.0f);
        *target = make_float2(finished(p, row, first, &before.x), finished(p, row + 1, second, &before.y));
    } else {
        if (row < p.rows) {
            finish(p, token, row, first);
        }
        if (row + 1 < p.rows) {
            finish(p, token, row + 1, second);
        }
    }
}

// bf16: WARPS_T x WARPS_R warps, each with M x N products of 16 tokens and 8 rows.
template <int SIZE, int WARPS_T, int WARPS_R, bool CHOSEN>
__device__ __forceinline__ void tile(const Arguments<bf16, CHOSEN>& p, int firstToken, int firstRow) {
    constexpr int THREADS = WARPS_T * WARPS_R * WARP, M = SIZE / WARPS_T / 16, N = SIZE / WARPS_R / 8;
    extern __shared__ __align__(16) char stages[];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int warpToken = warp / WARPS_R * M * 16, warpRow = warp % WARPS_R * N * 8;
    // Where this lane's rows of the four matrices of an ldmatrix begin, for columns 0-15 and 16-31 of a stage: of a the matrices are
    // (rows 0-7, 8-15) of columns 0-7, then of 8-15; of weights (columns 0-7, 8-15) of rows 0-7, then of 8-15.
    int ofA[2], ofWeights[2];
#pragma unroll
    for (int k = 0; k < 2; k++) {
        ofA[k] = place(warpToken + lane % 16, 2 * k + lane / 16);
        ofWeights[k] = Tile<SIZE>::WEIGHTS + place(warpRow + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2);
    }
    float sums[M][N][4] = {};
    forEachStage<SIZE, THREADS>(p, firstToken, firstRow, stages, [&](int stage) {
        const uint32_t address = sharedAddress(stages) + stage;
#pragma unroll
        for (int k = 0; k < 2; k++) {
            uint32_t a[M][4];
#pragma unroll
            for (int m = 0; m < M; m++) {
                loadMatrices(address + ofA[k] + m * 16 * ROW_BYTES, a[m]);
            }
#pragma unroll
            for (int n = 0; n < N; n += 2) {
                uint32_t b[4];
                loadMatrices(address + ofWeights[k] + n * 8 * ROW_BYTES, b);
#pragma unroll
                for (int m = 0; m < M; m++) {
                    multiplyAdd(sums[m][n], a[m], b[0], b[1]);
                    multiplyAdd(sums[m][n + 1], a[m], b[2], b[3]);
                }
            }
        }
    });
    const bool pairs = p.outStride % 2 == 0 && reinterpret_cast<uintptr_t>(p.out) % sizeof(float2) == 0;
#pragma unroll
    for (int m = 0; m < M; m++) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const int token = firstToken + warpToken + m * 16 + half * 8 + lane / 4;
            if (token < p.tokens) {
#pragma unroll
                for (int n = 0; n < N; n++) {
                    const int row = firstRow + warpRow + n * 8 + lane % 4 * 2;
                    finishPair(p, token, row, sums[m][n][2 * half], sums[m][n][2 * half + 1], pairs);
                }
            }
        }
    }
}

// f32: each of SIZE / 8 x SIZE / 8 threads has 8 tokens and 8 rows, SIZE / 8 apart. A warp is 4 of them along tokens, 8 along rows.
template <int SIZE, bool CHOSEN>
__device__ __forceinline__ void tile(const Arguments<float, CHOSEN>& p, int firstToken, int firstRow) {
    constexpr int EACH = 8, STEP = SIZE / EACH, THREADS = STEP * STEP, WARPS_R = STEP / 8;
    extern __shared__ __align__(16) char stages[];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int ownToken = warp / WARPS_R * 4 + lane / 8, ownRow = warp % WARPS_R * 8 + lane % 8;
    const int ofA = place(ownToken, 0), ofWeights = Tile<SIZE>::WEIGHTS + place(ownRow, 0);
    float sums[EACH][EACH] = {};
    forEachStage<SIZE, THREADS>(p, firstToken, firstRow, stages, [&](int stage) {
#pragma unroll
        for (int unit = 0; unit < UNITS; unit++) {
            // Unit u of a row lies at the place of unit 0 with u * 16 exclusively or'ed in.
            const char* a = stages + ((stage + ofA) ^ unit * 16);
            const char* weights = stages + ((stage + ofWeights) ^ unit * 16);
            float4 w[EACH];
#pragma unroll
            for (int r = 0; r < EACH; r++) {
                w[r] = *reinterpret_cast<const float4*>(weights + r * STEP * ROW_BYTES);
            }
#pragma unroll
            for (int t = 0; t < EACH; t++) {
                const float4 x = *reinterpret_cast<const float4*>(a + t * STEP * ROW_BYTES);
#pragma unroll
                for (int r = 0; r < EACH; r++) {
                    float sum = fmaf(x.x, w[r].x, sums[t][r]);
                    sum = fmaf(x.y, w[r].y, sum);
                    sum = fmaf(x.z, w[r].z, sum);
                    sums[t][r] = fmaf(x.w, w[r].w, sum);
                }
            }
        }
    });
#pragma unroll
    for (int t = 0; t < EACH; t++) {
        const int token = firstToken + ownToken + t * STEP;
#pragma unroll
        for (int r = 0; r < EACH; r++) {
            const int row = firstRow + ownRow + r * STEP;
            if (token < p.tokens && row < p.rows) {
                finish(p, token, row, sums[t][r]);
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Few tokens. Lane l of a warp has row l / 4 of each 8 rows and unit l % 4 of each 64 bytes of columns. On the tensor core, 16 rows are
// the first operand and 8 tokens the second; which 16 columns a product takes is a permutation alike for both.

constexpr int VEC_WARPS = 8;
constexpr int VEC_THREADS = VEC_WARPS * WARP;
// 64-byte chunks of columns that a warp takes in a row.
constexpr int CHUNKS = 2;

// Sums of the warps; the padding puts the rows of neighbouring tokens into different banks.
template <int ROWS, int TOKENS>
using Partial = float[VEC_WARPS][TOKENS][ROWS + 4];

// First column of this warp's chunk number `chunk`.
template <typename T>
__device__ __forceinline__ int chunkColumn(int chunk) {
    return ((chunk / CHUNKS * VEC_WARPS + static_cast<int>(threadIdx.x) / WARP) * CHUNKS + chunk % CHUNKS) * (ROW_BYTES / sizeof(T));
}

// The first `count` numbers of 16 bytes, zeros for the others. VECTOR: all or none.
template <bool VECTOR, typename T>
__device__ __forceinline__ uint4 unitOf(const T* p, int count) {
    if constexpr (VECTOR) {
        return count > 0 ? *reinterpret_cast<const uint4*>(p) : make_uint4(0, 0, 0, 0);
    } else {
        return gather(p, count);
    }
}

// This lane's units of ROWS rows and of the columns from `column` on.
template <int ROWS, bool VECTOR, typename T, bool CHOSEN>
__device__ __forceinline__ void loadWeights(const Arguments<T, CHOSEN>& p, int column, uint4 (&w)[ROWS / 8]) {
#pragma unroll
    for (int r = 0; r < ROWS / 8; r++) {
        const int row = blockIdx.x * ROWS + r * 8 + threadIdx.x % WARP / 4;
        w[r] = unitOf<VECTOR>(p.weights + static_cast<size_t>(row) * p.wStride + column, row < p.rows ? p.columns - column : 0);
    }
}

// Adds the warps' sums up.
template <int ROWS, int TOKENS, typename T, bool CHOSEN>
__device__ __forceinline__ void finishPartial(const Arguments<T, CHOSEN>& p, const Partial<ROWS, TOKENS>& partial) {
    __syncthreads();
    for (int i = threadIdx.x; i < p.tokens * ROWS; i += VEC_THREADS) {
        const int token = i / ROWS, row = i % ROWS;
        if (blockIdx.x * ROWS + row < p.rows) {
            const int source = p.source(token);
            float sum = 0.0f;
#pragma unroll
            for (int warp = 0; warp < VEC_WARPS; warp++) {
                sum += partial[warp][source][row];
            }
            finish(p, token, blockIdx.x * ROWS + row, sum);
        }
    }
}

template <int ROWS, int TOKENS, bool VECTOR, bool CHOSEN>
__device__ __forceinline__ void vector(const Arguments<bf16, CHOSEN>& p, char* shared) {
    constexpr int FLIGHT = VECTOR ? 64 / ROWS : 1, ALL_TOKENS = 8;
    const int lane = threadIdx.x % WARP, quad = lane / 4, unit = lane % 4;
    float sums[ROWS / 16][4] = {};
#pragma unroll 1
    for (int chunk = 0; chunkColumn<bf16>(chunk) < p.columns; chunk += FLIGHT) {
        uint4 w[FLIGHT][ROWS / 8], x[FLIGHT];
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            const int column = chunkColumn<bf16>(chunk + i) + unit * PER_16_BYTES<bf16>;
            loadWeights<ROWS, VECTOR>(p, column, w[i]);
            x[i] = unitOf<VECTOR>(p.a + static_cast<size_t>(quad) * p.aStride + column, quad < p.sources() ? p.columns - column : 0);
        }
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
#pragma unroll
            for (int m = 0; m < ROWS / 16; m++) {
                const uint4 upper = w[i][2 * m], lower = w[i][2 * m + 1];
                multiplyAdd(sums[m], {upper.x, lower.x, upper.y, lower.y}, x[i].x, x[i].y);
                multiplyAdd(sums[m], {upper.z, lower.z, upper.w, lower.w}, x[i].z, x[i].w);
            }
        }
    }
    auto& partial = *reinterpret_cast<Partial<ROWS, ALL_TOKENS>*>(shared);
#pragma unroll
    for (int m = 0; m < ROWS / 16; m++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            partial[threadIdx.x / WARP][unit * 2 + i % 2][m * 16 + i / 2 * 8 + quad] = sums[m][i];
        }
    }
    finishPartial<ROWS, ALL_TOKENS>(p, partial);
}

template <int ROWS, int TOKENS, bool VECTOR, bool CHOSEN>
__device__ __forceinline__ void vector(const Arguments<float, CHOSEN>& p, char* shared) {
    constexpr int FLIGHT = VECTOR ? 64 / ROWS : 1;
    const int lane = threadIdx.x % WARP, quad = lane / 4, unit = lane % 4;
    float sums[TOKENS][ROWS / 8] = {};
#pragma unroll 1
    for (int chunk = 0; chunkColumn<float>(chunk) < p.columns; chunk += FLIGHT) {
        uint4 w[FLIGHT][ROWS / 8];
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            loadWeights<ROWS, VECTOR>(p, chunkColumn<float>(chunk + i) + unit * PER_16_BYTES<float>, w[i]);
        }
#pragma unroll
        for (int i = 0; i < FLIGHT; i++) {
            const int column = chunkColumn<float>(chunk + i) + unit * PER_16_BYTES<float>;
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                const uint4 x = unitOf<VECTOR>(p.a + static_cast<size_t>(t) * p.aStride + column, t < p.sources() ? p.columns - column : 0);
#pragma unroll
                for (int r = 0; r < ROWS / 8; r++) {
                    float sum = fmaf(__uint_as_float(x.x), __uint_as_float(w[i][r].x), sums[t][r]);
                    sum = fmaf(__uint_as_float(x.y), __uint_as_float(w[i][r].y), sum);
                    sum = fmaf(__uint_as_float(x.z), __uint_as_float(w[i][r].z), sum);
                    sums[t][r] = fmaf(__uint_as_float(x.w), __uint_as_float(w[i][r].w), sum);
                }
            }
        }
    }
    auto& partial = *reinterpret_cast<Partial<ROWS, TOKENS>*>(shared);
#pragma unroll
    for (int t = 0; t < TOKENS; t++) {
#pragma unroll
        for (int r = 0; r < ROWS / 8; r++) {
            float sum = sums[t][r];
            sum += __shfl_xor_sync(ALL_LANES, sum, 1);
            sum += __shfl_xor_sync(ALL_LANES, sum, 2);
            if (unit == t % 4) {
                partial[threadIdx.x / WARP][t][r * 8 + quad] = sum;
            }
        }
    }
    finishPartial<ROWS, TOKENS>(p, partial);
}

template <int ROWS, int TOKENS, typename T, bool CHOSEN>
__device__ __forceinline__ void vectorOrNumbers(const Arguments<T, CHOSEN>& p, char* shared) {
    if (alignedRows(p.a, p.aStride) && alignedRows(p.weights, p.wStride) && p.columns % PER_16_BYTES<T> == 0) {
        vector<ROWS, TOKENS, true>(p, shared);
    } else {
        vector<ROWS, TOKENS, false>(p, shared);
    }
}

// a has at most `most` rows, which is what the grid is for.
template <typename T, bool CHOSEN>
__device__ __forceinline__ void vectorKernel(const Arguments<T, CHOSEN>& p, int most) {
    __shared__ __align__(16) char shared[sizeof(Partial<64, 8>)];
    if (most <= 2) {
        vectorOrNumbers<16, 2>(p, shared);
    } else if (most <= 4) {
        vectorOrNumbers<32, 4>(p, shared);
    } else {
        vectorOrNumbers<64, 8>(p, shared);
    }
}

}  // namespace matmul
