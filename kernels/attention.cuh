// What the attention kernels do with their results: factors of heads, and the norms of tokens that their sets keep.
#pragma once

#include "scale_heads.cuh"

namespace attention {

// Factors of heads and who keeps its norm. setOfToken int [T], factors f32 [sets, H], renormalize int [sets] (0 or 1); all null where
// nobody asks for factors, renormalize alone where no set keeps norms.
struct HeadScales {
    const int* setOfToken;
    const float* factors;
    const int* renormalize;
    int heads;
};

// Whether all of token t's heads are multiplied by what keeps its norm.
__device__ __forceinline__ bool keepsNorm(const HeadScales& s, int token) {
    if (s.renormalize == nullptr) {
        return false;
    }
    const int set = s.setOfToken[token];
    return set >= 0 && s.renormalize[set] != 0;
}

// What head h of token t is multiplied by when it is computed: 1 where nobody asks for factors, where the token belongs to no set, and
// where its norm is kept, as the factors come with that.
__device__ __forceinline__ float headFactor(const HeadScales& s, int token, int head) {
    if (s.setOfToken == nullptr) {
        return 1.0f;
    }
    const int set = s.setOfToken[token];
    if (set < 0 || (s.renormalize != nullptr && s.renormalize[set] != 0)) {
        return 1.0f;
    }
    return s.factors[static_cast<size_t>(set) * s.heads + head];
}

// z times the factor of its head: exactly +0 for a factor of 0, whatever z is; the same bits for 1.
__device__ __forceinline__ float timesFactor(float z, float factor) { return factor == 0.0f ? 0.0f : z * factor; }

// Whether this block is the last of `blocks` to come here; what the others wrote is then visible, and the counter zero again.
__device__ __forceinline__ bool arriveLast(int* counter, int blocks) {
    __threadfence();
    __syncthreads();
    bool last = false;
    if (threadIdx.x == 0) {
        last = atomicAdd(counter, 1) == blocks - 1;
        if (last) {
            *counter = 0;
        }
    }
    last = __syncthreads_or(last);
    __threadfence();
    return last;
}

// Multiplies z[T, H, HD] of those of the tokens first .. first + tokens - 1 that keep their norms by their factors and by what keeps it, a
// warp a token, in vectors of V numbers, of which a lane keeps KEPT. All heads are there.
template <int V, int KEPT, typename T>
__device__ __forceinline__ void keepNorms(const HeadScales& s, int first, int tokens, int headSize, T* z) {
#pragma unroll 1
    for (int token = first + threadIdx.x / WARP; token < first + tokens; token += blockDim.x / WARP) {
        if (keepsNorm(s, token)) {
            const float* factors = s.factors + static_cast<size_t>(s.setOfToken[token]) * s.heads;
            T* row = z + static_cast<size_t>(token) * s.heads * headSize;
            scale_heads::scaleKeepingNorm<V, KEPT>(scale_heads::OfWarp(), row, factors, s.heads, headSize / V);
        }
    }
}

// The same for any size of heads and any address.
template <typename T>
__device__ __forceinline__ void keepNorms(const HeadScales& s, int first, int tokens, int headSize, T* z) {
    constexpr int V = PER_16_BYTES<T>, KEPT = 16;
    if (headSize % V == 0 && aligned16(z)) {
        keepNorms<V, KEPT>(s, first, tokens, headSize, z);
    } else {
        keepNorms<1, KEPT>(s, first, tokens, headSize, z);
    }
}

// At the end of a block that has stored its head of a tile of tokens: whether some of them keep their norms and this block is the last of
// the tile, which sees to it. `counter` is the tile's.
__device__ __forceinline__ bool finishesTile(const HeadScales& s, int first, int tokens, int* counter) {
    const bool asked = threadIdx.x < tokens && keepsNorm(s, first + threadIdx.x);
    return __syncthreads_or(asked) && arriveLast(counter, gridDim.y);
}

}  // namespace attention
