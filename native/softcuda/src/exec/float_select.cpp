// f32 and f64 instructions that only choose and change bits: neg, abs, min, max, copysign, testp.
#include "float_forms.h"
#include "float_lanes.h"

namespace softcuda {
namespace {

template <class T, bool kFtz>
const Inst* negate(Warp& w, const Inst* i) {
    const T* a = w.r<T>(i->op[1]);
    forElements<1>(w.mask, w.r<T>(i->op[0]), [=](u32 l) { return -flushIf<kFtz>(a[l]); });
    return i + 1;
}

template <class T, bool kFtz>
const Inst* absolute(Warp& w, const Inst* i) {
    const T* a = w.r<T>(i->op[1]);
    forElements<1>(w.mask, w.r<T>(i->op[0]), [=](u32 l) { return withBits<T>(flushIf<kFtz>(a[l]), kSignBit<T>, 0); });
    return i + 1;
}

// d = the magnitude of b with the sign of a.
template <class T>
const Inst* copySign(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]);
    forElements<1>(w.mask, w.r<T>(i->op[0]),
                   [=](u32 l) { return withBits<T>(b[l], kSignBit<T>, std::bit_cast<BitsOf<T>>(a[l]) & kSignBit<T>); });
    return i + 1;
}

// .xorsign.abs: of the magnitudes, with the product of the signs.
template <bool kMaximum, NaNRule kRule, bool kXor, class T>
inline T choose(T a, T b) {
    if constexpr (kXor) {
        BitsOf<T> sign = (std::bit_cast<BitsOf<T>>(a) ^ std::bit_cast<BitsOf<T>>(b)) & kSignBit<T>;
        T magnitude = canonical(extremum<kMaximum, kRule>(withBits<T>(a, kSignBit<T>, 0), withBits<T>(b, kSignBit<T>, 0)));
        return withBits<T>(magnitude, 0, magnitude == magnitude ? sign : 0);
    } else {
        return canonical(extremum<kMaximum, kRule>(a, b));
    }
}

template <class T, u32 kOperands, bool kMaximum, NaNRule kRule, bool kXor, bool kFtz>
const Inst* minMax(Warp& w, const Inst* i) {
    const T *a = w.r<T>(i->op[1]), *b = w.r<T>(i->op[2]), *c = w.r<T>(i->op[3]);
    forElements<1>(w.mask, w.r<T>(i->op[0]), [=](u32 l) {
        T result = choose<kMaximum, kRule, kXor>(flushIf<kFtz>(a[l]), flushIf<kFtz>(b[l]));
        if constexpr (kOperands == 3) result = choose<kMaximum, kRule, kXor>(result, flushIf<kFtz>(c[l]));
        return result;
    });
    return i + 1;
}

template <u32 kOperands, bool kMaximum, NaNRule kRule>
Run minMaxFloat(const FloatForm& form) {
    if (form.has(kXorsign))
        return form.ftz ? minMax<float, kOperands, kMaximum, kRule, true, true> : minMax<float, kOperands, kMaximum, kRule, true, false>;
    return form.ftz ? minMax<float, kOperands, kMaximum, kRule, false, true> : minMax<float, kOperands, kMaximum, kRule, false, false>;
}

template <bool kMaximum>
bool bindMinMax(Binder& b) {
    FloatForm form(b, kFtz | kNaN | kXorsign);
    u32 count = b.in().operands.size() == 4 ? 3 : 2;
    if (form.width != 1) throw b.unsupported();
    if (form.type == ptx::Type::f64) {
        if (form.modifiers != 0 || count != 2) throw b.unsupported();
        b.out().run = minMax<double, 2, kMaximum, NaNRule::ignore, false, false>;
    } else if (form.has(kNaN)) {
        b.out().run = count == 2 ? minMaxFloat<2, kMaximum, NaNRule::propagate>(form) : minMaxFloat<3, kMaximum, NaNRule::propagate>(form);
    } else {
        b.out().run = count == 2 ? minMaxFloat<2, kMaximum, NaNRule::ignore>(form) : minMaxFloat<3, kMaximum, NaNRule::ignore>(form);
    }
    bindOperands(b, form, count);
    return true;
}

// Zeros count as normal.
enum class Property : u8 { finite, infinite, number, notanumber, normal, subnormal };

template <class T>
bool holds(Property property, T x) {
    switch (property) {
        case Property::finite:
            return std::isfinite(x);
        case Property::infinite:
            return std::isinf(x);
        case Property::number:
            return !std::isnan(x);
        case Property::notanumber:
            return std::isnan(x);
        case Property::normal:
            return x == 0 || std::isnormal(x);
        case Property::subnormal:
            return std::fpclassify(x) == FP_SUBNORMAL;
    }
    return false;
}

template <class T>
const Inst* test(Warp& w, const Inst* i) {
    const T* a = w.r<T>(i->op[1]);
    u32 bits = 0;
    for (u32 l = 0; l < kLanes; l++) bits |= static_cast<u32>(holds(static_cast<Property>(i->imm), a[l])) << l;
    setPredicate(w.p(i->op[0]), bits, w.mask);
    return i + 1;
}

bool bindTest(Binder& b) {
    static constexpr const char* kNames[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
    const auto& in = b.in();
    if (in.allModifiers().size() != 2 || in.operands.size() != 2) throw b.unsupported();
    for (u32 property = 0; property < std::size(kNames); property++) {
        if (in.modifiers[0] != kNames[property]) continue;
        b.writePredicate(0, in.operands[0]);
        b.read(1, in.operands[1], in.type());
        b.out().imm = property;
        b.out().run = in.type() == ptx::Type::f64 ? test<double> : test<float>;
        return true;
    }
    throw b.unsupported("property ." + in.modifiers[0]);
}

bool bindUnary(Binder& b, Run f32, Run f32Ftz, Run f64) {
    FloatForm form(b, kFtz);
    if (form.width != 1) throw b.unsupported();
    bindOperands(b, form, 1);
    b.out().run = form.type == ptx::Type::f64 ? f64 : form.ftz ? f32Ftz : f32;
    return true;
}

bool bindCopySign(Binder& b) {
    FloatForm form(b, 0);
    if (form.width != 1) throw b.unsupported();
    bindOperands(b, form, 2);
    b.out().run = form.type == ptx::Type::f64 ? copySign<double> : copySign<float>;
    return true;
}

}  // namespace

bool bindFloatSelect(Binder& b) {
    const std::string& opcode = b.in().opcode;
    if (opcode == "neg") return bindUnary(b, negate<float, false>, negate<float, true>, negate<double, false>);
    if (opcode == "abs") return bindUnary(b, absolute<float, false>, absolute<float, true>, absolute<double, false>);
    if (opcode == "min") return bindMinMax<false>(b);
    if (opcode == "max") return bindMinMax<true>(b);
    if (opcode == "copysign") return bindCopySign(b);
    if (opcode == "testp") return bindTest(b);
    return false;
}

}  // namespace softcuda
