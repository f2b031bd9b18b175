// out[t, n] = y[t] . vectors[n], where y[t] is x[t], or its RMS norm x[t] / sqrt(mean(x[t]^2) + eps) * norm where a norm is given.
//
// Shapes      x f32 [T, D], norm f32 [D] or null, vectors f32 [N, D], out f32 [T, N]; any D and N.
// Numbers     y rounds to float32 as rmsnorm rounds it, with its bits where both read x in vectors, or both in single numbers. Products
//             and sums are float64: each thread its own numbers, then the lanes of a warp and the warps of the block pairwise. The
//             result rounds to float32.
// Geometry    One block a token: grid (T), 32 to 1024 threads, whole warps; 16 numbers a thread is the rule. 2.2 KB of shared memory.
// Memory      x is read once where a row fits the registers of the block: 16 numbers a thread, or 4 where D is no multiple of 4 or an
//             address none of 16 bytes (then the accesses are of one number). The numbers beyond that are read and normed again for
//             every four vectors. Each block reads all vectors, four at a time; all but the first blocks find them in the L2 cache.
#include "rms.cuh"

namespace probe {

using rms::KEPT;

// Vectors that are multiplied at a time.
constexpr int BATCH = 4;

// Sums of the warps, twice, so that one batch is written while the one before is read.
using Partial = double[2][BATCH][MAX_WARPS];

// Hides from the compiler that the numbers stay the same, or it would keep them as float64, for which there are not registers enough.
template <int V>
__device__ __forceinline__ void staySingle(float (&x)[V]) {
#pragma unroll
    for (int j = 0; j < V; j++) {
        asm volatile("" : "+f"(x[j]));
    }
}

// sum[b] += y . vectors[b] over vector `i` of the row, for the first `count` of a batch.
template <int V>
__device__ __forceinline__ void addProducts(const float (&y)[V], const float* vectors, int count, int width, int i, double (&sum)[BATCH]) {
#pragma unroll
    for (int b = 0; b < BATCH; b++) {
        if (b < count) {
            float v[V];
            load(vectors + static_cast<size_t>(b) * width + i * V, v);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sum[b] = fma(static_cast<double>(y[j]), static_cast<double>(v[j]), sum[b]);
            }
        }
    }
}

// Adds up a batch over the block and stores the first `count` results.
__device__ __forceinline__ void reduce(const double (&sum)[BATCH], int count, double (&partial)[BATCH][MAX_WARPS], float* out) {
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
#pragma unroll
    for (int b = 0; b < BATCH; b++) {
        const double whole = warpSum(sum[b]);
        if (lane == 0) {
            partial[b][warp] = whole;
        }
    }
    __syncthreads();
    for (int b = warp; b < count; b += warps) {
        const double result = warpSum(lane < warps ? partial[b][lane] : 0.0);
        if (lane == 0) {
            out[b] = static_cast<float>(result);
        }
    }
}

template <int V>
__device__ __forceinline__ void row(const float* x, const float* norm, float eps, const float* vectors, int count, int width, float* out,
                                    float (&squares)[MAX_WARPS], Partial& partial) {
    const int units = width / V;
    float kept[KEPT][V];
    rms::keep(x, units, kept);
    float scale = 1.0f;
    if (norm != nullptr) {
        scale = rms::scaleOf(kept, x, eps, width, squares);
#pragma unroll
        for (int k = 0; k < KEPT; k++) {
            const int i = threadIdx.x + k * blockDim.x;
            if (i < units) {
                rms::scaleVector(norm, scale, i, kept[k]);
            }
        }
    }
    for (int first = 0; first < count; first += BATCH) {
        const int there = min(BATCH, count - first);
        const float* batch = vectors + static_cast<size_t>(first) * width;
        double sum[BATCH] = {};
#pragma unroll
        for (int k = 0; k < KEPT; k++) {
            const int i = threadIdx.x + k * blockDim.x;
            if (i < units) {
                staySingle(kept[k]);
                addProducts(kept[k], batch, there, width, i, sum);
            }
        }
        for (int i = threadIdx.x + KEPT * blockDim.x; i < units; i += blockDim.x) {
            float rest[V];
            load(x + i * V, rest);
            if (norm != nullptr) {
                rms::scaleVector(norm, scale, i, rest);
            }
            addProducts(rest, batch, there, width, i, sum);
        }
        // The barrier of the next batch parts these reads from the writes of the batch after it.
        reduce(sum, there, partial[first / BATCH % 2], out + first);
    }
}

}  // namespace probe

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_probe_f32(const float* __restrict__ x, const float* __restrict__ norm, float eps, const float* __restrict__ vectors, int count,
                    int width, float* __restrict__ out) {
    __shared__ float squares[MAX_WARPS];
    __shared__ probe::Partial partial;
    const bool inVectors = width % 4 == 0 && aligned16(x) && aligned16(norm) && aligned16(vectors);
    x += static_cast<size_t>(blockIdx.x) * width;
    out += static_cast<size_t>(blockIdx.x) * count;
    if (inVectors) {
        probe::row<4>(x, norm, eps, vectors, count, width, out, squares, partial);
    } else {
        probe::row<1>(x, norm, eps, vectors, count, width, out, squares, partial);
    }
}
