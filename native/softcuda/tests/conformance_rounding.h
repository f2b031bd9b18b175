// Host arithmetic of f32 and f64 in the four rounding modes, with flushing and saturation, for the expected values of conformance tests.
#pragma once

#include <cfenv>

#include "conformance.h"

namespace conformance {

// A rounding mode by its modifier.
struct Mode {
    const char* name;
    int control;
};
inline constexpr Mode kModes[] = {{".rn", FE_TONEAREST}, {".rz", FE_TOWARDZERO}, {".rm", FE_DOWNWARD}, {".rp", FE_UPWARD}};

// f(a, b, c) under a rounding mode. Operands and result pass through memory, so that nothing is computed outside of it.
template <class T, class F>
__attribute__((noinline)) T rounded(const Mode& mode, F f, T a, T b, T c) {
    volatile T x = a, y = b, z = c, result;
    std::fesetround(mode.control);
    result = f(static_cast<T>(x), static_cast<T>(y), static_cast<T>(z));
    std::fesetround(FE_TONEAREST);
    return result;
}

// .ftz: subnormals become zeros of their sign.
inline float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }

// .sat: into [0, 1], where NaN gives +0.
inline float saturated(float x) {
    if (std::isnan(x) || x <= 0) return 0.0f;
    return x > 1 ? 1.0f : x;
}

// The NaN of f32 instructions.
inline float oneNaN(float x) { return std::isnan(x) ? std::bit_cast<float>(0x7fffffffu) : x; }
inline double oneNaN(double x) { return x; }

}  // namespace conformance
