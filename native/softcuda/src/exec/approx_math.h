// 2^x, log2, sine, cosine and tanh for loops over lanes: f32 in and out, f64 between, so that the result is within 0.51 units in the last
// place of the exact one. No branches and no calls, but for sines of large arguments.
#pragma once

#include <bit>
#include <cmath>

#include "../base.h"

namespace softcuda::approx {

// Adding this to |x| < 2^51 leaves the nearest integer in the low bits of the sum.
inline constexpr double kRoundingShift = 0x1.8p52;

// 2^f for |f| <= 0.5 with a relative error below 2^-31: the terms (f ln 2)^k / k! to the eighth.
inline double exp2Fraction(double f) {
    double p = 1.3215486790144309e-6;
    p = std::fma(p, f, 1.5252733804059841e-5);
    p = std::fma(p, f, 1.5403530393381610e-4);
    p = std::fma(p, f, 1.3333558146428443e-3);
    p = std::fma(p, f, 9.6181291076284772e-3);
    p = std::fma(p, f, 5.5504108664821580e-2);
    p = std::fma(p, f, 2.4022650695910072e-1);
    p = std::fma(p, f, 6.9314718055994531e-1);
    return std::fma(p, f, 1.0);
}

// 2^x for |x| < 1000.
inline double exp2Wide(double x) {
    double shifted = x + kRoundingShift;
    double scale = std::bit_cast<double>((std::bit_cast<u64>(shifted) + 1023) << 52);
    return exp2Fraction(x - (shifted - kRoundingShift)) * scale;
}

// NaN stays NaN.
inline float exp2(float x) {
    float low = x > -200.0f ? x : -200.0f;
    float clamped = low < 200.0f ? low : 200.0f;
    float result = static_cast<float>(exp2Wide(clamped));
    return x == x ? result : x;
}

// log2(m * 2^e) = e + 2 / ln(2) * artanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)).
inline float log2(float x) {
    constexpr u64 kRootHalf = 0x3fe6a09e667f3bcdull;  // sqrt(1/2)
    u64 bits = std::bit_cast<u64>(static_cast<double>(x));
    u64 steps = bits - kRootHalf;
    u64 exponent = steps & 0xfff0000000000000ull;
    double m = std::bit_cast<double>(bits - exponent);
    // |e| < 2^11: put it into the low bits of a large number, and take that number off again.
    double e = std::bit_cast<double>(((exponent >> 52) ^ 0x800) | 0x4330000000000000ull) - (0x1p52 + 2048);
    double s = (m - 1) / (m + 1), q = s * s;
    double p = 1.0 / 15;
    p = std::fma(p, q, 1.0 / 13);
    p = std::fma(p, q, 1.0 / 11);
    p = std::fma(p, q, 1.0 / 9);
    p = std::fma(p, q, 1.0 / 7);
    p = std::fma(p, q, 1.0 / 5);
    p = std::fma(p, q, 1.0 / 3);
    p = std::fma(p, q, 1.0);
    float result = static_cast<float>(std::fma(s * 2.8853900817779268, p, e));
    result = x > 0 ? result : -INFINITY;      // zeros of either sign
    result = x < 0 || x != x ? NAN : result;  // and what has no logarithm
    return x == INFINITY ? x : result;
}

// tanh |x| = 1 - 2 / (e^(2|x|) + 1), and x - x^3/3 + 2x^5/15 where that would cancel.
inline float tanh(float x) {
    double a = std::fabs(static_cast<double>(x));
    double limited = a < 20 ? a : 20;
    double large = 1 - 2 / (exp2Wide(limited * 2.8853900817779268) + 1);
    double square = limited * limited;
    double small = a * std::fma(square, std::fma(square, 2.0 / 15, -1.0 / 3), 1.0);
    float result = std::copysign(static_cast<float>(a < 0x1p-7 ? small : large), x);
    return x == x ? result : x;
}

// Beyond this the reduction below is not exact enough.
inline constexpr float kLargeAngle = 0x1p24f;

// The sine of x + quadrants * pi / 2 for |x| <= kLargeAngle. The reduction takes off multiples of pi / 2 in two parts.
inline float sine(float x, u64 quadrants) {
    double shifted = static_cast<double>(x) * 0.63661977236758134 + kRoundingShift;
    double n = shifted - kRoundingShift;
    double r = std::fma(n, -6.1232339957367660e-17, std::fma(n, -1.5707963267948966, static_cast<double>(x)));
    u64 quadrant = std::bit_cast<u64>(shifted) + quadrants;
    double q = r * r;
    double s = 2.7557313707070068e-6;
    s = std::fma(s, q, -1.9841269841201840e-4);
    s = std::fma(s, q, 8.3333333333322118e-3);
    s = std::fma(s, q, -1.6666666666666646e-1);
    s = std::fma(s * q, r, r);
    double c = -2.7557314351390663e-7;
    c = std::fma(c, q, 2.4801587288851704e-5);
    c = std::fma(c, q, -1.3888888888730564e-3);
    c = std::fma(c, q, 4.1666666666665929e-2);
    c = std::fma(c, q, -0.5);
    c = std::fma(c, q, 1.0);
    double value = quadrant & 1 ? c : s;
    float result = static_cast<float>(quadrant & 2 ? -value : value);
    return x == 0 && quadrants == 0 ? x : result;  // the sine of -0 is -0
}

}  // namespace softcuda::approx
