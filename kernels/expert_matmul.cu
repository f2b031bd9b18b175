// out[p, r] = sum_c a[p, c] w[expert of p, r, c]: the matrix product of each expert's weights and of what its tokens bring, all experts
// in one launch. p is a place in the order of expert_groups.cu.
//
// Shapes      a f32 or bf16 [P, aStride >= columns] or, with top > 0, [T, aStride >= columns] with the row of pair i in row i / top; w of
//             the same type [E * rows, columns], experts, offsets and pairs as router.cu and expert_groups.cu make them, out f32 [P, rows].
//             Any sizes; the matvec kernels take up to 8 tokens, so that an expert has as many pairs at most.
// Numbers     Those of matmul.cu: a pair's row has the bits that the product of its expert alone gives.
// Geometry    The tiles and threads of matmul.cu. expert_matmul: grid (token tiles, row tiles), where the number of token tiles is a
//             bound that the host knows, (P + min(E, P) (size - 1)) / size: each block counts the tiles of the experts before it off
//             `offsets`, and those beyond the last end at once. expert_matvec: grid (row groups, P): the block of an expert's first pair
//             computes all of its pairs, the others end at once.
// Memory      As matmul.cu. An expert's weights are read once for each of its token tiles, those of an expert without pairs never. Rows
//             of a are read where they are; with top > 0 expert_matvec multiplies those of all tokens and keeps what is the expert's.
#include "matmul.cuh"

namespace expert_matmul {

// Calls work(expert, first) with the expert of token tile number `tile` of SIZE pairs, and the number of the tile's first pair among the
// expert's, unless there are not so many tiles. All lanes of a warp must be there.
template <int SIZE, typename Work>
__device__ __forceinline__ void withTile(const int* offsets, int experts, int tile, Work work) {
    const int lane = threadIdx.x % WARP;
    int before = 0;
    for (int base = 0; base < experts; base += WARP) {
        const int e = base + lane;
        const int tiles = e < experts ? (offsets[e + 1] - offsets[e] + SIZE - 1) / SIZE : 0;
        int upTo = tiles;
#pragma unroll
        for (int distance = 1; distance < WARP; distance *= 2) {
            const int left = __shfl_up_sync(ALL_LANES, upTo, distance);
            upTo += lane >= distance ? left : 0;
        }
        const unsigned reached = __ballot_sync(ALL_LANES, before + upTo > tile);
        if (reached != 0) {
            const int found = __ffs(reached) - 1;
            work(base + found, (tile - before - __shfl_sync(ALL_LANES, upTo - tiles, found)) * SIZE);
            return;
        }
        before += __shfl_sync(ALL_LANES, upTo, WARP - 1);
    }
}

// Makes the arguments those of one expert.
template <typename T>
__device__ __forceinline__ void narrow(matmul::Arguments<T, true>& p, const int* offsets, int expert) {
    const int begin = offsets[expert];
    p.tokens = offsets[expert + 1] - begin;
    p.weights += static_cast<size_t>(expert) * p.rows * p.wStride;
    p.out += static_cast<size_t>(begin) * p.outStride;
    p.pairs += begin;
    if (p.top == 0) {
        p.a += static_cast<size_t>(begin) * p.aStride;
        p.inputs = p.tokens;
    }
}

template <typename T>
__device__ __forceinline__ void vectorKernel(matmul::Arguments<T, true> p, const int* experts, const int* offsets) {
    // In shared memory, as there are no registers to spare until the end, where they are asked for.
    __shared__ int sources[8];
    const int most = p.inputs, expert = experts[p.pairs[blockIdx.y]];
    if (offsets[expert] != blockIdx.y) {
        return;
    }
    narrow(p, offsets, expert);
    if (threadIdx.x < p.tokens) {
        sources[threadIdx.x] = p.source(threadIdx.x);
    }
    p.pairs = sources;
    p.top = 1;
    matmul::vectorKernel(p, most);
}

}  // namespace expert_matmul

// The parameters of all these kernels, and the same as arguments of all experts.
#define EXPERT_PARAMETERS(T)                                                                                                               \
    const T *__restrict__ a, int aStride, const T *__restrict__ weights, const int *__restrict__ experts, const int *__restrict__ offsets, \
        const int *__restrict__ pairs, int top, float *__restrict__ out, int tokens, int rows, int columns, int count
#define EXPERT_ARGUMENTS(T) \
    matmul::Arguments<T, true> { a, aStride, weights, columns, nullptr, out, rows, 0, rows, columns, 0, pairs, top, tokens }

// A kernel in tiles of SIZE tokens and rows; what follows are the numbers of its warps.
#define EXPERT_TILES(T, SIZE, ...)                                                              \
    expert_matmul::withTile<SIZE>(offsets, count, blockIdx.x, [&](int expert, int firstToken) { \
        auto p = EXPERT_ARGUMENTS(T);                                                           \
        expert_matmul::narrow(p, offsets, expert);                                              \
        matmul::tile<SIZE __VA_OPT__(, ) __VA_ARGS__>(p, firstToken, blockIdx.y * SIZE);        \
    })

extern "C" __global__ void __launch_bounds__(256, 2) belay_expert_matmul_bf16_f32(EXPERT_PARAMETERS(bf16)) {
    EXPERT_TILES(bf16, 128, 2, 4);
}

extern "C" __global__ void __launch_bounds__(128) belay_expert_matmul_small_bf16_f32(EXPERT_PARAMETERS(bf16)) {
    EXPERT_TILES(bf16, 64, 2, 2);
}

extern "C" __global__ void __launch_bounds__(256) belay_expert_matmul_f32(EXPERT_PARAMETERS(float)) { EXPERT_TILES(float, 128); }

extern "C" __global__ void __launch_bounds__(64) belay_expert_matmul_small_f32(EXPERT_PARAMETERS(float)) { EXPERT_TILES(float, 64); }

extern "C" __global__ void __launch_bounds__(matmul::VEC_THREADS, 2) belay_expert_matvec_bf16_f32(EXPERT_PARAMETERS(bf16)) {
    expert_matmul::vectorKernel(EXPERT_ARGUMENTS(bf16), experts, offsets);
}

extern "C" __global__ void __launch_bounds__(matmul::VEC_THREADS) belay_expert_matvec_f32(EXPERT_PARAMETERS(float)) {
    expert_matmul::vectorKernel(EXPERT_ARGUMENTS(float), experts, offsets);
}

#undef EXPERT_PARAMETERS
#undef EXPERT_ARGUMENTS
#undef EXPERT_TILES
