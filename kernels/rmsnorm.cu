// out[t, i] = x[t, i] / sqrt(mean(x[t, :]^2) + eps) * weight[i]
//
// Shapes      x f32 [T, D], weight f32 [D], out f32 or bf16 [T, D]; any D; out may be x in the f32 form.
// Numbers     The squares are summed in float32: each thread its own numbers with fma, then the lanes of a warp and the warps of the
//             block pairwise. Division and root are IEEE. x * scale rounds, times weight rounds; bf16 rounds once more, to nearest.
// Geometry    One block a token: grid (T), 32 to 1024 threads, whole warps; 16 numbers a thread is the rule. 128 bytes of shared memory.
// Memory      x is read once where a row fits the registers of the block: 16 numbers a thread, or 4 where D is no multiple of 4 or an
//             address none of 16 bytes (then the accesses are of one number). The numbers beyond that are read twice.
#include "rms.cuh"

namespace rmsnorm {

using rms::KEPT;

template <int V, typename Out>
__device__ __forceinline__ void scaleAndStore(float (&x)[V], float scale, const float* weight, Out* out, int vector) {
    rms::scaleVector(weight, scale, vector, x);
    store(out + vector * V, x);
}

template <int V, typename Out>
__device__ __forceinline__ void row(const float* x, const float* weight, float eps, int width, Out* out, float (&partial)[MAX_WARPS]) {
    const int vectors = width / V;
    float kept[KEPT][V];
    rms::keep(x, vectors, kept);
    const float scale = rms::scaleOf(kept, x, eps, width, partial);
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        const int i = threadIdx.x + k * blockDim.x;
        if (i < vectors) {
            scaleAndStore(kept[k], scale, weight, out, i);
        }
    }
    for (int i = threadIdx.x + KEPT * blockDim.x; i < vectors; i += blockDim.x) {
        float rest[V];
        load(x + i * V, rest);
        scaleAndStore(rest, scale, weight, out, i);
    }
}

template <typename Out>
__device__ __forceinline__ void kernel(const float* x, const float* weight, float eps, int width, Out* out) {
    __shared__ float partial[MAX_WARPS];
    const bool vectors = width % 4 == 0 && aligned16(x) && aligned16(weight) && aligned16(out);
    x += static_cast<size_t>(blockIdx.x) * width;
    out += static_cast<size_t>(blockIdx.x) * width;
    if (vectors) {
        row<4>(x, weight, eps, width, out, partial);
    } else {
        row<1>(x, weight, eps, width, out, partial);
    }
}

}  // namespace rmsnorm

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_rmsnorm_f32(const float* x, const float* __restrict__ weight, float eps, int width, float* out) {
    rmsnorm::kernel(x, weight, eps, width, out);
}

extern "C" __global__ void __launch_bounds__(MAX_WARPS* WARP)
    belay_rmsnorm_f32_bf16(const float* __restrict__ x, const float* __restrict__ weight, float eps, int width, bf16* __restrict__ out) {
    rmsnorm::kernel(x, weight, eps, width, out);
}
