// out[t, i] = in[t, i], rounded to bf16: packs some columns of a float32 matrix.
//
// Shapes      in f32 [T, inStride] from the first column on, out bf16 [T, width]; any width up to inStride.
// Numbers     To nearest, ties to even; what rounds beyond the largest bf16 number becomes infinite, NaN stays NaN.
// Geometry    Blocks of 256 threads: grid (T, S), where the S blocks of a row take its vectors in turn; S = ceil(width / 2048) makes it
//             eight numbers a thread.
// Memory      Every number moves once, in whole sectors: vectors of four numbers, or single ones where the width or the stride is no
//             multiple of four or an address none of 16 bytes.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(rows::THREADS)
    belay_round_f32_bf16(const float* __restrict__ in, int inStride, int width, bf16* __restrict__ out) {
    const bool vectors = rows::vectorsFit(in, inStride, width, out);
    rows::copyRow(in + static_cast<size_t>(blockIdx.x) * inStride, width, out + static_cast<size_t>(blockIdx.x) * width, vectors);
}
