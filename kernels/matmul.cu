// out[t, r] = sum_c a[t, c] w[r, c] (+ bias[r]) (+ out[t, r]): the matrix product of activations and weights.
//
// Shapes      a f32 or bf16 [T, aStride >= columns], w of the same type [rows, wStride >= columns], bias f32 [rows] or null, out f32
//             [T, outStride >= rows]; accumulate 0 or 1 says whether out is added to. Any sizes, strides and starts; what lies between
//             columns and a stride is not read. The matvec kernels take up to 8 tokens, the others any number.
// Numbers     f32: products and sums with fma in float32, columns in ascending order. bf16: exact products, summed in float32 by the
//             tensor core, 16 columns at a time in ascending order. The matvec kernels sum in parts: warp i of 8 the columns of every
//             eighth 128 bytes, within them (f32) each lane of a row its own 16 bytes, and add the parts in a fixed order. The order
//             depends on the columns only: the same two rows give the same bits whatever T, rows, strides and starts are, alike in both
//             tile sizes of a type. Between the matvec kernel and the tiles of a type only the order of sums differs. Then the bias is
//             added, then what out held.
// Geometry    matmul: a block computes tiles of tokens x rows, 128 x 128 with 256 threads or 64 x 64 with 128 (bf16) or 64 (f32): grid
//             (token tiles, row tiles), so that blocks that run together share weights. matvec: 256 threads compute 16 rows for up to 2
//             tokens, 32 for up to 4, 64 for up to 8: grid (row groups).
// Memory      matmul: 64 bytes of each row of a tile at a time in dynamic shared memory, 4 stages with cp.async, see matmul::Tile. Rows
//             are not padded; unit u of 16 bytes of row r lies at u ^ (r / 2 % 4), so that 8 units in a row of rows, which is what an
//             ldmatrix, a copy and a quarter of a warp's float4 loads touch at once, lie in different banks. Where a start or a stride
//             is no multiple of 16 bytes, numbers are fetched one by one.
//             matvec: every weight is read once, in 16-byte loads, 8 in flight a thread; a is read once a block, which is at most an
//             eighth of the bytes of its weights. Where a start or a stride, or the columns, are no multiple of 16 bytes, numbers are
//             read one by one. Partial sums in up to 17 KB of shared memory, rows padded to distinct banks.
#include "matmul.cuh"

// The parameters of all these kernels, and the same as arguments.
#define MATMUL_PARAMETERS(T)                                                                                                      \
    const T *__restrict__ a, int aStride, const T *__restrict__ weights, int wStride, const float *__restrict__ bias, float *out, \
        int outStride, int tokens, int rows, int columns, int accumulate
#define MATMUL_ARGUMENTS \
    { a, aStride, weights, wStride, bias, out, outStride, tokens, rows, columns, accumulate }

extern "C" __global__ void __launch_bounds__(256, 2) belay_matmul_bf16_f32(MATMUL_PARAMETERS(bf16)) {
    matmul::tile<128, 2, 4>(matmul::Arguments<bf16> MATMUL_ARGUMENTS, blockIdx.x * 128, blockIdx.y * 128);
}

extern "C" __global__ void __launch_bounds__(128) belay_matmul_small_bf16_f32(MATMUL_PARAMETERS(bf16)) {
    matmul::tile<64, 2, 2>(matmul::Arguments<bf16> MATMUL_ARGUMENTS, blockIdx.x * 64, blockIdx.y * 64);
}

extern "C" __global__ void __launch_bounds__(256) belay_matmul_f32(MATMUL_PARAMETERS(float)) {
    matmul::tile<128>(matmul::Arguments<float> MATMUL_ARGUMENTS, blockIdx.x * 128, blockIdx.y * 128);
}

extern "C" __global__ void __launch_bounds__(64) belay_matmul_small_f32(MATMUL_PARAMETERS(float)) {
    matmul::tile<64>(matmul::Arguments<float> MATMUL_ARGUMENTS, blockIdx.x * 64, blockIdx.y * 64);
}

extern "C" __global__ void __launch_bounds__(matmul::VEC_THREADS, 2) belay_matvec_bf16_f32(MATMUL_PARAMETERS(bf16)) {
    matmul::vectorKernel(matmul::Arguments<bf16> MATMUL_ARGUMENTS, tokens);
}

extern "C" __global__ void __launch_bounds__(matmul::VEC_THREADS, 2) belay_matvec_f32(MATMUL_PARAMETERS(float)) {
    matmul::vectorKernel(matmul::Arguments<float> MATMUL_ARGUMENTS, tokens);
}

#undef MATMUL_PARAMETERS
#undef MATMUL_ARGUMENTS
