// out[t, h] = z[t, h, :] . u[h, :]: what each head's output adds along a direction, u being the direction as the head's dimensions see it.
//
// Shapes      z f32 or bf16 [T, H, HD], u f32 [H, HD], out f32 [T, H]; any H and HD.
// Numbers     Products and sums are float64: each lane its own numbers, then the lanes of the head pairwise. The result rounds to float32.
// Geometry    Blocks of 128 threads: grid (T, S). A head is the work of a group of lanes, HD / 16 rounded up to a power of two, at most a
//             warp; the groups of a token's S blocks take its heads in turn. S = ceil(H lanes / 128) makes it one head a group.
// Memory      z is read once, in vectors of four numbers, or in single ones where HD is no multiple of four or an address none of 16
//             bytes. u is read for each token, from the caches but for the first.
#include "common.cuh"

namespace attribution {

constexpr int THREADS = 128;
constexpr int PER_LANE = 16;

template <int V, typename T>
__device__ __forceinline__ void row(const T* z, const float* u, int heads, int headSize, float* out) {
    const int lanes = lanesFor((headSize + PER_LANE - 1) / PER_LANE);
    const int groups = THREADS / lanes, group = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    // All lanes of a warp take part in each sum, those behind the last head with nothing.
    for (int first = blockIdx.y * groups; first < heads; first += gridDim.y * groups) {
        const int head = first + group;
        const size_t start = static_cast<size_t>(head) * headSize;
        double sum = 0.0;
#pragma unroll 4
        for (int i = lane; head < heads && i < headSize / V; i += lanes) {
            float a[V], b[V];
            load(z + start + i * V, a);
            load(u + start + i * V, b);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sum = fma(static_cast<double>(a[j]), static_cast<double>(b[j]), sum);
            }
        }
        sum = groupSum(sum, lanes);
        if (lane == 0 && head < heads) {
            out[head] = static_cast<float>(sum);
        }
    }
}

template <typename T>
__device__ __forceinline__ void kernel(const T* z, const float* u, int heads, int headSize, float* out) {
    const bool vectors = headSize % 4 == 0 && aligned16(z) && aligned16(u);
    z += static_cast<size_t>(blockIdx.x) * heads * headSize;
    out += static_cast<size_t>(blockIdx.x) * heads;
    if (vectors) {
        row<4>(z, u, heads, headSize, out);
    } else {
        row<1>(z, u, heads, headSize, out);
    }
}

}  // namespace attribution

extern "C" __global__ void __launch_bounds__(attribution::THREADS)
    belay_attribution_f32(const float* __restrict__ z, const float* __restrict__ u, int heads, int headSize, float* __restrict__ out) {
    attribution::kernel(z, u, heads, headSize, out);
}

extern "C" __global__ void __launch_bounds__(attribution::THREADS)
    belay_attribution_bf16(const bf16* __restrict__ z, const float* __restrict__ u, int heads, int headSize, float* __restrict__ out) {
    attribution::kernel(z, u, heads, headSize, out);
}
