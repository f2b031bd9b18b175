// norms[t, g] = sqrt(before / left): what keeps the norm of a token's head outputs when head chosen[g] is ablated too. `before` is the
// squared norm of z[t], `left` that of z[t] with every head times its gamma and head chosen[g] gone; 1 where nothing is left.
//
// Shapes      z f32 or bf16 [T, H, HD], factors f32 [H], chosen int [G], norms f32 [T, G]; H up to 1024, any HD and G.
// Numbers     float32. Squares are summed with fma, each lane its own, then the lanes of the head pairwise; heads are added in order. All
//             terms are positive: no difference is taken. Quotient and root are IEEE's.
// Geometry    One block of 256 threads a token: grid (T). A head is the work of a group of lanes, HD / 16 rounded up to a power of two, at
//             most a warp; then a thread does each g. 8 KB of shared memory, which all threads of a warp read at one address.
// Memory      z is read once, in vectors of four numbers, or in single ones where HD is no multiple of four or the address none of 16
//             bytes; norms is written once. factors and chosen are read for each token, from the caches but for the first.
#include "common.cuh"

namespace ablation_norms {

constexpr int THREADS = 256;
constexpr int PER_LANE = 16;
constexpr int MAX_HEADS = 1024;

template <int V, typename T>
__device__ __forceinline__ void squares(const T* z, int heads, int headSize, float* squares) {
    const int lanes = lanesFor((headSize + PER_LANE - 1) / PER_LANE);
    const int groups = THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    // All lanes of a warp take part in each sum, those behind the last head with nothing.
    for (int first = 0; first < heads; first += groups) {
        const int head = first + group;
        const T* start = z + static_cast<size_t>(head) * headSize;
        float sum = 0.0f;
#pragma unroll 4
        for (int i = lane; head < heads && i < headSize / V; i += lanes) {
            float a[V];
            load(start + i * V, a);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sum = fmaf(a[j], a[j], sum);
            }
        }
        sum = groupSum(sum, lanes);
        if (lane == 0 && head < heads) {
            squares[head] = sum;
        }
    }
}

template <typename T>
__device__ __forceinline__ void kernel(const T* z, const float* factors, const int* chosen, int groups, int heads, int headSize,
                                       float* norms) {
    __shared__ float whole[MAX_HEADS], scaled[MAX_HEADS];
    z += static_cast<size_t>(blockIdx.x) * heads * headSize;
    norms += static_cast<size_t>(blockIdx.x) * groups;
    if (headSize % 4 == 0 && aligned16(z)) {
        squares<4>(z, heads, headSize, whole);
    } else {
        squares<1>(z, heads, headSize, whole);
    }
    __syncthreads();
    for (int h = threadIdx.x; h < heads; h += THREADS) {
        scaled[h] = factors[h] * factors[h] * whole[h];
    }
    __syncthreads();
    for (int g = threadIdx.x; g < groups; g += THREADS) {
        const int gone = chosen[g];
        float before = 0.0f, left = 0.0f;
        for (int h = 0; h < heads; h++) {
            before += whole[h];
            left += h == gone ? 0.0f : scaled[h];
        }
        norms[g] = left == 0.0f ? 1.0f : sqrtf(before / left);
    }
}

}  // namespace ablation_norms

extern "C" __global__ void __launch_bounds__(ablation_norms::THREADS)
    belay_ablation_norms_f32(const float* __restrict__ z, const float* __restrict__ factors, const int* __restrict__ chosen, int groups,
                             int heads, int headSize, float* __restrict__ norms) {
    ablation_norms::kernel(z, factors, chosen, groups, heads, headSize, norms);
}

extern "C" __global__ void __launch_bounds__(ablation_norms::THREADS)
    belay_ablation_norms_bf16(const bf16* __restrict__ z, const float* __restrict__ factors, const int* __restrict__ chosen, int groups,
                              int heads, int headSize, float* __restrict__ norms) {
    ablation_norms::kernel(z, factors, chosen, groups, heads, headSize, norms);
}
