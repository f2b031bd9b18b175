// Number formats as mathematics has them: exact values in long double (64 bits of significand, so that every u64 and f64 is one of them),
// rounding by scaling to integers, and encoding by the fields of the format. For the expected values of conversions.
#pragma once

#include "conformance.h"

namespace conformance {

enum class Rounding { even, away, zero, down, up };

struct RoundingName {
    const char* name;
    Rounding rounding;
};
inline constexpr RoundingName kFloatRoundings[] = {
    {".rn", Rounding::even}, {".rz", Rounding::zero}, {".rm", Rounding::down}, {".rp", Rounding::up}};
inline constexpr RoundingName kIntegerRoundings[] = {
    {".rni", Rounding::even}, {".rzi", Rounding::zero}, {".rmi", Rounding::down}, {".rpi", Rounding::up}};

inline long double toIntegral(long double x, Rounding rounding) {
    long double below = std::floor(x), rest = x - below;
    switch (rounding) {
        case Rounding::even:
            if (rest == 0.5L) return std::fmod(below, 2.0L) == 0 ? below : below + 1;
            return std::copysign(rest < 0.5L ? below : below + 1, x);
        case Rounding::away:
            return std::round(x);
        case Rounding::zero:
            return std::trunc(x);
        case Rounding::down:
            return below;
        case Rounding::up:
            return std::ceil(x);
    }
    return x;
}

// A binary floating-point format: bits of its fraction, its least exponent and its greatest finite value.
struct Format {
    const char* name;
    int fraction, least;
    long double most;
    u64 infinity, nan;  // encoded
    int bits;
};
inline constexpr Format kF16{"f16", 10, -14, 65504.0L, 0x7c00, 0x7fff, 16};
inline constexpr Format kBf16{"bf16", 7, -126, 0x1.fep127L, 0x7f80, 0x7fff, 16};
inline constexpr Format kTf32{"tf32", 10, -126, 0x1.ffcp127L, 0x7f800000 >> 13, 0x7fffffff >> 13, 19};
inline constexpr Format kF32{"f32", 23, -126, 0x1.fffffep127L, 0x7f800000, 0x7fffffff, 32};
inline constexpr Format kF64{"f64", 52, -1022, 0x1.fffffffffffffp1023L, 0x7ff0000000000000, 0x7fffffffffffffff, 64};
inline constexpr Format kE4m3{"e4m3x2", 3, -6, 448.0L, 0, 0x7f, 8};
inline constexpr Format kE5m2{"e5m2x2", 2, -14, 57344.0L, 0x7c, 0x7f, 8};

// What is asked of a conversion beside its rounding.
struct Extras {
    bool ftz = false, sat = false, relu = false, satfinite = false;
    std::string text() const {
        return std::string(ftz ? ".ftz" : "") + (sat ? ".sat" : "") + (relu ? ".relu" : "") + (satfinite ? ".satfinite" : "");
    }
};

// The value of `x` in the format; NaN and infinity stay.
inline long double roundedTo(const Format& format, long double x, Rounding rounding, bool satfinite) {
    if (std::isnan(x) || x == 0) return x;
    bool infinite = std::isinf(x);
    long double result = x;
    if (!infinite) {
        int place = std::max(std::ilogb(x), format.least) - format.fraction;
        result = std::copysign(std::ldexp(toIntegral(std::ldexp(x, -place), rounding), place), x);
    }
    if (std::fabs(result) <= format.most) return result;
    bool toMost = satfinite || (!infinite && (rounding == Rounding::zero || rounding == (x > 0 ? Rounding::down : Rounding::up)));
    return std::copysign(toMost ? format.most : static_cast<long double>(INFINITY), x);
}

// The bits of a value of the format.
inline u64 encoded(const Format& format, long double x) {
    if (std::isnan(x)) return format.nan;
    u64 sign = std::signbit(x) ? 1ull << (format.bits - 1) : 0, magnitude;
    x = std::fabs(x);
    if (std::isinf(x))
        magnitude = format.infinity;
    else if (x < std::ldexp(1.0L, format.least))
        magnitude = static_cast<u64>(std::ldexp(x, format.fraction - format.least));
    else
        magnitude = (static_cast<u64>(std::ilogb(x) - format.least) << format.fraction) +
                    static_cast<u64>(std::ldexp(x, format.fraction - std::ilogb(x)));
    return sign | magnitude;
}

inline long double decoded(const Format& format, u64 bits) {
    u64 magnitude = bits & ((1ull << (format.bits - 1)) - 1), field = magnitude >> format.fraction;
    u64 fraction = magnitude & ((1ull << format.fraction) - 1);
    long double sign = bits >> (format.bits - 1) & 1 ? -1 : 1;
    if (format.infinity != 0 && magnitude == format.infinity) return sign * static_cast<long double>(INFINITY);
    if (format.infinity != 0 ? magnitude > format.infinity : magnitude == format.nan) return NAN;
    if (field == 0) return sign * std::ldexp(static_cast<long double>(fraction), format.least - format.fraction);
    return sign * std::ldexp(static_cast<long double>(fraction + (1ull << format.fraction)),
                             format.least - format.fraction + static_cast<int>(field) - 1);
}

// A conversion to a floating-point format.
inline u64 convertedTo(const Format& format, long double x, Rounding rounding, const Extras& extras = {}) {
    if (extras.sat) x = std::isnan(x) || x <= 0 ? 0 : std::min(x, 1.0L);
    if (extras.relu && std::signbit(x) && !std::isnan(x)) x = 0;
    long double result = roundedTo(format, x, rounding, extras.satfinite);
    if (extras.ftz && &format == &kF32 && std::fabs(result) < 0x1p-126L) result = std::copysign(0.0L, result);
    return encoded(format, result);
}

// f32 sources near the borders and ties of a format: values, the middle of neighbours, and both sides of it.
inline std::vector<float> nearFormat(const Format& format, u64 seed) {
    std::vector<float> values;
    Random random(seed);
    u64 most = encoded(format, format.most);
    for (u64 k = 0; k < 90; k++) {
        u64 bits = k < 6 ? k : k < 12 ? most - (k - 6) : random.next() % (most + 1);
        long double low = decoded(format, bits), high = bits == most ? low + (low - decoded(format, bits - 1)) : decoded(format, bits + 1);
        float middle = static_cast<float>((low + high) / 2);
        for (float value : {static_cast<float>(low), middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)})
            values.push_back(k % 2 ? -value : value);
    }
    return values;
}

// How C++ types stand for the types of cvt.
template <class T>
struct TypeOf;
#define TYPE(T, text)                                  \
    template <>                                        \
    struct TypeOf<T> {                                 \
        static constexpr const char* kName = "." text; \
    };
TYPE(u8, "u8")
TYPE(i8, "s8")
TYPE(u16, "u16")
TYPE(i16, "s16")
TYPE(u32, "u32")
TYPE(i32, "s32")
TYPE(u64, "u64")
TYPE(i64, "s64")
TYPE(F16, "f16")
TYPE(Bf16, "bf16")
TYPE(float, "f32")
TYPE(double, "f64")
#undef TYPE

template <class D, class S>
inline std::string cvt(const std::string& modifiers) {
    return "cvt" + modifiers + TypeOf<D>::kName + TypeOf<S>::kName;
}

template <class T>
inline const Format& formatOf() {
    if constexpr (std::is_same_v<T, F16>) return kF16;
    if constexpr (std::is_same_v<T, Bf16>) return kBf16;
    if constexpr (std::is_same_v<T, float>) return kF32;
    return kF64;
}

template <class T>
inline long double exact(T x, bool ftz = false) {
    if constexpr (std::is_integral_v<T>) return x;
    long double value = decoded(formatOf<T>(), toRaw(x));
    return ftz && std::is_same_v<T, float> && std::fabs(value) < 0x1p-126L ? std::copysign(0.0L, value) : value;
}

template <class T>
inline void add(Form& form, const std::vector<T>& values) {
    for (T v : values) form.inputs[0].push_back(toRaw(v));
}

// Values around the integers where types end, and their quarters.
template <class T>
inline std::vector<T> nearIntegers() {
    std::vector<T> values;
    for (long double at :
         {0.0L, 1.0L, 2.0L, 127.0L, 128.0L, 255.0L, 32767.0L, 65535.0L, 65536.0L, 0x1p23L, 0x1p31L, 0x1p32L, 0x1p53L, 0x1p63L, 0x1p64L})
        for (long double off : {0.0L, 0.25L, 0.5L, 0.75L, 1.0L, -0.25L, -0.5L})
            for (long double sign : {1.0L, -1.0L}) {
                long double value = sign * (at + off);
                if constexpr (sizeof(T) == 2)
                    values.push_back(T{static_cast<u16>(convertedTo(formatOf<T>(), value, Rounding::zero))});
                else
                    for (T v : {static_cast<T>(value), std::nextafter(static_cast<T>(value), T(0))}) values.push_back(v);
            }
    return values;
}

// A value of type D.
template <class D>
inline D floatOf(long double value, Rounding rounding, const Extras& extras) {
    return fromRaw<D>(convertedTo(formatOf<D>(), value, rounding, extras));
}

}  // namespace conformance
