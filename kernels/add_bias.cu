// x[t, :] += bias.
//
// Shapes      x f32 [T, D], bias f32 [D]; any D.
// Numbers     The sum rounds: the bits of the CPU device.
// Geometry    Blocks of 256 threads: grid (T, S), where the S blocks of a row take its vectors in turn; S = ceil(D / 1024) makes it one
//             vector of four numbers a thread.
// Memory      x is read and written once; the bias comes from the L2 cache. Accesses are of 16 bytes, or of one number where D is no
//             multiple of four or an address none of 16 bytes.
#include "common.cuh"

namespace add_bias {

constexpr int THREADS = 256;

template <int V>
__device__ __forceinline__ void row(float* x, const float* bias, int width) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float sum[V], added[V];
        load(x + i * V, sum);
        load(bias + i * V, added);
#pragma unroll
        for (int j = 0; j < V; j++) {
            sum[j] += added[j];
        }
        store(x + i * V, sum);
    }
}

}  // namespace add_bias

extern "C" __global__ void __launch_bounds__(add_bias::THREADS)
    belay_add_bias_f32(float* __restrict__ x, const float* __restrict__ bias, int width) {
    x += static_cast<size_t>(blockIdx.x) * width;
    if (width % 4 == 0 && aligned16(x) && aligned16(bias)) {
        add_bias::row<4>(x, bias, width);
    } else {
        add_bias::row<1>(x, bias, width);
    }
}
