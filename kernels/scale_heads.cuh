// The scaling of a token's heads so that its norm stays, by a warp or a block, for the kernels that do so.
#pragma once

#include "common.cuh"

namespace scale_heads {

// V numbers of T as they lie in memory: one, or 16 bytes.
template <int V, typename T>
struct Bits {
    using Type = uint4;
};
template <typename T>
struct Bits<1, T> {
    using Type = T;
};

// Threads that share a token: their number, this one's place, and the sum of what all of them have, in each of them.
struct OfWarp {
    __device__ __forceinline__ int count() const { return WARP; }
    __device__ __forceinline__ int rank() const { return threadIdx.x % WARP; }
    __device__ __forceinline__ float sum(float value, int) const { return warpSum(value); }
};

struct OfBlock {
    float (&partial)[2][MAX_WARPS];
    __device__ __forceinline__ int count() const { return blockDim.x; }
    __device__ __forceinline__ int rank() const { return threadIdx.x; }
    __device__ __forceinline__ float sum(float value, int which) const { return blockSum(value, partial[which]); }
};

template <int V, typename T>
__device__ __forceinline__ void scaleAndStore(const float (&z)[V], float gamma, float common, T* target) {
    const float factor = gamma * common;
    if (factor == 1.0f) {
        return;
    }
    float scaled[V];
#pragma unroll
    for (int j = 0; j < V; j++) {
        scaled[j] = gamma == 0.0f ? 0.0f : z[j] * factor;
    }
    store(target, scaled);
}

template <int V>
__device__ __forceinline__ void addNorms(const float (&z)[V], float gamma, float& before, float& after) {
    float norm = 0.0f;
#pragma unroll
    for (int j = 0; j < V; j++) {
        norm = fmaf(z[j], z[j], norm);
    }
    before += norm;
    after = fmaf(gamma * gamma, norm, after);
}

// Vector i of z, from the L2 cache, where blocks find what others wrote.
template <int V, typename T>
__device__ __forceinline__ typename Bits<V, T>::Type fetch(const T* z, int i) {
    return __ldcg(reinterpret_cast<const typename Bits<V, T>::Type*>(z + i * V));
}

template <int V, typename T>
__device__ __forceinline__ void unpack(const typename Bits<V, T>::Type& bits, float (&v)[V]) {
    load(reinterpret_cast<const T*>(&bits), v);
}

// z[h, :] *= gamma_h * sqrt(before / after) of a token's heads, in place: its squared norms without and with the factors gamma; a quotient
// of 1 where after = 0. A thread keeps KEPT vectors of V numbers, and reads twice what is beyond.
template <int V, int KEPT, typename Threads, typename T>
__device__ __forceinline__ void scaleKeepingNorm(const Threads& threads, T* z, const float* factors, int heads, int perHead) {
    const int vectors = heads * perHead, rank = threads.rank(), count = threads.count();
    typename Bits<V, T>::Type kept[KEPT];
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        if (rank + k * count < vectors) {
            kept[k] = fetch<V>(z, rank + k * count);
        }
    }
    float before = 0.0f, after = 0.0f;
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int i = rank + k * count;
        if (i < vectors) {
            float v[V];
            unpack<V, T>(kept[k], v);
            addNorms(v, factors[i / perHead], before, after);
        }
    }
#pragma unroll 2
    for (int i = rank + KEPT * count; i < vectors; i += count) {
        float v[V];
        unpack<V, T>(fetch<V>(z, i), v);
        addNorms(v, factors[i / perHead], before, after);
    }
    before = threads.sum(before, 0);
    after = threads.sum(after, 1);
    const float common = after == 0.0f ? 1.0f : sqrtf(before / after);
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int i = rank + k * count;
        if (i < vectors) {
            float v[V];
            unpack<V, T>(kept[k], v);
            scaleAndStore(v, factors[i / perHead], common, z + i * V);
        }
    }
#pragma unroll 2
    for (int i = rank + KEPT * count; i < vectors; i += count) {
        float v[V];
        unpack<V, T>(fetch<V>(z, i), v);
        scaleAndStore(v, factors[i / perHead], common, z + i * V);
    }
}

}  // namespace scale_heads
