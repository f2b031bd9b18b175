// f16, f16x2, bf16 and bf16x2: add, sub, mul, fma, neg, abs, min, max, ex2.approx, tanh.approx.
//
// Every operation rounds once, to the nearest with ties to even; NaN results are 0x7fff.
// - add, sub and mul are computed in f32. Rounding a sum or product first to 24 bits and then to p bits gives what one rounding gives
//   if 24 >= 2p + 2: p is 11 for f16, 8 for bf16. Where results are subnormal, sums are exact in f32, and so are products, but for
//   those of bf16 below 2^-134, which are below half of the least bf16 and become zero either way.
// - fma: the product of two values is exact in f64 (22 or 16 bits), the sum with c need not be. So the f64 sum is corrected to "round to
//   odd" (truncated, with the last bit telling that something was lost), and again when it becomes an f32: a value rounded to odd with at
//   least two bits more than the last format rounds there as the exact one does.
#include "half.h"
#include "approx_math.h"
#include "families.h"
#include "float_lanes.h"
#include "half_mixed.h"

namespace softcuda {
namespace {

struct Half {
    static constexpr u16 kExponent = 0x7c00, kNaN = kHalfNaN;
    static float widen(u16 x) { return halfToFloat(x); }
    static u16 round(float x) { return floatToHalf(x); }
};

struct Bfloat {
    static constexpr u16 kExponent = 0x7f80, kNaN = kBfloatNaN;
    static float widen(u16 x) { return bfloatToFloat(x); }
    static u16 round(float x) { return floatToBfloat(x); }
};

template <class Format>
inline bool isNaN(u16 x) {
    return (x & 0x7fff) > Format::kExponent;
}

template <class Format, bool kFtz>
inline u16 flushHalf(u16 x) {
    u16 keep = kFtz && !(x & Format::kExponent) ? 0x8000 : 0xffff;
    return x & keep;
}

// What rounding to odd gives of an exact value, from its rounded value x and whether (0 or 1) the exact one lies above or below it.
template <class T>
inline T toOdd(T x, BitsOf<T> above, BitsOf<T> below) {
    using Bits = BitsOf<T>;
    Bits bits = std::bit_cast<Bits>(x), negative = bits >> (8 * sizeof(T) - 1);
    Bits tooLarge = (negative & above) | ((negative ^ 1) & below);
    return std::bit_cast<T>((bits - tooLarge) | above | below);
}

// a * b + c rounded to odd in f32; the product must be exact in f64. (An infinite sum has no error; one that only f32 cannot hold becomes
// the greatest f32, which every format of 16 bits rounds to infinity.)
inline float fmaToOdd(float a, float b, float c) {
    double x = static_cast<double>(a) * b, y = c;
    double sum = x + y;
    double xPart = sum - y, yPart = sum - xPart;
    double error = (x - xPart) + (y - yPart);
    sum = toOdd(sum, u64{error > 0}, u64{error < 0});
    float narrow = static_cast<float>(sum);
    u64 above = sum > narrow, below = sum < narrow;
    return toOdd(narrow, static_cast<u32>(above), static_cast<u32>(below));
}

enum class After : u8 { nothing, flush, saturate, flushSaturate, relu, flushRelu };

constexpr bool flushes(After after) { return after == After::flush || after == After::flushSaturate || after == After::flushRelu; }
constexpr bool saturates(After after) { return after == After::saturate || after == After::flushSaturate; }
constexpr bool clampsBelow(After after) { return after == After::relu || after == After::flushRelu; }

// Clamping before or after the rounding is the same: the bounds are values of every format.
template <class Format, After kAfter>
inline u16 complete(float value) {
    if constexpr (saturates(kAfter)) value = saturate(value);
    if constexpr (clampsBelow(kAfter)) value = value <= 0 ? 0.0f : value;
    return flushHalf<Format, flushes(kAfter)>(Format::round(value));
}

enum class HalfOp : u8 { add, sub, mul, fma };

template <HalfOp kOp>
inline float compute(float a, float b, float c) {
    if constexpr (kOp == HalfOp::add) return a + b;
    if constexpr (kOp == HalfOp::sub) return a - b;
    if constexpr (kOp == HalfOp::mul) return a * b;
    if constexpr (kOp == HalfOp::fma) return fmaToOdd(a, b, c);
}

template <class Format, u32 kWidth, HalfOp kOp, After kAfter>
const Inst* arithmetic(Warp& w, const Inst* i) {
    constexpr bool kFtz = flushes(kAfter);
    const u16 *a = w.r<u16>(i->op[1]), *b = w.r<u16>(i->op[2]), *c = w.r<u16>(i->op[kOp == HalfOp::fma ? 3 : 2]);
    forElements<kWidth>(w.mask, w.r<u16>(i->op[0]), [=](u32 e) {
        float x = Format::widen(flushHalf<Format, kFtz>(a[e])), y = Format::widen(flushHalf<Format, kFtz>(b[e]));
        float z = Format::widen(flushHalf<Format, kFtz>(c[e]));
        return complete<Format, kAfter>(compute<kOp>(x, y, z));
    });
    return i + 1;
}

template <class Format, u32 kWidth, bool kAbsolute, bool kFtz>
const Inst* sign(Warp& w, const Inst* i) {
    const u16* a = w.r<u16>(i->op[1]);
    forElements<kWidth>(w.mask, w.r<u16>(i->op[0]), [=](u32 e) {
        u16 x = flushHalf<Format, kFtz>(a[e]);
        return static_cast<u16>(kAbsolute ? x & 0x7fff : x ^ 0x8000);
    });
    return i + 1;
}

// The order of f16 and bf16 values other than NaN as integers: -0 comes before +0.
inline i16 orderOf(u16 x) { return static_cast<i16>(x ^ (static_cast<i16>(x) >> 15 & 0x7fff)); }

template <class Format, bool kMaximum, NaNRule kRule>
inline u16 chooseHalf(u16 a, u16 b) {
    u16 result = (kMaximum ? orderOf(a) > orderOf(b) : orderOf(a) < orderOf(b)) ? a : b;
    u16 lone = kRule == NaNRule::propagate ? Format::kNaN : a;
    result = isNaN<Format>(b) ? lone : result;
    lone = kRule == NaNRule::propagate ? Format::kNaN : b;
    result = isNaN<Format>(a) ? lone : result;
    return isNaN<Format>(result) ? Format::kNaN : result;
}

template <class Format, u32 kWidth, bool kMaximum, NaNRule kRule, bool kXor, bool kFtz>
const Inst* minMax(Warp& w, const Inst* i) {
    const u16 *a = w.r<u16>(i->op[1]), *b = w.r<u16>(i->op[2]);
    forElements<kWidth>(w.mask, w.r<u16>(i->op[0]), [=](u32 e) {
        u16 x = flushHalf<Format, kFtz>(a[e]), y = flushHalf<Format, kFtz>(b[e]);
        if constexpr (!kXor) return chooseHalf<Format, kMaximum, kRule>(x, y);
        u16 magnitude = chooseHalf<Format, kMaximum, kRule>(x & 0x7fff, y & 0x7fff);
        u16 sign = isNaN<Format>(magnitude) ? 0 : (x ^ y) & 0x8000;
        return static_cast<u16>(magnitude | sign);
    });
    return i + 1;
}

template <class Format, u32 kWidth, bool kFtz, float (*kFunction)(float)>
const Inst* approximate(Warp& w, const Inst* i) {
    const u16* a = w.r<u16>(i->op[1]);
    forElements<kWidth>(w.mask, w.r<u16>(i->op[0]), [=](u32 e) {
        float x = Format::widen(flushHalf<Format, kFtz>(a[e]));
        return flushHalf<Format, kFtz>(Format::round(kFunction(x)));
    });
    return i + 1;
}

// --- Binding ----------------------------------------------------------------------------------------------------------------------

struct HalfForm {
    ptx::Type type;
    u32 width;
    bool half;  // f16, else bf16
    bool ftz = false, sat = false, relu = false, nan = false, xorsign = false;

    explicit HalfForm(Binder& b) : type(b.in().type()) {
        width = type == ptx::Type::f16x2 || type == ptx::Type::bf16x2 ? 2 : 1;
        half = type == ptx::Type::f16 || type == ptx::Type::f16x2;
        const auto& names = b.in().allModifiers();
        for (std::size_t i = 0; i + 1 < names.size(); i++) {
            const std::string& name = names[i];
            if (name == "ftz")
                ftz = true;
            else if (name == "sat")
                sat = true;
            else if (name == "relu")
                relu = true;
            else if (name == "NaN")
                nan = true;
            else if (name == "xorsign")
                xorsign = true;
            else if (name != "rn" && name != "abs" && name != "approx")
                throw b.unsupported("modifier ." + name);
        }
    }

    After after(Binder& b, bool fma) const {
        if (sat && relu) throw b.unsupported("both .sat and .relu");
        if (relu && !fma) throw b.unsupported(".relu");
        if (!half && (ftz || sat)) throw b.unsupported("bf16 has neither .ftz nor .sat");
        if (nan || xorsign) throw b.unsupported(".NaN or .xorsign");
        if (sat) return ftz ? After::flushSaturate : After::saturate;
        if (relu) return ftz ? After::flushRelu : After::relu;
        return ftz ? After::flush : After::nothing;
    }
};

// f with the form's format and width as template arguments.
template <class F>
Run withFormat(const HalfForm& form, F f) {
    if (form.half) return form.width == 2 ? f.template operator()<Half, 2>() : f.template operator()<Half, 1>();
    return form.width == 2 ? f.template operator()<Bfloat, 2>() : f.template operator()<Bfloat, 1>();
}

void bindHalfOperands(Binder& b, const HalfForm& form, u32 count, Run run) {
    const auto& operands = b.in().operands;
    if (operands.size() != count + 1) throw b.unsupported("wrong number of operands");
    b.write(0, operands[0], form.type);
    for (u32 k = 1; k <= count; k++) b.read(k, operands[k], form.type);
    b.out().run = run;
}

template <HalfOp kOp>
bool bindArithmetic(Binder& b) {
    HalfForm form(b);
    After after = form.after(b, kOp == HalfOp::fma);
    Run run = withFormat(form, [after]<class Format, u32 kWidth>() -> Run {
        switch (after) {
            case After::nothing:
                return arithmetic<Format, kWidth, kOp, After::nothing>;
            case After::flush:
                return arithmetic<Format, kWidth, kOp, After::flush>;
            case After::saturate:
                return arithmetic<Format, kWidth, kOp, After::saturate>;
            case After::flushSaturate:
                return arithmetic<Format, kWidth, kOp, After::flushSaturate>;
            case After::relu:
                return arithmetic<Format, kWidth, kOp, After::relu>;
            case After::flushRelu:
                return arithmetic<Format, kWidth, kOp, After::flushRelu>;
        }
        return nullptr;
    });
    bindHalfOperands(b, form, kOp == HalfOp::fma ? 3 : 2, run);
    return true;
}

template <bool kAbsolute>
bool bindSign(Binder& b) {
    HalfForm form(b);
    if (form.sat || form.relu || form.nan || form.xorsign || (form.ftz && !form.half)) throw b.unsupported();
    bindHalfOperands(b, form, 1, withFormat(form, [&form]<class Format, u32 kWidth>() -> Run {
                         return form.ftz ? sign<Format, kWidth, kAbsolute, true> : sign<Format, kWidth, kAbsolute, false>;
                     }));
    return true;
}

template <bool kMaximum>
bool bindMinMax(Binder& b) {
    HalfForm form(b);
    if (form.sat || form.relu || (form.ftz && !form.half)) throw b.unsupported();
    bindHalfOperands(b, form, 2, withFormat(form, [&form]<class Format, u32 kWidth>() -> Run {
                         auto pick = [&form]<NaNRule kRule>() -> Run {
                             if (form.xorsign)
                                 return form.ftz ? minMax<Format, kWidth, kMaximum, kRule, true, true>
                                                 : minMax<Format, kWidth, kMaximum, kRule, true, false>;
                             return form.ftz ? minMax<Format, kWidth, kMaximum, kRule, false, true>
                                             : minMax<Format, kWidth, kMaximum, kRule, false, false>;
                         };
                         return form.nan ? pick.template operator()<NaNRule::propagate>() : pick.template operator()<NaNRule::ignore>();
                     }));
    return true;
}

// `flushes`: the form for bf16 has .ftz; no other has it.
template <float (*kFunction)(float)>
bool bindFunction(Binder& b, bool flushes) {
    HalfForm form(b);
    if (form.sat || form.relu || form.nan || form.xorsign || !b.in().has("approx")) throw b.unsupported();
    if (form.ftz != (flushes && !form.half)) throw b.unsupported(".ftz");
    bindHalfOperands(b, form, 1, withFormat(form, [&form]<class Format, u32 kWidth>() -> Run {
                         return form.ftz ? approximate<Format, kWidth, true, kFunction> : approximate<Format, kWidth, false, kFunction>;
                     }));
    return true;
}

bool isHalfForm(const ptx::Instruction& in) {
    ptx::Type type = in.type();
    return type == ptx::Type::f16 || type == ptx::Type::f16x2 || type == ptx::Type::bf16 || type == ptx::Type::bf16x2;
}

}  // namespace

bool bindHalf(Binder& b) {
    const std::string& opcode = b.in().opcode;
    if (!isHalfForm(b.in())) return false;
    if (b.in().type(1) == ptx::Type::f32) return bindMixed(b);
    if (opcode == "add") return bindArithmetic<HalfOp::add>(b);
    if (opcode == "sub") return bindArithmetic<HalfOp::sub>(b);
    if (opcode == "mul") return bindArithmetic<HalfOp::mul>(b);
    if (opcode == "fma") return bindArithmetic<HalfOp::fma>(b);
    if (opcode == "neg") return bindSign<false>(b);
    if (opcode == "abs") return bindSign<true>(b);
    if (opcode == "min") return bindMinMax<false>(b);
    if (opcode == "max") return bindMinMax<true>(b);
    if (opcode == "ex2") return bindFunction<approx::exp2>(b, true);
    if (opcode == "tanh") return bindFunction<approx::tanh>(b, false);
    return false;
}

}  // namespace softcuda
