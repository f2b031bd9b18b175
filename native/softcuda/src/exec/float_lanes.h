// What the handlers of floating-point instructions share: loops over lanes, flushing, saturation, minimum and maximum, rounding modes.
#pragma once

#include <immintrin.h>

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "warp.h"

namespace softcuda {

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 8, u64, std::conditional_t<sizeof(T) == 4, u32, u16>>;

template <class T>
inline constexpr BitsOf<T> kSignBit = static_cast<BitsOf<T>>(1) << (8 * sizeof(T) - 1);

// The NaN that every f32 instruction gives, whatever NaN it read. f64 instructions keep the payload, as x86 does.
inline const float kFloatNaN = std::bit_cast<float>(0x7fffffffu);

template <class T>
inline T withBits(T value, BitsOf<T> clear, BitsOf<T> set) {
    return std::bit_cast<T>(static_cast<BitsOf<T>>((std::bit_cast<BitsOf<T>>(value) & ~clear) | set));
}

// .ftz: a subnormal becomes a zero of its sign.
inline float flush(float x) {
    u32 bits = std::bit_cast<u32>(x);
    u32 keep = bits & 0x7f800000u ? 0xffffffffu : kSignBit<float>;
    return std::bit_cast<float>(bits & keep);
}

template <bool kFtz, class T>
inline T flushIf(T x) {
    if constexpr (kFtz)
        return flush(x);
    else
        return x;
}

inline float canonical(float x) { return x == x ? x : kFloatNaN; }
inline double canonical(double x) { return x; }

// .sat: [0, 1], and +0 for NaN and -0.
template <class T>
inline T saturate(T x) {
    T low = x > T(0) ? x : T(0);
    return low < T(1) ? low : T(1);
}

// What an instruction makes of its exact or rounded result.
template <bool kFtz, bool kSat, class T>
inline T finish(T x) {
    x = canonical(flushIf<kFtz>(x));
    if constexpr (kSat) x = saturate(x);
    return x;
}

enum class NaNRule : u8 { ignore, propagate };

// The order of values other than NaN as integers: -0 comes before +0.
template <class T>
inline auto orderOf(T x) {
    using Signed = std::make_signed_t<BitsOf<T>>;
    Signed bits = std::bit_cast<Signed>(x);
    return bits ^ (bits >> (8 * sizeof(T) - 1) & std::numeric_limits<Signed>::max());
}

// The lesser or greater; a single NaN is ignored, or decides under .NaN.
template <bool kMaximum, NaNRule kRule, class T>
inline T extremum(T a, T b) {
    constexpr T kQuiet = std::numeric_limits<T>::quiet_NaN();
    T result = (kMaximum ? orderOf(a) > orderOf(b) : orderOf(a) < orderOf(b)) ? a : b;
    T lone = kRule == NaNRule::propagate ? kQuiet : a;
    result = b != b ? lone : result;
    lone = kRule == NaNRule::propagate ? kQuiet : b;
    return a != a ? lone : result;
}

// d[e] = f(e) for every element of a register of kLanes * kWidth elements whose lane is in `mask`. The elements of the destination depend
// on the same elements of sources only, so that a source in the destination's place does not stop vectorisation.
template <u32 kWidth, class T, class F>
inline __attribute__((always_inline)) void forElements(u32 mask, T* d, F f) {
    if (__builtin_expect(mask == kAllLanes, 1)) {
#pragma GCC ivdep
        for (u32 e = 0; e < kLanes * kWidth; e++) d[e] = f(e);
    } else {
        for (u32 e = 0; e < kLanes * kWidth; e++)
            if (mask >> (e / kWidth) & 1) d[e] = f(e);
    }
}

enum class Rounding : u8 { nearest, zero, down, up };

// Sets the processor's rounding mode while it lives. Only code between pin()s is sure to run under it.
class RoundingScope {
public:
    explicit RoundingScope(Rounding mode) : saved_(_mm_getcsr()) {
        static constexpr u32 kControl[] = {_MM_ROUND_NEAREST, _MM_ROUND_TOWARD_ZERO, _MM_ROUND_DOWN, _MM_ROUND_UP};
        _mm_setcsr((saved_ & ~static_cast<u32>(_MM_ROUND_MASK)) | kControl[static_cast<u8>(mode)]);
    }
    ~RoundingScope() { _mm_setcsr(saved_); }
    RoundingScope(const RoundingScope&) = delete;
    RoundingScope& operator=(const RoundingScope&) = delete;

private:
    u32 saved_;
};

// A value that the compiler can neither fold nor move across a change of the rounding mode.
template <class T>
inline T pin(T x) {
    asm volatile("" : "+x"(x));
    return x;
}

}  // namespace softcuda
