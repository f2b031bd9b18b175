// out[i, :] = in[indices[i], :]
//
// Shapes      in f32 or bf16 [rows, D], indices int [n], out of the same type [n, D]; any D.
// Numbers     Copied bit by bit.
// Geometry    Blocks of 256 threads: grid (n, S), where the S blocks of a row take its vectors in turn; S = ceil(D / 2048) makes it eight
//             numbers a thread.
// Memory      Every number moves once, in whole sectors: vectors of 16 bytes, or single numbers where a row or an address is no multiple
//             of 16 bytes.
#include "rows.cuh"

extern "C" __global__ void __launch_bounds__(rows::THREADS)
    belay_gather_f32(const float* __restrict__ in, const int* __restrict__ indices, int width, float* __restrict__ out) {
    rows::gatherRow(in, indices, width, out);
}

extern "C" __global__ void __launch_bounds__(rows::THREADS)
    belay_gather_bf16(const bf16* __restrict__ in, const int* __restrict__ indices, int width, bf16* __restrict__ out) {
    rows::gatherRow(in, indices, width, out);
}
