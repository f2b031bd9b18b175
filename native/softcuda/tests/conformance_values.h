// Values of the conformance tests: how C++ types stand for PTX registers, and the inputs that are worth a try for each of them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace conformance {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

// The bits of an f16 or bf16 value, and of two of them (low one first).
struct F16 {
    u16 bits;
};
struct Bf16 {
    u16 bits;
};
struct F16x2 {
    u32 bits;
};
struct Bf16x2 {
    u32 bits;
};

// How a value is held in a kernel: the type of its register, and how to print it.
struct Kind {
    const char* reg;  // "b32", "f64", "pred", ...
    u32 bytes;        // in memory; a predicate is a 32-bit word that is zero or one
    std::string (*show)(u64 raw);
    u64 (*any)(u64 random);  // a value from random bits
};

template <class T>
inline u64 toRaw(T value) {
    u64 raw = 0;
    if constexpr (std::is_same_v<T, bool>)
        raw = value;
    else
        std::memcpy(&raw, &value, sizeof value);
    return raw;
}

template <class T>
inline T fromRaw(u64 raw) {
    if constexpr (std::is_same_v<T, bool>) {
        return raw != 0;
    } else {
        T value;
        std::memcpy(&value, &raw, sizeof value);
        return value;
    }
}

// The exact value of an f16 or bf16 by its fields: sign, exponent, fraction.
inline double valueOfBits(u16 bits, int fractionBits) {
    int exponentBits = 15 - fractionBits, bias = (1 << (exponentBits - 1)) - 1;
    int exponent = bits >> fractionBits & ((1 << exponentBits) - 1), fraction = bits & ((1 << fractionBits) - 1);
    double sign = bits & 0x8000 ? -1 : 1;
    if (exponent == (1 << exponentBits) - 1) return fraction ? std::nan("") : sign * HUGE_VAL;
    if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fractionBits);
    return sign * std::ldexp(fraction + (1 << fractionBits), exponent - bias - fractionBits);
}
inline double valueOf(F16 x) { return valueOfBits(x.bits, 10); }
inline double valueOf(Bf16 x) { return valueOfBits(x.bits, 7); }
inline double valueOf(float x) { return x; }
inline double valueOf(double x) { return x; }

template <class T>
inline std::string show(u64 raw) {
    char text[96];
    if constexpr (std::is_same_v<T, bool>)
        return raw ? "true" : "false";
    else if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, F16> || std::is_same_v<T, Bf16>)
        std::snprintf(text, sizeof text, "0x%llx (%.17g)", static_cast<unsigned long long>(raw), valueOf(fromRaw<T>(raw)));
    else
        std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(raw));
    return text;
}

// Random bits; half of the floating-point values lie near one, so that sums of them mean something.
template <class T>
inline u64 any(u64 random) {
    if constexpr (std::is_same_v<T, bool>) return random & 1;
    u64 raw = sizeof(T) == 8 ? random : random & ~(~0ull << 8 * sizeof(T) % 64);
    if ((random >> 40 & 1) == 0) return raw;
    auto nearOne = [&](u64 exponentMask, u64 one) {
        return (raw & ~exponentMask) | (one + (random >> 48 & 7) * (exponentMask & (0 - exponentMask)));
    };
    if constexpr (std::is_same_v<T, float>) return nearOne(0x7f800000, 0x3e000000);
    if constexpr (std::is_same_v<T, double>) return nearOne(0x7ffull << 52, 0x3fcull << 52);
    if constexpr (std::is_same_v<T, Bf16>) return nearOne(0x7f80, 0x3e00);
    if constexpr (std::is_same_v<T, Bf16x2>) return (raw & 0x807f807f) | 0x3f003f00 | (random >> 48 & 1) << 7;
    return raw;
}

template <class T>
inline Kind kindOf() {
    static_assert(sizeof(T) <= 8);
    if constexpr (std::is_same_v<T, bool>)
        return {"pred", 4, show<T>, any<T>};
    else if constexpr (std::is_same_v<T, float>)
        return {"f32", 4, show<T>, any<T>};
    else if constexpr (std::is_same_v<T, double>)
        return {"f64", 8, show<T>, any<T>};
    else
        return {sizeof(T) == 8 ? "b64" : sizeof(T) == 4 ? "b32" : "b16", static_cast<u32>(sizeof(T)), show<T>, any<T>};
}

// The 16 bits of halves that lie near every border: zeros, ones, ties, the ends of the subnormals and of the finite, infinities, NaNs.
template <class T>
inline std::vector<u16> halfValues() {
    std::vector<u16> positive;
    if constexpr (std::is_same_v<T, F16> || std::is_same_v<T, F16x2>)
        positive = {0x0000, 0x0001, 0x03ff, 0x0400, 0x0401, 0x1400, 0x3555, 0x3800, 0x3bff, 0x3c00,
                    0x3c01, 0x3e00, 0x4000, 0x4248, 0x6400, 0x6bff, 0x7bff, 0x7c00, 0x7c01, 0x7e00};
    else
        positive = {0x0000, 0x0001, 0x007f, 0x0080, 0x0081, 0x0180, 0x3b80, 0x3eab, 0x3f00, 0x3f7f, 0x3f80,
                    0x3f81, 0x3fc0, 0x4000, 0x4049, 0x4300, 0x7e80, 0x7f7f, 0x7f80, 0x7f81, 0x7fc0};
    std::vector<u16> all = positive;
    for (u16 v : positive) all.push_back(static_cast<u16>(v | 0x8000));
    return all;
}

inline std::vector<float> floatValues() {
    using Limits = std::numeric_limits<float>;
    std::vector<float> all = {0.0f,
                              Limits::denorm_min(),
                              0x1.8p-130f,
                              0x1.fffffcp-127f,
                              Limits::min(),
                              0x1.000002p-126f,
                              0x1p-64f,
                              1e-10f,
                              1.0f / 3,
                              0.5f,
                              0x1.fffffep-1f,
                              1.0f,
                              0x1.000002p0f,
                              1.5f,
                              2.0f,
                              3.14159274f,
                              16777215.0f,
                              16777216.0f,
                              1e10f,
                              0x1.fffffep63f,
                              0x1p126f,
                              Limits::max(),
                              Limits::infinity()};
    for (u32 nan : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0x7fa5a5a5u}) all.push_back(std::bit_cast<float>(nan));
    std::size_t positive = all.size();
    for (std::size_t k = 0; k < positive; k++) all.push_back(std::bit_cast<float>(std::bit_cast<u32>(all[k]) | 0x80000000u));
    return all;
}

inline std::vector<double> doubleValues() {
    using Limits = std::numeric_limits<double>;
    std::vector<double> all = {0.0,           Limits::denorm_min(),
                               0x1.8p-1030,   0x0.fffffffffffffp-1022,
                               Limits::min(), 0x1p-512,
                               1e-10,         1.0 / 3,
                               0.5,           0x1.fffffffffffffp-1,
                               1.0,           0x1.0000000000001p0,
                               1.5,           2.0,
                               0x1p53 - 1,    0x1p53,
                               1e100,         0x1p1022,
                               Limits::max(), Limits::infinity()};
    for (u64 nan : {0x7ff0000000000001ull, 0x7ff8000000000000ull, 0x7fffffffffffffffull}) all.push_back(std::bit_cast<double>(nan));
    std::size_t positive = all.size();
    for (std::size_t k = 0; k < positive; k++) all.push_back(std::bit_cast<double>(std::bit_cast<u64>(all[k]) | 1ull << 63));
    return all;
}

template <class T>
inline std::vector<u64> integerValues() {
    constexpr u32 kBits = 8 * sizeof(T);
    constexpr u64 kOnes = ~0ull >> (64 - kBits), kTop = 1ull << (kBits - 1);
    std::vector<u64> all;
    for (u64 v : {0ull, 1ull, 2ull, 3ull, 7ull, 10ull, 31ull, 32ull, 33ull, 0x7full, 0x80ull, 0xffull, 0x100ull}) all.push_back(v & kOnes);
    for (u64 v : {kTop - 1, kTop, kTop + 1, kOnes - 1, kOnes, kOnes / 3, kOnes / 3 * 2, kOnes >> kBits / 2, kTop >> kBits / 2})
        all.push_back(v & kOnes);
    for (u64 v : {2ull, 7ull, 100ull}) all.push_back((0 - v) & kOnes);
    for (u64 v : {0x0123456789abcdefull, 0xfedcba9876543210ull}) all.push_back(v & kOnes);
    return all;
}

// The inputs of a source of type T, as raw bits.
template <class T>
inline std::vector<u64> valuesOf() {
    std::vector<u64> all;
    if constexpr (std::is_same_v<T, bool>)
        all = {0, 1};
    else if constexpr (std::is_same_v<T, float>)
        for (float v : floatValues()) all.push_back(toRaw(v));
    else if constexpr (std::is_same_v<T, double>)
        for (double v : doubleValues()) all.push_back(toRaw(v));
    else if constexpr (std::is_integral_v<T>)
        all = integerValues<T>();
    else if constexpr (sizeof(T) == 2)
        for (u16 v : halfValues<T>()) all.push_back(v);
    else {
        std::vector<u16> halves = halfValues<T>();
        for (u64 k = 0; k < halves.size(); k++) all.push_back(halves[k] | static_cast<u64>(halves[(7 * k + 3) % halves.size()]) << 16);
    }
    return all;
}

// Numbers that look random and are the same in every run (splitmix64).
class Random {
public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {
        u64 z = state_ += 0x9e3779b97f4a7c15ull;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }

private:
    u64 state_;
};

}  // namespace conformance
