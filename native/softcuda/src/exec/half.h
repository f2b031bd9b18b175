// f16 and bf16 values as the 16 bits that registers hold, and their conversions, which g++ turns into vector code in loops over lanes.
#pragma once

#include <bit>

#include "../base.h"

namespace softcuda {

inline constexpr u16 kHalfNaN = 0x7fff;    // the NaN that every f16 instruction gives
inline constexpr u16 kBfloatNaN = 0x7fff;  // and every bf16 one

// Exact.
inline float halfToFloat(u16 half) {
    constexpr u32 kRebias = 112u << 23;
    u32 magnitude = half & 0x7fffu;
    u32 normal = (magnitude << 13) + kRebias + (magnitude >= 0x7c00 ? kRebias : 0);
    u32 subnormal = std::bit_cast<u32>(static_cast<float>(static_cast<i32>(magnitude)) * 0x1p-24f);
    return std::bit_cast<float>((magnitude < 0x400 ? subnormal : normal) | (half & 0x8000u) << 16);
}

// Rounded to the nearest, ties to even; overflow gives infinity.
inline u16 floatToHalf(float value) {
    constexpr u32 kRebias = 112u << 23;
    u32 bits = std::bit_cast<u32>(value);
    u32 magnitude = bits & 0x7fffffffu;
    u32 normal = (magnitude - kRebias + 0xfffu + (magnitude >> 13 & 1)) >> 13;
    normal = normal < 0x7c00 ? normal : 0x7c00;
    // The last place of a sum with 0.5 is 2^-24, that of an f16 subnormal.
    u32 subnormal = std::bit_cast<u32>(std::bit_cast<float>(magnitude) + 0.5f) - std::bit_cast<u32>(0.5f);
    u32 result = magnitude < 0x38800000u ? subnormal : normal;
    result |= bits >> 16 & 0x8000u;
    return static_cast<u16>(magnitude > 0x7f800000u ? kHalfNaN : result);
}

// Exact.
inline float bfloatToFloat(u16 bfloat) { return std::bit_cast<float>(static_cast<u32>(bfloat) << 16); }

// Rounded to the nearest, ties to even; overflow gives infinity.
inline u16 floatToBfloat(float value) {
    u32 bits = std::bit_cast<u32>(value);
    u32 result = (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
    return static_cast<u16>((bits & 0x7fffffffu) > 0x7f800000u ? kBfloatNaN : result);
}

}  // namespace softcuda
