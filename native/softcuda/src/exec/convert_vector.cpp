// The conversions that kernels use all the time, as loops over lanes that g++ turns into vector code.
#include <cmath>
#include <limits>

#include "convert.h"
#include "half.h"

namespace softcuda {
namespace {

using ptx::Type;
using Round = ConvertRounding;

// To an integer in a floating-point format; the processor's mode is to the nearest.
template <Round kRounding, class T>
inline T integral(T x) {
    if constexpr (kRounding == Round::nearestInteger) return std::rint(x);
    if constexpr (kRounding == Round::zeroInteger) return std::trunc(x);
    if constexpr (kRounding == Round::downInteger) return std::floor(x);
    if constexpr (kRounding == Round::upInteger) return std::ceil(x);
    return x;
}

// --- Floating point to integer: clamped; NaN is 0 where 32 bits become 32, else the middle of the range -----------------------------

template <Round kRounding, bool kFtz, class F, class I>
const Inst* toInteger(Warp& w, const Inst* i) {
    using Limits = std::numeric_limits<I>;
    constexpr F kAbove = static_cast<F>(static_cast<BitsOf<I>>(1) << (Limits::digits - 1)) * 2;
    constexpr F kLeast = std::is_signed_v<I> ? -kAbove : F(0);
    constexpr I kOfNaN = sizeof(F) == 4 && sizeof(I) == 4 ? I(0) : static_cast<I>(static_cast<BitsOf<I>>(1) << (8 * sizeof(I) - 1));
    const F* a = w.r<F>(i->op[1]);
    forLanes(w.mask, w.r<I>(i->op[0]), [&](u32 l) {
        F x = integral<kRounding>(flushIf<kFtz>(a[l]));
        I inside = x >= kLeast && x < kAbove ? static_cast<I>(x) : I(0);
        I clamped = x >= kAbove ? Limits::max() : x < kLeast ? Limits::min() : inside;
        return x == x ? clamped : kOfNaN;
    });
    return i + 1;
}

template <bool kFtz, class F, class I>
Run toIntegerRounded(Round rounding) {
    switch (rounding) {
        case Round::nearestInteger:
            return toInteger<Round::nearestInteger, kFtz, F, I>;
        case Round::zeroInteger:
            return toInteger<Round::zeroInteger, kFtz, F, I>;
        case Round::downInteger:
            return toInteger<Round::downInteger, kFtz, F, I>;
        case Round::upInteger:
            return toInteger<Round::upInteger, kFtz, F, I>;
        default:
            return nullptr;
    }
}

template <bool kFtz, class F>
Run toIntegerOf(const ConvertForm& form) {
    switch (form.to) {
        case Type::u32:
            return toIntegerRounded<kFtz, F, u32>(form.rounding);
        case Type::s32:
            return toIntegerRounded<kFtz, F, i32>(form.rounding);
        case Type::u64:
            return toIntegerRounded<kFtz, F, u64>(form.rounding);
        case Type::s64:
            return toIntegerRounded<kFtz, F, i64>(form.rounding);
        default:
            return nullptr;
    }
}

// --- Integer to floating point, to the nearest -----------------------------------------------------------------------------------------

template <class I, class F>
const Inst* fromInteger(Warp& w, const Inst* i) {
    const I* a = w.r<I>(i->op[1]);
    forLanes(w.mask, w.r<F>(i->op[0]), [&](u32 l) { return static_cast<F>(a[l]); });
    return i + 1;
}

template <class F>
Run fromIntegerOf(Type from) {
    switch (from) {
        case Type::u16:
            return fromInteger<u16, F>;
        case Type::s16:
            return fromInteger<i16, F>;
        case Type::u32:
            return fromInteger<u32, F>;
        case Type::s32:
            return fromInteger<i32, F>;
        case Type::u64:
            return fromInteger<u64, F>;
        case Type::s64:
            return fromInteger<i64, F>;
        default:
            return nullptr;
    }
}

// --- Between floating-point formats ----------------------------------------------------------------------------------------------------

template <auto kConvert, class D, class A, bool kFtz, bool kSat>
const Inst* between(Warp& w, const Inst* i) {
    constexpr bool kFlushResult = kFtz && std::is_same_v<D, float>;
    const A* a = w.r<A>(i->op[1]);
    forLanes(w.mask, w.r<D>(i->op[0]), [&](u32 l) { return finish<kFlushResult, kSat>(static_cast<D>(kConvert(flushIf<kFtz>(a[l])))); });
    return i + 1;
}

constexpr auto same = [](auto x) { return x; };
constexpr auto narrowed = [](double x) { return static_cast<float>(x); };
constexpr auto fromHalf = [](u16 x) { return halfToFloat(x); };
constexpr auto fromBfloat = [](u16 x) { return bfloatToFloat(x); };

// .ftz is of f32 values only: a source that is none stays.
template <auto kConvert, class D, class A>
Run betweenOf(const ConvertForm& form) {
    constexpr bool kSingle = std::is_same_v<D, float>;
    if constexpr (std::is_same_v<A, float>) {
        if (form.flags.ftz) return form.flags.sat ? between<kConvert, D, A, true, true> : between<kConvert, D, A, true, false>;
    } else if constexpr (kSingle) {
        constexpr auto kFlushed = [](A x) { return flush(kConvert(x)); };
        if (form.flags.ftz) return form.flags.sat ? between<kFlushed, D, A, false, true> : between<kFlushed, D, A, false, false>;
    }
    return form.flags.sat ? between<kConvert, D, A, false, true> : between<kConvert, D, A, false, false>;
}

template <class T>
Run roundedToIntegral(const ConvertForm& form) {
    switch (form.rounding) {
        case Round::none:
            return betweenOf<same, T, T>(form);
        case Round::nearestInteger:
            return betweenOf<[](T x) { return integral<Round::nearestInteger>(x); }, T, T>(form);
        case Round::zeroInteger:
            return betweenOf<[](T x) { return integral<Round::zeroInteger>(x); }, T, T>(form);
        case Round::downInteger:
            return betweenOf<[](T x) { return integral<Round::downInteger>(x); }, T, T>(form);
        case Round::upInteger:
            return betweenOf<[](T x) { return integral<Round::upInteger>(x); }, T, T>(form);
        default:
            return nullptr;
    }
}

template <bool kHalf, bool kRelu>
inline u16 toHalf(float x) {
    if constexpr (kRelu) x = x <= 0 ? 0.0f : x;
    return kHalf ? floatToHalf(x) : floatToBfloat(x);
}

// op: d, a for the high half, b for the low one
template <bool kHalf, bool kRelu>
const Inst* toHalves(Warp& w, const Inst* i) {
    const float *a = w.r<float>(i->op[1]), *b = w.r<float>(i->op[2]);
    forLanes(w.mask, w.r<u32>(i->op[0]),
             [&](u32 l) { return static_cast<u32>(toHalf<kHalf, kRelu>(a[l])) << 16 | toHalf<kHalf, kRelu>(b[l]); });
    return i + 1;
}

// Ten bits of fraction, ties away from zero; the bits below are zero.
constexpr auto toTf32 = [](u32 bits) {
    u32 magnitude = bits & 0x7fffffffu;
    u32 rounded = (bits + 0x1000) & 0xffffe000u;
    return magnitude > 0x7f800000u ? 0x7fffffffu : magnitude == 0x7f800000u ? bits : rounded;
};

Run toHalfFormat(const ConvertForm& form) {
    if (form.rounding != Round::nearest || form.flags.ftz || form.flags.sat || form.flags.satfinite) return nullptr;
    switch (form.to) {
        case Type::f16:
            return form.flags.relu ? lanes1<toHalf<true, true>, u16, float> : lanes1<toHalf<true, false>, u16, float>;
        case Type::bf16:
            return form.flags.relu ? lanes1<toHalf<false, true>, u16, float> : lanes1<toHalf<false, false>, u16, float>;
        case Type::f16x2:
            return form.flags.relu ? toHalves<true, true> : toHalves<true, false>;
        case Type::bf16x2:
            return form.flags.relu ? toHalves<false, true> : toHalves<false, false>;
        default:
            return nullptr;
    }
}

Run fromSingle(const ConvertForm& form) {
    if (form.to == Type::f64) return betweenOf<same, double, float>(form);
    if (form.to == Type::f32) return roundedToIntegral<float>(form);
    if (form.to == Type::tf32) {
        bool plain = form.rounding == Round::nearestAway && !form.flags.satfinite && !form.flags.relu;
        return plain ? lanes1<toTf32, u32, u32> : nullptr;
    }
    if (Run run = toHalfFormat(form)) return run;
    return form.flags.ftz ? toIntegerOf<true, float>(form) : toIntegerOf<false, float>(form);
}

Run fromDouble(const ConvertForm& form) {
    if (form.to == Type::f64) return roundedToIntegral<double>(form);
    if (form.to == Type::f32) return form.rounding == Round::nearest ? betweenOf<narrowed, float, double>(form) : nullptr;
    return toIntegerOf<false, double>(form);
}

template <auto kWiden>
Run fromHalfFormat(const ConvertForm& form) {
    if (form.to == Type::f64) return betweenOf<kWiden, double, u16>(form);
    return form.to == Type::f32 ? betweenOf<kWiden, float, u16>(form) : nullptr;
}

}  // namespace

Run vectorConversion(const ConvertForm& form) {
    switch (form.from) {
        case Type::f32:
            return fromSingle(form);
        case Type::f64:
            return fromDouble(form);
        case Type::f16:
            return fromHalfFormat<fromHalf>(form);
        case Type::bf16:
            return fromHalfFormat<fromBfloat>(form);
        default:
            break;
    }
    if (form.rounding != Round::nearest || form.flags.sat) return nullptr;
    return form.to == Type::f32 ? fromIntegerOf<float>(form.from) : form.to == Type::f64 ? fromIntegerOf<double>(form.from) : nullptr;
}

}  // namespace softcuda
