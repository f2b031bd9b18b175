// The RMS norm of a row that one block holds, for the kernels that norm rows: numbers and order of sums are the same in all of them.
#pragma once

#include "common.cuh"

namespace rms {

// Vectors of a row that each thread keeps.
constexpr int KEPT = 4;

// Loads what this thread keeps of a row of `vectors` vectors.
template <int V>
__device__ __forceinline__ void keep(const float* x, int vectors, float (&kept)[KEPT][V]) {
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int i = threadIdx.x + k * blockDim.x;
        if (i < vectors) {
            load(x + i * V, kept[k]);
        }
    }
}

template <int V>
__device__ __forceinline__ float addSquares(const float (&x)[V], float sum) {
#pragma unroll
    for (int j = 0; j < V; j++) {
        sum = fmaf(x[j], x[j], sum);
    }
    return sum;
}

// 1 / sqrt(mean(x^2) + eps) over a row, in every thread of the block; what is not kept is read from x.
template <int V>
__device__ __forceinline__ float scaleOf(const float (&kept)[KEPT][V], const float* x, float eps, int width, float (&partial)[MAX_WARPS]) {
    const int vectors = width / V;
    float sum = 0.0f;
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int i = threadIdx.x + k * blockDim.x;
        if (i < vectors) {
            sum = addSquares(kept[k], sum);
        }
    }
    for (int i = threadIdx.x + KEPT * blockDim.x; i < vectors; i += blockDim.x) {
        float rest[V];
        load(x + i * V, rest);
        sum = addSquares(rest, sum);
    }
    return 1.0f / sqrtf(blockSum(sum, partial) / width + eps);
}

// x = x * scale * weight of vector `i` of a row.
template <int V>
__device__ __forceinline__ void scaleVector(const float* weight, float scale, int i, float (&x)[V]) {
    float w[V];
    load(weight + i * V, w);
#pragma unroll
    for (int j = 0; j < V; j++) {
        x[j] = x[j] * scale * w[j];
    }
}

}  // namespace rms
