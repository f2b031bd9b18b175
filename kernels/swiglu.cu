// out[t, i] = silu(g) * u with g = gateUp[t, i], u = gateUp[t, F + i] and silu(g) = g / (1 + exp(-g))
//
// Shapes      gateUp f32 [T, 2F], out f32 or bf16 [T, F]; any F.
// Numbers     In float32: expf (error at most 1 ulp in CUDA's table), IEEE sum, quotient and product; bf16 rounds at the end, to
//             nearest. Where exp(-g) overflows the result is -0.
// Geometry    Blocks of 256 threads: grid (T, S), where the S blocks of a token take its vectors of 4 in turn; S = ceil(F / 1024) makes it
//             one vector a thread.
// Memory      Every number moves once, in whole sectors: loads and stores of 4 numbers, or of single ones where F is no multiple of 4 or
//             an address none of 16 bytes.
#include "common.cuh"

namespace swiglu {

constexpr int THREADS = 256;

__device__ __forceinline__ float silu(float g) { return g / (1.0f + expf(-g)); }

template <int V, typename Out>
__device__ __forceinline__ void row(const float* gateUp, int width, Out* out) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float g[V], u[V];
        load(gateUp + i * V, g);
        load(gateUp + width + i * V, u);
#pragma unroll
        for (int j = 0; j < V; j++) {
            g[j] = silu(g[j]) * u[j];
        }
        store(out + i * V, g);
    }
}

template <typename Out>
__device__ __forceinline__ void kernel(const float* gateUp, int width, Out* out) {
    constexpr int V = PER_16_BYTES<float>;
    const bool vectors = width % V == 0 && aligned16(gateUp) && aligned16(out);
    gateUp += static_cast<size_t>(blockIdx.x) * 2 * width;
    out += static_cast<size_t>(blockIdx.x) * width;
    if (vectors) {
        row<V>(gateUp, width, out);
    } else {
        row<1>(gateUp, width, out);
    }
}

}  // namespace swiglu

extern "C" __global__ void __launch_bounds__(swiglu::THREADS)
    belay_swiglu_f32(const float* __restrict__ gateUp, int width, float* __restrict__ out) {
    swiglu::kernel(gateUp, width, out);
}

extern "C" __global__ void __launch_bounds__(swiglu::THREADS)
    belay_swiglu_f32_bf16(const float* __restrict__ gateUp, int width, bf16* __restrict__ out) {
    swiglu::kernel(gateUp, width, out);
}
