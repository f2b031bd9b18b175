// out[t, :] = table[ids[t], :]
//
// Shapes      table f32 or bf16 [V, D], ids int [T], out f32 [T, D]; any D.
// Numbers     Copied; every bf16 number is one of float32.
// Geometry    Blocks of 256 threads: grid (T, S), where the S blocks of a token take its vectors in turn; S = ceil(D / 2048) makes it
//             eight numbers a thread.
// Memory      Every number moves once, in whole sectors: vectors of four numbers, or single ones where D is no multiple of four or an
//             address none of 16 bytes.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(rows::THREADS)
    belay_embed_f32(const float* __restrict__ table, const int* __restrict__ ids, int width, float* __restrict__ out) {
    rows::gatherRow(table, ids, width, out);
}

extern "C" __global__ void __launch_bounds__(rows::THREADS)
    belay_embed_bf16_f32(const bf16* __restrict__ table, const int* __restrict__ ids, int width, float* __restrict__ out) {
    rows::gatherRow(table, ids, width, out);
}
