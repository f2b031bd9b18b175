// out[g T + t, :] = x[t, :] + s (attention[t, :] - out[g T + t, :]): the start of an ablation sweep. `out` holds the part of group g that
// is taken away from the attention's output; s is norms[g T + t], or 1 where norms is null.
//
// Shapes      x and attention f32 [T, D], norms f32 [G T] or null, out f32 [G T, D]; any D.
// Numbers     The difference rounds, and one fma of it rounds: the bits of the CPU device's vectors.
// Geometry    Blocks of 256 threads: grid (G T, S), where the S blocks of a row take its vectors in turn; S = ceil(D / 1024) makes it one
//             vector of four numbers a thread. The x of the grid counts the groups of a token before the next token.
// Memory      `out` is read and written once; x and attention are read once for each group, but by blocks that run at the same time, so
//             that their numbers come from the L2 cache. Accesses are of 16 bytes, or of one number where D is no multiple of four or an
//             address none of 16 bytes.
#include "common.cuh"

namespace ablation_start {

constexpr int THREADS = 256;

template <int V>
__device__ __forceinline__ void row(const float* x, const float* attention, float s, int width, float* out) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float before[V], whole[V], away[V];
        load(x + i * V, before);
        load(attention + i * V, whole);
        load(out + i * V, away);
#pragma unroll
        for (int j = 0; j < V; j++) {
            away[j] = fmaf(__fsub_rn(whole[j], away[j]), s, before[j]);
        }
        store(out + i * V, away);
    }
}

}  // namespace ablation_start

extern "C" __global__ void __launch_bounds__(ablation_start::THREADS)
    belay_ablation_start_f32(const float* __restrict__ x, const float* __restrict__ attention, const float* __restrict__ norms, int tokens,
                             int width, float* __restrict__ out) {
    const bool vectors = width % 4 == 0 && aligned16(x) && aligned16(attention) && aligned16(out);
    const int groups = gridDim.x / tokens;
    const int token = blockIdx.x / groups, group = blockIdx.x % groups;
    const size_t row = static_cast<size_t>(group) * tokens + token;
    const float s = norms == nullptr ? 1.0f : norms[row];
    x += static_cast<size_t>(token) * width;
    attention += static_cast<size_t>(token) * width;
    out += row * width;
    if (vectors) {
        ablation_start::row<4>(x, attention, s, width, out);
    } else {
        ablation_start::row<1>(x, attention, s, width, out);
    }
}
