// Host arithmetic of f16 and bf16 without rounding until the end, for the expected values of conformance tests.
#pragma once

#include "conformance.h"

namespace conformance {

// An exact value as the sum of a leading part and a rest that is less than its last place.
struct Exact {
    __float128 leading, rest;
};

template <class E>
inline constexpr int kFractionBits = std::is_same_v<E, F16> ? 10 : 7;
// The bits of infinity and of one.
template <class E>
inline constexpr u16 kInfinity = std::is_same_v<E, F16> ? 0x7c00 : 0x7f80;
template <class E>
inline constexpr u16 kOne = std::is_same_v<E, F16> ? 0x3c00 : 0x3f80;

template <class E>
inline __float128 exact(u16 bits) {
    return valueOf(E{bits});
}

// a + b. (The rest of a sum that is not finite is none.)
inline Exact exactSum(__float128 a, __float128 b) {
    __float128 sum = a + b, bPart = sum - a;
    __float128 rest = (a - (sum - bPart)) + (b - bPart);
    return {sum, rest == rest ? rest : 0};
}

// .ftz: a subnormal becomes a zero of its sign.
template <class E>
inline u16 flushedBits(u16 bits) {
    return bits & kInfinity<E> ? bits : bits & 0x8000;
}

// Rounded to the nearest value, ties to even: finds the two neighbours and compares with the point halfway.
template <class E>
inline u16 encode(Exact x) {
    if (x.leading != x.leading) return 0x7fff;
    bool negative = std::signbit(static_cast<double>(x.leading));
    u16 sign = negative ? 0x8000 : 0;
    __float128 size = negative ? -x.leading : x.leading, rest = negative ? -x.rest : x.rest;
    u16 below = 0;
    for (u16 step = 0x4000; step != 0; step >>= 1)
        if (below + step < kInfinity<E> && exact<E>(below + step) <= size) below = static_cast<u16>(below + step);
    bool last = below + 1 == kInfinity<E>;
    __float128 halfway = last ? static_cast<__float128>(kOverflow<E>) : (exact<E>(below) + exact<E>(below + 1)) / 2;
    bool up = size > halfway || (size == halfway && (rest > 0 || (rest == 0 && (below & 1))));
    return static_cast<u16>(sign | (below + up));
}

}  // namespace conformance
