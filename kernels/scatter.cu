// out[rows[i], :] += weights[i] * in[i, :]: what an expert gives goes to the tokens that chose it.
//
// Shapes      in f32 [n, D], rows int [n], no row twice, weights f32 [n], out f32 [T, D]; any D.
// Numbers     One fma, which rounds: the bits of the CPU device.
// Geometry    Blocks of 256 threads: grid (n, S), where the S blocks of a row take its vectors in turn; S = ceil(D / 1024) makes it one
//             vector of four numbers a thread.
// Memory      `in` is read once, the rows of `out` are read and written once. Accesses are of 16 bytes, or of one number where D is no
//             multiple of four or an address none of 16 bytes.
#include "common.cuh"

namespace scatter {

constexpr int THREADS = 256;

template <int V>
__device__ __forceinline__ void row(const float* in, float weight, int width, float* out) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float given[V], sum[V];
        load(in + i * V, given);
        load(out + i * V, sum);
#pragma unroll
        for (int j = 0; j < V; j++) {
            sum[j] = fmaf(given[j], weight, sum[j]);
        }
        store(out + i * V, sum);
    }
}

}  // namespace scatter

extern "C" __global__ void __launch_bounds__(scatter::THREADS)
    belay_scatter_f32(const float* __restrict__ in, const int* __restrict__ rows, const float* __restrict__ weights, int width,
                      float* __restrict__ out) {
    in += static_cast<size_t>(blockIdx.x) * width;
    out += static_cast<size_t>(rows[blockIdx.x]) * width;
    if (width % 4 == 0 && aligned16(in) && aligned16(out)) {
        scatter::row<4>(in, weights[blockIdx.x], width, out);
    } else {
        scatter::row<1>(in, weights[blockIdx.x], width, out);
    }
}
