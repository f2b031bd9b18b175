// x[t, :] += sum_i shares[t, i] * in[places[t * k + i], :]: what its experts give a token.
//
// Shapes      in f32 [P, D] in the order of expert_groups.cu, places int [T * k], shares f32 [T, k], x f32 [T, D]; any D and k.
// Numbers     One fma an expert, by rising number of the expert, as router.cu leaves them: the same bits in every run, and those of the
//             CPU device for the same inputs.
// Geometry    Blocks of 256 threads: grid (T, S), where the S blocks of a token take its vectors in turn; S = ceil(D / 1024) makes it one
//             vector of four numbers a thread.
// Memory      `in` is read once, x is read and written once. Accesses are of 16 bytes, or of one number where D is no multiple of four or
//             an address none of 16 bytes.
#include "common.cuh"

namespace combine {

constexpr int THREADS = 256;

template <int V>
__device__ __forceinline__ void row(const float* in, const int* places, const float* shares, int top, int width, float* x) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float sum[V];
        load(x + i * V, sum);
#pragma unroll 4
        for (int k = 0; k < top; k++) {
            float given[V];
            load(in + static_cast<size_t>(places[k]) * width + i * V, given);
#pragma unroll
            for (int j = 0; j < V; j++) {
                sum[j] = fmaf(given[j], shares[k], sum[j]);
            }
        }
        store(x + i * V, sum);
    }
}

}  // namespace combine

extern "C" __global__ void __launch_bounds__(combine::THREADS)
    belay_combine_f32(const float* __restrict__ in, const int* __restrict__ places, const float* __restrict__ shares, int top, int width,
                      float* __restrict__ x) {
    places += static_cast<size_t>(blockIdx.x) * top;
    shares += static_cast<size_t>(blockIdx.x) * top;
    x += static_cast<size_t>(blockIdx.x) * width;
    if (width % 4 == 0 && aligned16(in) && aligned16(x)) {
        combine::row<4>(in, places, shares, top, width, x);
    } else {
        combine::row<1>(in, places, shares, top, width, x);
    }
}
