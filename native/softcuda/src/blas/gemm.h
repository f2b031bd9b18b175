// The sums of a product: blocked, packed to f32 and vectorised.
//
// An element of the result is the sum over k in blocks of kBlockK: within a block fma in order of k, from 0; the blocks' sums are added in
// order. This depends on no other element, on no size but k, and not on threads or tiles, so that a row has the same bits in every batch.
#pragma once

#include <vector>

#include "../base.h"
#include "cublas_types.h"

namespace softcuda::blas {

// How f32 inputs are rounded first: CUBLAS_COMPUTE_32F_FAST_TF32, _16F and _16BF.
enum class Rounding : u8 { none, tf32, half, bfloat };

// One operand: element (index, k) lies at data + index * step + k * stepK, in elements; one of the steps is 1.
struct Source {
    const void* data = nullptr;
    cudaDataType type = CUDA_R_32F;
    u64 step = 0, stepK = 0;
    Rounding rounding = Rounding::none;
};

// A part of the result: rows of x, columns of y.
struct Tile {
    u64 row, rows, column, columns;
};

inline constexpr u64 kBlockK = 256;
// Tiles whose sides are multiples of these waste nothing.
extern const u64 kTileRows, kTileColumns;

// Sums over k for a tile. One for each thread: it keeps its buffers.
class TileSums {
public:
    void compute(const Source& x, const Source& y, u64 k, const Tile& tile);
    // The sums of a row of the tile, `columns` of them.
    const float* row(u64 index) const { return sums_ + index * pitch_; }

private:
    void reserve(u64 rows, u64 columns);
    std::vector<float> memory_;
    float *packedX_ = nullptr, *packedY_ = nullptr, *sums_ = nullptr;
    u64 pitch_ = 0;
};

// Converts `count` adjacent elements.
void toFloats(const void* from, cudaDataType type, u64 count, float* to);
void fromFloats(const float* from, u64 count, cudaDataType type, void* to);

}  // namespace softcuda::blas
