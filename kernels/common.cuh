// Helpers that the kernels share: vectors of numbers between memory and float registers, reductions over a warp and a block.
#pragma once

#include <cuda_bf16.h>
#include <stdint.h>

using bf16 = __nv_bfloat16;

// Lanes of a warp.
constexpr int WARP = 32;
// Warps of the largest block.
constexpr int MAX_WARPS = 32;
constexpr unsigned ALL_LANES = 0xffffffffu;

// ---------------------------------------------------------------------------------------------------------------------------------
// Vectors. V numbers from an address that is a multiple of V numbers, in one access of at most 16 bytes each, as float and back
// (bf16 rounds to nearest, ties to even).

// Numbers of T in 16 bytes.
template <typename T>
constexpr int PER_16_BYTES = 16 / sizeof(T);

// Whether the address is a multiple of 16 bytes.
__device__ __forceinline__ bool aligned16(const void* p) { return (reinterpret_cast<uintptr_t>(p) & 15) == 0; }

__device__ __forceinline__ uint32_t packBf16(float low, float high) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<const uint32_t*>(&pair);
}

template <int V>
__device__ __forceinline__ void load(const float* p, float (&v)[V]) {
    if constexpr (V % 4 == 0) {
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            const float4 quad = *reinterpret_cast<const float4*>(p + i);
            v[i] = quad.x, v[i + 1] = quad.y, v[i + 2] = quad.z, v[i + 3] = quad.w;
        }
    } else {
        static_assert(V == 1, "1 or a multiple of 4");
        v[0] = *p;
    }
}

template <int V>
__device__ __forceinline__ void load(const bf16* p, float (&v)[V]) {
    if constexpr (V == 8) {
        const uint4 bits = *reinterpret_cast<const uint4*>(p);
        const uint32_t pairs[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            v[2 * i] = __uint_as_float(pairs[i] << 16);
            v[2 * i + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
        }
    } else if constexpr (V == 4) {
        const uint2 bits = *reinterpret_cast<const uint2*>(p);
        v[0] = __uint_as_float(bits.x << 16);
        v[1] = __uint_as_float(bits.x & 0xffff0000u);
        v[2] = __uint_as_float(bits.y << 16);
        v[3] = __uint_as_float(bits.y & 0xffff0000u);
    } else {
        static_assert(V == 1, "1, 4 or 8");
        v[0] = __bfloat162float(*p);
    }
}

template <int V>
__device__ __forceinline__ void store(float* p, const float (&v)[V]) {
    if constexpr (V % 4 == 0) {
#pragma unroll
        for (int i = 0; i < V; i += 4) {
            *reinterpret_cast<float4*>(p + i) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
        }
    } else {
        static_assert(V == 1, "1 or a multiple of 4");
        *p = v[0];
    }
}

template <int V>
__device__ __forceinline__ void store(bf16* p, const float (&v)[V]) {
    if constexpr (V == 8) {
        *reinterpret_cast<uint4*>(p) = make_uint4(packBf16(v[0], v[1]), packBf16(v[2], v[3]), packBf16(v[4], v[5]), packBf16(v[6], v[7]));
    } else if constexpr (V == 4) {
        *reinterpret_cast<uint2*>(p) = make_uint2(packBf16(v[0], v[1]), packBf16(v[2], v[3]));
    } else {
        static_assert(V == 1, "1, 4 or 8");
        *p = __float2bfloat16_rn(v[0]);
    }
}

// ---------------------------------------------------------------------------------------------------------------------------------
// Reductions, in an order that depends on the number of threads only.

// Sum over the lanes of a warp, in every lane.
template <typename T>
__device__ __forceinline__ T warpSum(T value) {
#pragma unroll
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, distance);
    }
    return value;
}

// Lanes of a group that shares `units` of work: as many, rounded up to a power of two, at most a warp.
__device__ __forceinline__ int lanesFor(int units) { return units >= WARP ? WARP : 1 << (32 - __clz(units - 1)); }

// Sum over the lanes of a group, a power of two of neighbours, in each of them. All lanes of the warp must be there.
template <typename T>
__device__ __forceinline__ T groupSum(T value, int lanes) {
    for (int distance = lanes / 2; distance > 0; distance /= 2) {
        value += __shfl_xor_sync(ALL_LANES, value, distance);
    }
    return value;
}

// Sum over the threads of a block of whole warps, in every thread. `partial` is shared memory of its own for each call.
__device__ __forceinline__ float blockSum(float value, float (&partial)[MAX_WARPS]) {
    const int lane = threadIdx.x % WARP;
    value = warpSum(value);
    if (lane == 0) {
        partial[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    return warpSum(lane < blockDim.x / WARP ? partial[lane] : 0.0f);
}
