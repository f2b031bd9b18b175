// Packing, the innermost loops and conversions. Panels of x hold kPanelX rows for each k, those of y kPanelY columns, so that the innermost
// loop reads both from front to back; its sums stay in registers.
#include "gemm.h"

#include <algorithm>
#include <array>
#include <utility>

#include "../exec/half.h"

namespace softcuda::blas {
namespace {

#ifdef __AVX512F__
constexpr u64 kWidth = 16, kPanelX = 12;
#else
constexpr u64 kWidth = 8, kPanelX = 6;
#endif
constexpr u64 kPanelY = 2 * kWidth;
typedef float Vector __attribute__((vector_size(kWidth * sizeof(float))));

Vector fma(Vector a, Vector b, Vector c) {
    Vector result;
    for (u64 lane = 0; lane < kWidth; lane++) result[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
    return result;
}

// Adds the products of `Rows` rows of a panel of x with a panel of y to the sums.
template <u64 Rows>
void multiplyPanels(const float* x, const float* y, u64 k, float* sums, u64 pitch) {
    Vector total[Rows][2] = {};
    for (u64 step = 0; step < k; step++) {
        const Vector* columns = reinterpret_cast<const Vector*>(y + step * kPanelY);
        Vector left = columns[0], right = columns[1];
#pragma GCC unroll 16
        for (u64 row = 0; row < Rows; row++) {
            Vector factor = x[step * kPanelX + row] - Vector{};
            total[row][0] = fma(factor, left, total[row][0]);
            total[row][1] = fma(factor, right, total[row][1]);
        }
    }
#pragma GCC unroll 16
    for (u64 row = 0; row < Rows; row++) {
        Vector* to = reinterpret_cast<Vector*>(sums + row * pitch);
        to[0] += total[row][0];
        to[1] += total[row][1];
    }
}

using Multiply = void (*)(const float*, const float*, u64, float*, u64);

template <size_t... Index>
constexpr std::array<Multiply, sizeof...(Index)> multiplyTable(std::index_sequence<Index...>) {
    return {multiplyPanels<Index + 1>...};
}

// By the number of rows, less one.
constexpr auto kMultiply = multiplyTable(std::make_index_sequence<kPanelX>());

// To 11 significant bits, the nearest, ties away from zero.
float roundTf32(float value) {
    u32 bits = std::bit_cast<u32>(value);
    bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return finite ? std::bit_cast<float>((bits + 0x1000u) & 0xffffe000u) : value;
}

void roundAll(float* values, u64 count, Rounding rounding) {
    if (rounding == Rounding::tf32)
        for (u64 i = 0; i < count; i++) values[i] = roundTf32(values[i]);
    if (rounding == Rounding::half)
        for (u64 i = 0; i < count; i++) values[i] = halfToFloat(floatToHalf(values[i]));
    if (rounding == Rounding::bfloat)
        for (u64 i = 0; i < count; i++) values[i] = bfloatToFloat(floatToBfloat(values[i]));
}

void load(const Source& source, u64 index, u64 k, u64 count, float* to) {
    u64 offset = (index * source.step + k * source.stepK) * (source.type == CUDA_R_32F ? 4 : 2);
    toFloats(static_cast<const u8*>(source.data) + offset, source.type, count, to);
    if (source.type == CUDA_R_32F) roundAll(to, count, source.rounding);
}

// One panel: elements `first` to `first + count` of the source at steps k to k + steps, zeros up to Width.
template <u64 Width>
void packPanel(const Source& source, u64 first, u64 count, u64 k, u64 steps, float* to) {
    if (count < Width) std::fill(to, to + steps * Width, 0.0f);
    if (source.step == 1) {
        for (u64 step = 0; step < steps; step++) load(source, first, k + step, count, to + step * Width);
        return;
    }
    float run[kBlockK];
    for (u64 i = 0; i < count; i++) {
        load(source, first + i, k, steps, run);
        for (u64 step = 0; step < steps; step++) to[step * Width + i] = run[step];
    }
}

template <u64 Width>
void pack(const Source& source, u64 first, u64 count, u64 k, u64 steps, float* to) {
    for (u64 done = 0; done < count; done += Width)
        packPanel<Width>(source, first + done, std::min(Width, count - done), k, steps, to + done * steps);
}

u64 roundUp(u64 n, u64 to) { return (n + to - 1) / to * to; }

}  // namespace

const u64 kTileRows = kPanelX, kTileColumns = kPanelY;

void TileSums::reserve(u64 rows, u64 columns) {
    rows = roundUp(rows, kPanelX);
    pitch_ = roundUp(columns, kPanelY);
    u64 needed = rows * kBlockK + pitch_ * kBlockK + rows * pitch_ + kWidth;
    if (memory_.size() < needed) memory_.resize(needed);
    u64 start = roundUp(reinterpret_cast<u64>(memory_.data()), sizeof(Vector));
    packedY_ = reinterpret_cast<float*>(start);
    sums_ = packedY_ + pitch_ * kBlockK;
    packedX_ = sums_ + rows * pitch_;
    std::fill(sums_, sums_ + rows * pitch_, 0.0f);
}

void TileSums::compute(const Source& x, const Source& y, u64 k, const Tile& tile) {
    reserve(tile.rows, tile.columns);
    for (u64 done = 0; done < k; done += kBlockK) {
        u64 steps = std::min(kBlockK, k - done);
        pack<kPanelX>(x, tile.row, tile.rows, done, steps, packedX_);
        pack<kPanelY>(y, tile.column, tile.columns, done, steps, packedY_);
        for (u64 column = 0; column < tile.columns; column += kPanelY)
            for (u64 row = 0; row < tile.rows; row += kPanelX) {
                u64 rows = std::min(kPanelX, tile.rows - row);
                kMultiply[rows - 1](packedX_ + row * steps, packedY_ + column * steps, steps, sums_ + row * pitch_ + column, pitch_);
            }
    }
}

void toFloats(const void* from, cudaDataType type, u64 count, float* to) {
    const u16* shorts = static_cast<const u16*>(from);
    if (type == CUDA_R_32F)
        std::copy_n(static_cast<const float*>(from), count, to);
    else if (type == CUDA_R_16F)
        for (u64 i = 0; i < count; i++) to[i] = halfToFloat(shorts[i]);
    else
        for (u64 i = 0; i < count; i++) to[i] = bfloatToFloat(shorts[i]);
}

void fromFloats(const float* from, u64 count, cudaDataType type, void* to) {
    u16* shorts = static_cast<u16*>(to);
    if (type == CUDA_R_32F)
        std::copy_n(from, count, static_cast<float*>(to));
    else if (type == CUDA_R_16F)
        for (u64 i = 0; i < count; i++) shorts[i] = floatToHalf(from[i]);
    else
        for (u64 i = 0; i < count; i++) shorts[i] = floatToBfloat(from[i]);
}

}  // namespace softcuda::blas
