// out[g T + t, :] = x[t, :] + s (attention[t, :] - out[g T + t, :]): the start of an ablation sweep. `out` holds the part of group g that
// is taken away from the attention's output; s is norms[t G + g], or 1 where norms is null.
//
// Shapes      x and attention f32 [T, D], norms f32 [T, G] or null, out f32 [G T, D]; any D.
// Numbers     The difference rounds, and one fma of it rounds: the bits of the CPU device's vectors.
// Geometry    Blocks of 256 threads: grid (ceil(G / 8) T, S). A block takes eight groups of a token, and the S blocks of a row take its
//             vectors in turn; S = ceil(D / 1024) makes it one vector of four numbers a thread. The x of the grid counts the groups of a
//             token before the next token.
// Memory      `out` is read and written once; x and attention are read once for eight groups, by blocks that run at the same time.
//             Accesses are of 16 bytes, or of one number where D is no multiple of four or an address none of 16 bytes.
#include "common.cuh"

namespace ablation_start {

constexpr int THREADS = 256;

// Groups that a block takes.
constexpr int TOGETHER = 8;

// `count` groups of a token; norms and out are those of the first, one and `step` times D numbers before those of the next.
template <int V>
__device__ __forceinline__ void rows(const float* x, const float* attention, const float* norms, int count, int step, int width,
                                     float* out) {
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < width / V; i += gridDim.y * THREADS) {
        float before[V], whole[V];
        load(x + i * V, before);
        load(attention + i * V, whole);
        float* place = out + i * V;
        for (int g = 0; g < count; g++) {
            const float s = norms == nullptr ? 1.0f : norms[g];
            float away[V];
            load(place, away);
#pragma unroll
            for (int j = 0; j < V; j++) {
                away[j] = fmaf(__fsub_rn(whole[j], away[j]), s, before[j]);
            }
            store(place, away);
            place += static_cast<size_t>(step) * width;
        }
    }
}

}  // namespace ablation_start

extern "C" __global__ void __launch_bounds__(ablation_start::THREADS)
    belay_ablation_start_f32(const float* __restrict__ x, const float* __restrict__ attention, const float* __restrict__ norms, int groups,
                             int tokens, int width, float* __restrict__ out) {
    const bool vectors = width % 4 == 0 && aligned16(x) && aligned16(attention) && aligned16(out);
    const int blocks = gridDim.x / tokens;
    const int token = blockIdx.x / blocks, group = blockIdx.x % blocks * ablation_start::TOGETHER;
    const int count = min(ablation_start::TOGETHER, groups - group);
    const size_t row = static_cast<size_t>(group) * tokens + token;
    norms = norms == nullptr ? nullptr : norms + static_cast<size_t>(token) * groups + group;
    x += static_cast<size_t>(token) * width;
    attention += static_cast<size_t>(token) * width;
    out += row * width;
    if (vectors) {
        ablation_start::rows<4>(x, attention, norms, count, tokens, width, out);
    } else {
        ablation_start::rows<1>(x, attention, norms, count, tokens, width, out);
    }
}
