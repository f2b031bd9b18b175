// z[t, h, :] *= gamma with gamma = factors[set, h] of the token's set, in place. Where the set renormalizes, all of z[t] is multiplied
// by sqrt(before / after) as well: the squared norms of z[t] without and with the factors; by 1 where after = 0.
//
// Shapes      z f32 or bf16 [T, H, HD], setOfToken int [T] (-1: the token is left as it is), factors f32 [sets, H], renormalize
//             int [sets] (0 or 1) or null where no set does; any H and HD.
// Numbers     gamma = 0 gives exactly +0, whatever z holds. Otherwise z * (gamma * common), two roundings; a head whose factor is 1 is
//             not written. The norms are summed in float32: each thread its own numbers with fma, then the lanes of a warp and the
//             warps of the block pairwise. bf16 rounds at the end, to nearest.
// Geometry    One block a token: grid (T), 32 to 1024 threads, whole warps; 16 numbers a thread is the rule. 256 bytes of shared memory.
// Memory      Without renormalizing, only heads with a factor other than 1 are read and written. With it, a row is read once where
//             it fits the registers of the block: 4 vectors of 16 bytes a thread, or 4 numbers where HD is no multiple of the vector
//             or the address none of 16 bytes. The numbers beyond that are read twice.
#include "scale_heads.cuh"

namespace scale_heads {

// Vectors of a row that each thread keeps.
constexpr int KEPT = 4;

template <int V, typename T>
__device__ __forceinline__ void scale(T* z, const float* factors, int heads, int perHead) {
    for (int i = threadIdx.x; i < heads * perHead; i += blockDim.x) {
        const float gamma = factors[i / perHead];
        if (gamma != 1.0f) {
            float v[V];
            load(z + i * V, v);
            scaleAndStore(v, gamma, 1.0f, z + i * V);
        }
    }
}

template <int V, typename T>
__device__ __forceinline__ void row(T* z, const float* factors, bool renormalize, int heads, int headSize, float (&partial)[2][MAX_WARPS]) {
    if (renormalize) {
        scaleKeepingNorm<V, KEPT>(OfBlock{partial}, z, factors, heads, headSize / V);
    } else {
        scale<V>(z, factors, heads, headSize / V);
    }
}

template <typename T>
__device__ __forceinline__ void kernel(T* z, const int* setOfToken, const float* factors, const int* renormalize, int heads, int headSize) {
    constexpr int V = PER_16_BYTES<T>;
    __shared__ float partial[2][MAX_WARPS];
    const int set = setOfToken[blockIdx.x];
    if (set < 0) {
        return;
    }
    const bool keepNorm = renormalize != nullptr && renormalize[set] != 0;
    const bool vectors = headSize % V == 0 && aligned16(z);
    z += static_cast<size_t>(blockIdx.x) * heads * headSize;
    factors += static_cast<size_t>(set) * heads;
    if (vectors) {
        row<V>(z, factors, keepNorm, heads, headSize, partial);
    } else {
        row<1>(z, factors, keepNorm, heads, headSize, partial);
    }
}

}  // namespace scale_heads

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_scale_heads_f32(float* z, const int* __restrict__ setOfToken, const float* __restrict__ factors,
                          const int* __restrict__ renormalize, int heads, int headSize) {
    scale_heads::kernel(z, setOfToken, factors, renormalize, heads, headSize);
}

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_scale_heads_bf16(bf16* z, const int* __restrict__ setOfToken, const float* __restrict__ factors,
                           const int* __restrict__ renormalize, int heads, int headSize) {
    scale_heads::kernel(z, setOfToken, factors, renormalize, heads, headSize);
}
