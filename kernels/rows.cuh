// Copies of rows, from one type of numbers to another, for the kernels that move rows of a matrix.
#pragma once

#include "common.cuh"

namespace rows {

constexpr int THREADS = 256;

// Numbers of a vector: 16 bytes of the wider type.
template <typename In, typename Out>
constexpr int VECTOR = PER_16_BYTES<In> < PER_16_BYTES<Out> ? PER_16_BYTES<In> : PER_16_BYTES<Out>;

// Whether rows that begin at multiples of `inStride` and `width` numbers can be copied in vectors.
template <typename In, typename Out>
__device__ __forceinline__ bool vectorsFit(const In* in, int inStride, int width, const Out* out) {
    return (inStride | width) % VECTOR<In, Out> == 0 && aligned16(in) && aligned16(out);
}

template <int V, typename T>
__device__ __forceinline__ void copyVector(const T* in, T* out) {
    if constexpr (V == 1) {
        *out = *in;
    } else {
        static_assert(V == PER_16_BYTES<T>, "1 or 16 bytes");
        *reinterpret_cast<uint4*>(out) = *reinterpret_cast<const uint4*>(in);
    }
}

template <int V>
__device__ __forceinline__ void copyVector(const bf16* in, float* out) {
    float v[V];
    load(in, v);
    store(out, v);
}

template <int V>
__device__ __forceinline__ void copyVector(const float* in, bf16* out) {
    float v[V];
    load(in, v);
    store(out, v);
}

// out[i] = in[i] for all i < width, by the blocks of one x of the grid, each of THREADS threads.
template <int V, typename In, typename Out>
__device__ __forceinline__ void copyVectors(const In* __restrict__ in, int width, Out* __restrict__ out) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        copyVector<V>(in + i * V, out + i * V);
    }
}

template <typename In, typename Out>
__device__ __forceinline__ void copyRow(const In* in, int width, Out* out, bool vectors) {
    if (vectors) {
        copyVectors<VECTOR<In, Out>>(in, width, out);
    } else {
        copyVectors<1>(in, width, out);
    }
}

// out[blockIdx.x, :] = in[indices[blockIdx.x], :]
template <typename In, typename Out>
__device__ __forceinline__ void gatherRow(const In* in, const int* indices, int width, Out* out) {
    const bool vectors = vectorsFit(in, width, width, out);
    in += static_cast<size_t>(indices[blockIdx.x]) * width;
    out += static_cast<size_t>(blockIdx.x) * width;
    copyRow(in, width, out, vectors);
}

}  // namespace rows
