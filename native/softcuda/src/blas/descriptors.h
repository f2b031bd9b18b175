// Descriptors: attributes by number, each with its size. As with cuBLASLt, setting one checks its size only; what the values mean
// together is checked where a product is asked for.
#pragma once

#include <array>
#include <cstring>

#include "../base.h"
#include "cublas_types.h"

namespace softcuda::blas {

template <size_t N>
class Attributes {
public:
    // `sizes` holds the size of each attribute in bytes, 0 where there is none.
    explicit Attributes(const std::array<u8, N>& sizes) : sizes_(sizes) {}

    bool set(int attribute, const void* value, size_t bytes) {
        if (attribute < 0 || attribute >= static_cast<int>(N) || value == nullptr) return false;
        size_t index = static_cast<size_t>(attribute);
        if (bytes == 0 || bytes != sizes_[index]) return false;
        std::memcpy(&values_[index], value, bytes);
        return true;
    }

    template <class T>
    void put(int attribute, T value) {
        std::memcpy(&values_[static_cast<size_t>(attribute)], &value, sizeof value);
    }

    template <class T>
    T get(int attribute) const {
        T value;
        std::memcpy(&value, &values_[static_cast<size_t>(attribute)], sizeof value);
        return value;
    }

private:
    const std::array<u8, N>& sizes_;
    std::array<u64, N> values_{};
};

inline constexpr std::array<u8, 9> kLayoutSizes = {4, 4, 8, 8, 8, 4, 8, 8, 4};
inline constexpr std::array<u8, 39> kDescSizes = {4, 4, 4, 4, 4, 4, 4, 4, 8, 0, 8, 8, 8, 8, 8, 4, 0, 8, 8, 8,
                                                  8, 8, 4, 8, 8, 1, 4, 0, 0, 0, 0, 4, 4, 4, 4, 4, 8, 4, 8};
inline constexpr std::array<u8, 13> kPreferenceSizes = {4, 8, 0, 4, 0, 4, 4, 4, 4, 4, 0, 0, 8};

}  // namespace softcuda::blas

struct cublasLtMatrixLayoutOpaque : softcuda::blas::Attributes<9> {
    cublasLtMatrixLayoutOpaque() : Attributes(softcuda::blas::kLayoutSizes) {}
};
struct cublasLtMatmulDescOpaque : softcuda::blas::Attributes<39> {
    cublasLtMatmulDescOpaque() : Attributes(softcuda::blas::kDescSizes) {}
};
struct cublasLtMatmulPreferenceOpaque : softcuda::blas::Attributes<13> {
    cublasLtMatmulPreferenceOpaque() : Attributes(softcuda::blas::kPreferenceSizes) {}
};
